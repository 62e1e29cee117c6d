/** The plug-in of examples/plugin-tiny, for the conformance kit. */
import { provider } from '../../examples/plugin-tiny/index.js';
import { startTinyService } from '../../examples/plugin-tiny/tiny-service.js';
import type { Provider } from '../../src/providers/provider.js';
import type { ProviderUnderTest } from '../../src/testing/index.js';

type TinySettings = typeof provider extends Provider<infer S> ? S : never;

/** With some of its methods replaced by worse ones. */
export function tinySubject(changes: Partial<Provider<TinySettings>> = {}): ProviderUnderTest<TinySettings> {
  return { provider: { ...provider, ...changes }, class: 'C', start: () => startTinyService() };
}
