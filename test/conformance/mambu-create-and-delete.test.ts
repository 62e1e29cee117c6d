import { describe, it } from 'vitest';
import { describeProvider } from '../../src/testing/index.js';
import { mambuSubject } from '../support/mambu-subject.js';

describeProvider('mambu create-and-delete', mambuSubject('B', { strategy: 'create-and-delete' }), { describe, it });
