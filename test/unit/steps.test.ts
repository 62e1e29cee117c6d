/** What a step does to provider and store, whatever it is told: the record decides, and it is read right before anything that cannot be undone. */
import { describe, expect, test } from 'vitest';
import { provider as tiny } from '../../examples/plugin-tiny/index.js';
import { raiseEpoch } from '../../src/domain/intents.js';
import { currentOf, pendingOf, type CredentialRecord } from '../../src/domain/record.js';
import { newDebt, withVersion } from '../../src/domain/transitions.js';
import type { ProviderAnswer } from '../../src/providers/provider.js';
import { minute, openSteps, second, t0, type StepsBench } from '../support/steps.js';

const creates = ({ requests }: StepsBench): number => requests.filter((asked) => asked === 'POST /tokens').length;
const ends = ({ requests }: StepsBench): readonly string[] => requests.filter((asked) => asked.startsWith('DELETE '));
const settings = { baseUrl: 'https://tiny.example', account: 'acme' };
const refusal = { status: 401, headers: {}, text: '{}' };
/** Another rotation owns the record, and the key that it has made. */
const takenOver = (record: CredentialRecord): CredentialRecord => ({
  ...record,
  operation: record.operation && { ...record.operation, operationId: 'op-2' },
  versions: record.versions.map((v) => (v.stage === 'pending' ? { ...v, operationId: 'op-2' } : v)),
});
/** The same rotation has given up the key that it had made, and has made another one. */
const goneOn = (record: CredentialRecord): CredentialRecord => ({
  ...record,
  highestVersion: 3,
  operation: record.operation && { ...record.operation, toVersion: 3 },
  versions: record.versions.map((v) => (v.stage === 'pending' ? { ...v, version: 3, keyId: 'new-2' } : v)),
});
const outage = { status: 503, headers: {}, text: '{}' };

describe('a write at the provider', () => {
  test('has its intent in the store before it is sent, with a one-time key and an idempotency key of its own', async () => {
    const bench = await openSteps();
    const found: { oneTimeKey: string; idempotencyKey: string; settled: string }[] = [];
    bench.beforeCreate = async () => {
      const { record, shelf } = await bench.opened();
      const intent = record.intents.at(-1);
      const shelved = shelf.intents[String(intent?.n)];
      if (intent && shelved) found.push({ ...intent, oneTimeKey: shelved.oneTimeKey.reveal() });
    };
    bench.instead.set('POST /tokens', outage);
    await bench.rotateUntil('rotate');
    bench.instead.clear();
    await bench.run('rotate');
    expect(found.map(({ settled }) => settled)).toEqual(['open', 'open']);
    expect(creates(bench)).toBe(2);
    expect(new Set(found.map(({ oneTimeKey }) => oneTimeKey)).size).toBe(2);
    expect(new Set(found.map(({ idempotencyKey }) => idempotencyKey)).size).toBe(2);
    for (const { oneTimeKey } of found) expect(Buffer.from(oneTimeKey, 'base64')).toHaveLength(32);
  });

  test.each<[what: string, meanwhile: (bench: StepsBench) => Promise<unknown> | void]>([
    ['a recovery has begun', (bench) => bench.change(raiseEpoch)],
    ['its time to be sent has passed', (bench) => void (bench.clock.nowMs += 6 * second)],
    ['the worker is shutting down', (bench) => bench.cancel()],
    [
      'its intent has been settled',
      (bench) => bench.change((r) => ({ ...r, intents: r.intents.map((i) => ({ ...i, settled: 'unknown' })) })),
    ],
  ])('is not sent any more when %s', async (_, meanwhile) => {
    const bench = await openSteps();
    await bench.rotateUntil('plan');
    bench.beforeCreate = async () => meanwhile(bench);
    await bench.run('rotate').catch(() => undefined);
    expect(creates(bench)).toBe(0);
    expect([...bench.tokens.keys()]).toEqual(['old']);
  });

  test('whose answer comes after a recovery has begun is not written over what the recovery finds, and not lost', async () => {
    const bench = await openSteps({
      async create(context, intent) {
        const made = await tiny.create(context, intent);
        await bench.change(raiseEpoch);
        return made;
      },
    });
    await bench.rotateUntil('rotate');
    expect(pendingOf((await bench.opened()).record)).toBeUndefined();
    await bench.run('rotate');
    expect(pendingOf((await bench.opened()).record)?.keyId).toBe('new-1');
    expect(creates(bench)).toBe(1);
  });
});

