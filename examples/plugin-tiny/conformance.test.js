// @ts-check
import { describe, it } from 'node:test';
import { describeProvider } from 'keyturn/testing';
import { provider } from './index.js';
import { startTinyService } from './tiny-service.js';

describeProvider('tiny plug-in', { provider, class: 'C', start: () => startTinyService() }, { describe, it });
