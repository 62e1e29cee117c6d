import { describe, it } from 'vitest';
import { describeProvider } from '../../src/testing/index.js';
import { mambuSubject } from '../support/mambu-subject.js';

describeProvider('mambu rotation', mambuSubject('D', { strategy: 'rotation', tenantGrace: '30m' }), { describe, it });
