import { describe, it } from 'vitest';
import { describeProvider } from '../../src/testing/index.js';
import { tinySubject } from '../support/tiny-subject.js';

describeProvider('tiny plug-in', tinySubject(), { describe, it });
