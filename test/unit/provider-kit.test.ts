/** The conformance kit must be able to fail: each of these providers has one mistake, and one of the kit's tests that finds it. */
import { expect, test } from 'vitest';
import { z } from 'zod';
import { provider as tiny } from '../../examples/plugin-tiny/index.js';
import { ProviderFailure } from '../../src/domain/failure.js';
import type { ProviderContext } from '../../src/providers/provider.js';
import { describeProvider, type ProviderUnderTest } from '../../src/testing/index.js';
import { mambuSubject } from '../support/mambu-subject.js';
import { tinySubject } from '../support/tiny-subject.js';

type Context = ProviderContext<{ readonly baseUrl: string; readonly account: string }>;
type Subject = ReturnType<typeof tinySubject>;

/** The kit's tests by their names, instead of running them. */
function declared<S>(subject: ProviderUnderTest<S>): ReadonlyMap<string, () => Promise<void>> {
  const tests = new Map<string, () => Promise<void>>();
  const describe = (_: string, body: () => void): void => body();
  describeProvider('x', subject, { describe, it: (name, body) => void tests.set(name, body) });
  return tests;
}

async function findingOf<S>(subject: ProviderUnderTest<S>, name: string): Promise<string> {
  const run = declared(subject).get(name);
  if (!run) throw new Error(`the kit has no test ${name}`);
  return run().then(
    () => 'nothing was found',
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );
}

const failure = (failureClass: ProviderFailure['class'], message = 'x'): ProviderFailure =>
  new ProviderFailure({ class: failureClass, code: 'KT-PROVIDER-REJECTED', message });

/** Every failure as another one. */
const renamed =
  <A extends readonly unknown[], R>(
    method: (...given: A) => Promise<R>,
    to: (failed: unknown, ...given: A) => unknown,
  ) =>
  async (...given: A): Promise<R> => {
    try {
      return await method(...given);
    } catch (error) {
      throw to(error, ...given);
    }
  };

const lost = 'recovers a key whose creation was executed: answer-lost';
const usual = 'publishes a new key, keeps the old one for its grace, then ends it, and leaves keys of others alone';

test.each<[mistake: string, Subject, foundBy: string, finding: RegExp]>([
  [
    'sends a creation again by itself',
    tinySubject({
      create: (context, intent) => tiny.create(context, intent).catch(() => tiny.create(context, intent)),
    }),
    lost,
    /create has sent 2 writes/,
  ],
  [
    'calls a lost answer a refusal',
    tinySubject({ create: renamed(tiny.create, () => failure('rejected')) }),
    lost,
    /outcome failed/,
  ],
  [
    'throws what is no ProviderFailure',
    tinySubject({ inventory: renamed(tiny.inventory, () => new TypeError('x')) }),
    'looks again after an outage of inventory: unreachable',
    /no ProviderFailure/,
  ],
  [
    'quotes a secret in a message',
    tinySubject({
      verify: renamed(tiny.verify, (_, _context: Context, fresh) =>
        failure('outage', `refused ${fresh.fields['token']?.reveal()}`),
      ),
    }),
    'looks again after an outage of verify: answer-500',
    /no secret is in a failure/,
  ],
  [
    'puts a secret into a header of its own',
    tinySubject({
      create: (context, intent) => {
        const headers = { 'x-token': context.credential.fields['token']?.reveal() ?? '' };
        return tiny.create({ ...context, send: (request) => context.send({ ...request, headers }) }, intent);
      },
    }),
    usual,
    /no secret is in a failure/,
  ],
  [
    'says that every key is ended',
    tinySubject({ retire: () => Promise.resolve('done') }),
    usual,
    /then it is dead|debts|never done with/,
  ],
  [
    'ends all other keys of the account',
    tinySubject({
      async retire(context, keyId, phase) {
        for (const key of await tiny.inventory(context)) {
          if (key.keyId !== context.credential.keyId) await tiny.retire(context, key.keyId, phase);
        }
        return tiny.retire(context, keyId, phase);
      },
    }),
    usual,
    /keys of others live on/,
  ],
  [
    'ends the old key as soon as it has a new one',
    tinySubject({
      async create(context, intent) {
        const created = await tiny.create(context, intent);
        await tiny.retire(
          { ...context, credential: { keyId: created.keyId ?? '', fields: created.fields } },
          context.credential.keyId,
          'destroy',
        );
        return created;
      },
    }),
    usual,
    /works at publish/,
  ],
  [
    'lists nothing',
    tinySubject({ inventory: (context) => tiny.inventory(context).then(() => []) }),
    lost,
    /no key of ours lives/,
  ],
  [
    'takes any answer for a proof',
    tinySubject({
      verify: (_context, fresh) =>
        Promise.resolve({ keyId: fresh.keyId, lifetime: null, scopeDifference: [], lostProof: null }),
    }),
    'takes a new key back that is refused for good',
    /rolled-back/,
  ],
  [
    'promises to replay answers and does not',
    {
      ...tinySubject({ capability: (settings) => ({ ...tiny.capability(settings), replayWindowMs: 3_600_000 }) }),
      class: 'B',
    },
    lost,
    /no key of ours lives|debts/,
  ],
  [
    'does not hear how long it has to wait',
    tinySubject({ create: renamed(tiny.create, () => failure('busy')) }),
    'waits as long as a 429 says, and makes one key',
    /it waits/,
  ],
  [
    'takes settings that it does not know',
    tinySubject({ settings: z.looseObject({ baseUrl: z.string(), account: z.string() }) }),
    'reads its settings strictly, and its identity leads back to the same account',
    /unknown settings/,
  ],
  [
    'forgets its account',
    tinySubject({ settingsOf: ({ baseUrl }) => ({ baseUrl, account: 'nobody' }) }),
    'reads its settings strictly, and its identity leads back to the same account',
    /deeply equal|deep-equal/,
  ],
  [
    'makes more calls in one step than a quota counts with',
    tinySubject({
      capability: (settings) => ({ ...tiny.capability(settings), callsPerMinute: 600 }),
      async inventory(context) {
        for (let page = 1; page < 6; page += 1) await tiny.inventory(context);
        return tiny.inventory(context);
      },
    }),
    usual,
    /plan has made 6 calls/,
  ],
  [
    'is of another class than it says',
    { ...tinySubject(), class: 'B' },
    usual,
    /the class that follows from its capability/,
  ],
])('a provider that %s is found out', async (_, subject, foundBy, finding) => {
  expect(await findingOf(subject, foundBy)).toMatch(finding);
});

test('there are tests for every class, and each class has its own', () => {
  const names = (each: Subject['class']): readonly string[] => [...declared({ ...tinySubject(), class: each }).keys()];
  expect(names('C').length).toBeGreaterThan(25);
  expect(names('D')).toContain('goes forward to another key where it cannot go back');
  expect(names('D')).not.toContain('takes a new key back that is refused for good');
  expect(names('E')).toContain('is refused without `acceptGap`, for there is no overlap');
});

test.each(['is refused without `acceptGap`, for there is no overlap', usual, lost])(
  'a provider without any overlap, whose gap is accepted, has its own rules: %s',
  async (name) => {
    const more = { strategy: 'rotation', tenantGrace: '0s', acceptGap: true };
    expect(await findingOf(mambuSubject('E', more, 0), name)).toBe('nothing was found');
  },
);

test('without a test framework the kit says what it needs', () => {
  expect(() => describeProvider('x', tinySubject())).toThrow('pass those of your test framework');
});
