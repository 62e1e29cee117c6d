/** The plug-in of examples/plugin-tiny, for the conformance kit. */
import { provider } from '../../examples/plugin-tiny/index.js';
import { Secret } from '../../src/domain/secret.js';
import type { Provider } from '../../src/providers/provider.js';
import type { ProviderUnderTest } from '../../src/testing/index.js';
import { startTinySystem } from './tiny-system.js';

type TinySettings = typeof provider extends Provider<infer S> ? S : never;

/** With some of its methods replaced by worse ones. */
export function tinySubject(changes: Partial<Provider<TinySettings>> = {}): ProviderUnderTest<TinySettings> {
  return {
    provider: { ...provider, ...changes },
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
  };
}
