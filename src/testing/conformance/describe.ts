import { casesFor, runCase } from './cases.js';
import type { ProviderUnderTest, TestFramework } from './subject.js';

/** A rotation takes milliseconds; an answer that comes too late takes half a second of real time. */
const TIMEOUT_MS = 30_000;

/**
 * The conformance kit of a provider: declares the tests that every provider of keyturn has to pass. Each test drives the provider through
 * keyturn's own activities, custody, file store and HTTP client over real sockets, and through the very function that rotates in a worker, on a
 * clock that jumps. Between the provider and the double of its system stands a proxy that does one thing wrong; which recovery is right follows
 * from the provider's `capability`. After each test: the published key works, keys of others live, no key of ours is left over, no creation
 * was repeated blindly, no secret is in any text, and the next rotation succeeds.
 *
 * @param name of the implementation, for the tests' names
 * @param subject the provider, and how to start a double of its system for one test
 * @param framework where `describe` and `it` come from; default the global ones
 * @throws Error where there are none
 */
export function describeProvider<S>(
  name: string,
  subject: ProviderUnderTest<S>,
  framework: TestFramework = globalFramework(),
): void {
  const provider = subject as ProviderUnderTest;
  framework.describe(`conformance: ${name}`, () => {
    for (const each of casesFor(provider)) framework.it(each.name, () => runCase(provider, each), TIMEOUT_MS);
  });
}

function globalFramework(): TestFramework {
  const { describe, it } = globalThis as Partial<TestFramework>;
  if (describe && it) return { describe, it };
  throw new Error('there are no global `describe` and `it`: pass those of your test framework as the last argument');
}
