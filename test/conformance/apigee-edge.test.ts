import { describe, it } from 'vitest';
import { describeProvider } from '../../src/testing/index.js';
import { apigeeSubject } from '../support/apigee-subject.js';

describeProvider('apigee edge', apigeeSubject('edge'), { describe, it });