describe('a new key', () => {
  test('that does not read back as it was sealed is neither used nor published', async () => {
    const bench = await openSteps();
    await bench.rotateUntil('rotate');
    await bench.change((record) => withVersion(record, 2, (v) => ({ ...v, fingerprint: `hmac:${'0'.repeat(32)}` })));
    await expect(bench.run('persist', { unsaved: null })).rejects.toMatchObject({ type: 'KT-STORE-CORRUPT' });
  });

  test('that may do something else than the old one is not verified', async () => {
    const different = { keyId: 'new-1', lifetime: null, scopeDifference: ['product:b is missing'], lostProof: null };
    const bench = await openSteps({ verify: async () => different });
    await bench.rotateUntil('rotate');
    const { verdict } = await bench.run('verify', { hurry: false });
    expect(verdict).toMatchObject({ do: 'differs', in: ['product:b is missing'] });
    expect(pendingOf((await bench.opened()).record)?.verifiedAtMs).toBeNull();
  });

  test('that cannot be removed when the rotation is taken back is owed, until it is gone', async () => {
    const bench = await openSteps();
    await bench.rotateUntil('rotate');
    bench.instead.set('DELETE /tokens/new-1', outage);
    await bench.run('takeBack');
    expect((await bench.opened()).record.debts).toMatchObject([{ kind: 'orphan', keyId: 'new-1' }]);
    await bench.run('settleDebt', { keyId: 'new-1' });
    expect((await bench.opened()).record.debts).toMatchObject([{ keyId: 'new-1', attempts: 1 }]);
    bench.instead.clear();
    bench.clock.nowMs += 10 * minute;
    await bench.run('settleDebt', { keyId: 'new-1' });
    expect((await bench.opened()).record.debts).toEqual([]);
    expect([...bench.tokens.keys()]).toEqual(['old']);
  });
});

describe('a step that slept until others had gone on', () => {
  const listing = 'GET /tokens';
  const unknown = (record: CredentialRecord): CredentialRecord => ({
    ...record,
    intents: record.intents.map((i) => ({ ...i, settled: 'unknown' })),
  });
  const rotation = {
    operationId: 'op-1',
    requestId: 'r-1',
    reason: 'routine',
    source: 'operator',
    startedAtMs: t0,
    steps: [],
  } as const;
  const steps: readonly [
    what: string,
    at: string,
    answer: ProviderAnswer | null,
    run: (bench: StepsBench) => Promise<unknown>,
  ][] = [
    ['verify, of a key that works', 'GET /whoami', null, (bench) => bench.run('verify', { hurry: false })],
    ['verify, of a key that is refused', listing, null, (bench) => bench.run('verify', { hurry: false })],
    ['takeBack', 'DELETE /tokens/new-1', null, (bench) => bench.run('takeBack')],
    ['takeBack, in vain', 'DELETE /tokens/new-1', outage, (bench) => bench.run('takeBack')],
    ['publish, with a listing', listing, null, (bench) => bench.run('publish', { verified: false, rotation })],
    ['publish, without one', listing, refusal, (bench) => bench.run('publish', { verified: false, rotation })],
  ];

  const meanwhile = [
    ['another operation is at work', takenOver],
    ['its operation goes on with another key', goneOn],
  ] as const;
  const cases = meanwhile.flatMap(([when, change]) =>
    steps
      .filter(([step]) => change === takenOver || !step.startsWith('publish'))
      .map(([step, ...rest]) => [step, when, change, ...rest] as const),
  );

  test.each(cases)('writes nothing any more: %s, when %s', async (what, _, change, at, answer, run) => {
    const bench = await openSteps();
    await bench.rotateUntil('rotate');
    if (what.startsWith('publish')) await bench.change(unknown);
    if (what === 'verify, of a key that is refused') bench.instead.set('GET /whoami', refusal);
    let woken = '';
    bench.before.set(at, async () => {
      bench.before.clear();
      await bench.change(change);
      woken = JSON.stringify((await bench.opened()).record);
    });
    if (answer) bench.instead.set(at, answer);
    await expect(run(bench)).rejects.toMatchObject({ type: 'KT-CONFLICT' });
    expect(woken).not.toBe('');
    expect(JSON.stringify((await bench.opened()).record)).toBe(woken);
  });

  test('counts no attempt to get a secret key for another key that goes without', async () => {
    const capability = { ...tiny.capability(settings), intents: ['create-secret'] as const };
    const bench = await openSteps({ capability: () => capability });
    const without = (version: number) => (record: CredentialRecord) => ({
      ...record,
      highestVersion: version,
      versions: record.versions.map((v) => ({ ...v, version, secretKey: 'lost' as const, verifiedAtMs: t0 })),
      capabilityLost: { sinceMs: t0, message: 'no secret key', deadlineMs: null, attempts: 0, retryAtMs: t0 },
    });
    await bench.change(without(1));
    bench.instead.set('POST /tokens', outage);
    bench.before.set('POST /tokens', () => bench.change(without(2)));
    await bench.run('completeKey');
    expect(creates(bench)).toBe(1);
    expect((await bench.opened()).record.capabilityLost).toMatchObject({ attempts: 0, retryAtMs: t0 });
    bench.before.clear();
    await bench.run('completeKey');
    expect((await bench.opened()).record.capabilityLost).toMatchObject({ attempts: 1 });
  });

  test('gives up no other key than the one that was refused', async () => {
    const bench = await openSteps();
    await bench.rotateUntil('rotate');
    await bench.change(goneOn);
    await bench.run('giveUpKey', { version: 2 });
    expect(pendingOf((await bench.opened()).record)?.version).toBe(3);
    await bench.run('giveUpKey', { version: 3 });
    expect((await bench.opened()).record).toMatchObject({ versions: [{}], debts: [{ version: 3 }] });
  });
});

