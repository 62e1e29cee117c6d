import { describe, it } from 'vitest';
import { provider } from '../../examples/plugin-tiny/index.js';
import { Secret } from '../../src/domain/secret.js';
import { describeProvider } from '../../src/testing/index.js';
import { startTinySystem } from '../support/tiny-system.js';

describeProvider(
  'tiny plug-in',
  {
    provider,
    class: 'C',
    async start() {
      const { baseUrl, account, seeded, accepts, livingIds, close } = await startTinySystem();
      return {
        settings: { baseUrl, account },
        seed: { keyId: seeded.id, fields: { token: new Secret(seeded.token) } },
        accepts: ({ fields }) => accepts(fields['token']?.reveal() ?? ''),
        livingKeys: livingIds,
        stop: close,
      };
    },
  },
  { describe, it },
);