test('a plan that was held up until another one had served its request leaves no request behind', async () => {
  const bench = await openSteps();
  await bench.rotateUntil('publish');
  const request = { requestId: 'r-1', reason: 'routine', source: 'operator' } as const;
  const late = bench.run('plan', { operationId: 'op-0', request, startedAtMs: t0, after: null });
  await expect(late).rejects.toMatchObject({ type: 'KT-CONFLICT' });
  expect((await bench.opened()).record.waiting).toEqual([]);
});

describe('an old key', () => {
  test('is not ended before its time, whoever asks', async () => {
    const bench = await openSteps();
    await bench.rotateUntil('publish');
    await bench.run('retire', { version: 1 });
    expect(ends(bench)).toEqual([]);
    bench.clock.nowMs += 60 * minute;
    await bench.run('retire', { version: 1 });
    expect(ends(bench)).toEqual(['DELETE /tokens/old']);
  });

  test('whose end fails is owed, and the next attempt is planned', async () => {
    const bench = await openSteps();
    await bench.rotateUntil('publish');
    bench.clock.nowMs += 60 * minute;
    bench.instead.set('DELETE /tokens/old', outage);
    await bench.run('retire', { version: 1 });
    const { retirement } = (await bench.opened()).record.versions[0] ?? {};
    expect(retirement).toMatchObject({ state: 'debt', attempts: 1 });
    expect(retirement?.nextAttemptAtMs).toBeGreaterThan(bench.clock.nowMs);
  });

  test('that is still listed after its end is not dead', async () => {
    const bench = await openSteps();
    await bench.rotateUntil('publish');
    bench.clock.nowMs += 60 * minute;
    bench.instead.set('DELETE /tokens/old', { status: 204, headers: {}, text: '' });
    await bench.run('retire', { version: 1 });
    expect((await bench.opened()).record).toMatchObject({ versions: [{ version: 1 }, { version: 2 }], destroyed: [] });
  });

  test('whose id names the current key, too, is left alone', async () => {
    const bench = await openSteps();
    await bench.rotateUntil('publish');
    await bench.change((record) => withVersion(record, 1, (v) => ({ ...v, keyId: 'new-1' })));
    bench.clock.nowMs += 60 * minute;
    await bench.run('retire', { version: 1 });
    expect(ends(bench)).toEqual([]);
    expect([...bench.tokens.keys()]).toContain('new-1');
  });

  test('that is held is restored at the provider before it is current again', async () => {
    const suspended = new Map<string, string>();
    const bench = await openSteps(
      {
        async retire(context, keyId, phase) {
          if (phase === 'destroy') return tiny.retire(context, keyId, phase);
          suspended.set(keyId, bench.tokens.get(keyId) ?? '');
          bench.tokens.delete(keyId);
          return 'done';
        },
        restore: async (_, keyId) => void bench.tokens.set(keyId, suspended.get(keyId) ?? ''),
      },
      { observe: '10m' },
    );
    await bench.rotateUntil('publish');
    bench.clock.nowMs += 60 * minute;
    await bench.run('retire', { version: 1 });
    expect([...bench.tokens.keys()]).toEqual(['new-1']);
    await bench.run('rollback', { operationId: 'rollback/r-2', requestId: 'r-2', toVersion: 1 });
    expect(currentOf((await bench.opened()).record)).toMatchObject({ version: 3, keyId: 'old' });
    expect([...bench.tokens.keys()]).toContain('old');
  });
});

test('a debt that names a living key is dropped without a call', async () => {
  const bench = await openSteps();
  await bench.change((record) => {
    const identity = currentOf(record)?.identity;
    if (!identity) throw new Error('there is no current key');
    return { ...record, debts: [newDebt('orphan', 'old', identity, bench.clock.nowMs)] };
  });
  await bench.run('settleDebt', { keyId: 'old' });
  expect(ends(bench)).toEqual([]);
  expect((await bench.opened()).record.debts).toEqual([]);
});

test('a key that is refused is not called with beyond the budget, however often a step is run', async () => {
  const bench = await openSteps({ capability: () => ({ ...tiny.capability(settings), strikeLimit: 10 }) });
  await bench.rotateUntil('rotate');
  bench.instead.set('GET /whoami', { status: 401, headers: {}, text: '{}' });
  for (let run = 0; run < 9; run++) await bench.run('verify', { hurry: false }).catch(() => undefined);
  const { limit } = (await bench.run('load')).view?.lockout ?? {};
  const calls = bench.requests.filter((asked) => asked === 'GET /whoami').length;
  expect(limit).toBe(4);
  expect(calls).toBeGreaterThan(0);
  expect(calls).toBeLessThanOrEqual(4);
});

test.each([
  ['of another installation', { installationId: '00000000-0000-4000-8000-000000000000' }, 'KT-STORE-FOREIGN'],
  ['of an older state than the workflow has seen', { seq: 1_000 }, 'KT-STORE-BEHIND'],
] as const)('with a store %s nothing is done', async (_, believed, code) => {
  const bench = await openSteps();
  await bench.rotateUntil('plan');
  await expect(bench.run('rotate', believed)).rejects.toMatchObject({ type: code });
  expect(creates(bench)).toBe(0);
});

test('makeApiRequest reads anywhere below the base URL, and writes only where keyturn.yaml allows it', async () => {
  const bench = await openSteps();
  expect(await bench.run('makeApiRequest', { method: 'GET', path: '/whoami' })).toMatchObject({ status: 200 });
  const written = bench.run('makeApiRequest', { method: 'POST', path: '/tokens' });
  await expect(written).rejects.toMatchObject({ type: 'KT-INPUT' });
  expect(creates(bench)).toBe(0);
});

test('with a key of another account than keyturn.yaml names nothing is sent and nothing is begun', async () => {
  const bench = await openSteps();
  await bench.change((record) =>
    withVersion(record, 1, (v) => ({ ...v, identity: { ...v.identity, baseUrl: 'https://other.example' } })),
  );
  const call = bench.run('makeApiRequest', { method: 'GET', path: '/whoami' });
  await expect(call).rejects.toMatchObject({ type: 'KT-REPOINTED' });
  await expect(bench.rotateUntil('plan')).rejects.toMatchObject({ type: 'KT-REPOINTED' });
  expect(bench.requests).toEqual([]);
  expect((await bench.opened()).record.operation).toBeNull();
});
