/** Strategy `rotation`: what becomes of POST /apikey/rotation, which nobody may send twice, when its answer is lost. */
import { expect, it, vi } from 'vitest';
import type { Fault } from '../../src/simulators/mambu/index.js';
import { installation, type Installation, type InstallationOptions } from '../support/installation.js';
import { expectInvariants, isAlive, requestsTo, writesOf } from '../support/invariants.js';
import { sample } from '../support/sample.js';

const rotate = { method: 'POST', route: '/apikey/rotation' } as const;
const createKey = { method: 'POST', route: '/consumers/{id}/apikeys' } as const;
const createSecret = { method: 'POST', route: '/consumers/{id}/secretkeys' } as const;
const dropped: Fault = { match: rotate, action: 'drop-after-commit' };

type Options = Pick<InstallationOptions, 'onTestFinished' | 'simulator' | 'mambu' | 'timing' | 'policy'>;
/** No read may be given up because this machine is busy: what is counted here are calls. */
const rotating = ({ timing, ...options }: Options): Promise<Installation> =>
  installation({ ...options, strategy: 'rotation', timing: { httpTimeout: '10s', ...timing } });

async function recovered(i: Installation, version = 2): Promise<void> {
  const state = await i.until(`version ${version}`, (s) => s.current?.version === version && s.rotation === null);
  expect(state.current).toMatchObject({ verified: true, secretKey: 'ok' });
  expect(state.lastRotation?.outcome).toMatch(/^rotated/);
  await i.until('nothing is owed', (s) => s.debts.length === 0);
}

/** The proof that nothing was lost: the secret key that is in the store rotates. */
async function expectNextRotationWorks(i: Installation): Promise<void> {
  const before = writesOf(i).rotate ?? 0;
  await i.request('r-next');
  await i.until('the next rotation', (s) => s.lastRotation?.requestId === 'r-next');
  expect((await i.state()).lastRotation?.outcome).toBe('rotated');
  expect(writesOf(i).rotate).toBe(before + 1);
}

const listing = { method: 'GET', route: '/consumers/{id}/keys' } as const;
/** Of a recovery: plan, rotation, creation, what the lost answer has left, verification, and that once more before publish. */
const afterCreation = 4;
const atVerification = 5;
const atPublish = 6;

const answers = [
  [401, 'INVALID_CREDENTIALS'],
  [400, 'INVALID_PARAMETERS'],
  [503, 'none'],
] as const;
const answered = (nth: number, [status, errorReason]: (typeof answers)[number]): Fault => ({
  match: { ...listing, nth },
  action: 'fail-before',
  status,
  body: JSON.stringify({ errors: [{ errorCode: 0, errorReason }] }),
});

it.concurrent.for(sample(answers, 1))(
  'goes on with a sealed key when the old one cannot list any more, and finds the lost one with the new: %i',
  async (answer, { onTestFinished }) => {
    const i = await rotating({ onTestFinished });
    i.simulator.faults.add(dropped);
    i.simulator.faults.add(answered(afterCreation, answer));
    await i.worker();
    await i.request('r-1');
    await recovered(i);
    await expectNextRotationWorks(i);
    await expectInvariants(i);
  },
);

it.concurrent.for(sample(answers, 1))(
  'publishes a proven key while the old one lives, whatever the listing before says: %i',
  async (answer, { onTestFinished }) => {
    const i = await rotating({ onTestFinished });
    i.simulator.faults.add(dropped);
    i.simulator.faults.add(answered(atPublish, answer));
    await i.worker();
    await i.request('r-1');
    const state = await i.until('it ends', (s) => s.lastRotation?.requestId === 'r-1' && s.rotation === null);
    expect(state.current).toMatchObject({ version: 2, verified: true, secretKey: 'ok' });
    expect(state.lastRotation?.outcome).toBe('rotated-with-debt');
    expect(state.debts).toContainEqual(expect.objectContaining({ kind: 'suspected-orphan', keyId: 'unlisted' }));
    expect(state.attention.map(({ code }) => code)).toContain('KT-SUSPECTED-ORPHAN');
    await expectInvariants(i);
  },
);

it.concurrent('looks again where nobody can explain what the new key is answered', async ({ onTestFinished }) => {
  const i = await rotating({ onTestFinished });
  i.simulator.faults.add(dropped);
  i.simulator.faults.add({ match: { ...listing, nth: atVerification }, action: 'fail-before', status: 400 });
  await i.worker();
  await i.request('r-1');
  await recovered(i);
  await expectNextRotationWorks(i);
  await expectInvariants(i);
});

const lostAnswers: readonly [string, Fault][] = [
  ['the connection drops', dropped],
  ['half of the body comes', { match: rotate, action: 'truncate' }],
  ['the body is garbage', { match: rotate, action: 'garbage' }],
  ['a gateway answers HTML with 200', { match: rotate, action: 'status', status: 200, commit: true }],
  ['it comes after the time-out', { match: rotate, action: 'delay', ms: 2_000, when: 'after' }],
  ['a gateway answers 503', { match: rotate, action: 'status', status: 503, commit: true }],
];
const tenants = [
  ['changes', false],
  ['keeps', true],
] as const;
const lost = lostAnswers.flatMap(([how, fault]) => tenants.map(([does, keeps]) => [how, does, keeps, fault] as const));

it.concurrent.for(sample(lost, 2))(
  'never rotates again, but makes a key and a secret key with the old one: %s, the tenant %s the id',
  async ([, , rotationKeepsId, fault], { onTestFinished }) => {
    const i = await rotating({
      onTestFinished,
      simulator: { tenant: { rotationKeepsId } },
      timing: { httpTimeout: '1s' },
    });
    i.simulator.faults.add(fault);
    await i.worker();
    await i.request('r-1');
    await recovered(i);
    expect(writesOf(i)).toMatchObject({ rotate: 1, 'create-key': 1, 'create-secret': 1 });
    await expectNextRotationWorks(i);
    await expectInvariants(i);
  },
);

it.concurrent.for(tenants)(
  'removes the old id only after the provider’s grace, when it may name the lost key: the tenant %s the id',
  async ([, rotationKeepsId], { onTestFinished }) => {
    const graceMs = 25_000;
    const i = await rotating({
      onTestFinished,
      simulator: { tenant: { rotationKeepsId, graceMs } },
      mambu: { tenantGrace: '25s' },
      timing: { httpTimeout: '5s' },
    });
    i.simulator.faults.add(dropped);
    await i.worker();
    await i.request('r-1');
    await recovered(i);
    const sentAt = requestsTo(i, 'POST', rotate.route)[0]?.realAt ?? 0;
    await i.until('the old key is gone', (s) => s.previous.length === 0);
    const oldId = i.simulator.seeded[0]?.keyId ?? '';
    const deletions = i.simulator.oracle().requests.filter((r) => r.method === 'DELETE' && r.path.endsWith(oldId));
    for (const { realAt } of deletions) expect(realAt).toBeGreaterThanOrEqual(sentAt + graceMs);
    const oracle = i.simulator.oracle();
    expect(oracle.keys.filter((k) => isAlive(oracle, k)).map((k) => k.id)).toEqual([(await i.state()).current?.keyId]);
    await expectInvariants(i);
  },
);

const whileRecovering: readonly [string, readonly Fault[]][] = [
  ['the new key', [{ match: createKey, action: 'drop-after-commit' }]],
  ['the new secret key', [{ match: createSecret, action: 'drop-after-commit' }]],
  [
    'both, twice',
    [
      { match: { ...createKey, times: 2 }, action: 'truncate' },
      { match: { ...createSecret, times: 2 }, action: 'garbage' },
    ],
  ],
];

it.concurrent.for(sample(whileRecovering, 1))(
  'loses answers while it recovers a lost rotation, and asks again with the same idempotency key: %s',
  async ([, faults], { onTestFinished }) => {
    const i = await rotating({ onTestFinished });
    for (const fault of [dropped, ...faults]) i.simulator.faults.add(fault);
    await i.worker();
    await i.request('r-1');
    await recovered(i);
    expect(writesOf(i)).toMatchObject({ rotate: 1, 'create-key': 1, 'create-secret': 1 });
    await expectNextRotationWorks(i);
    await expectInvariants(i);
  },
);

it.concurrent(
  'recovers a lost rotation at a tenant that knows new keys only after a while',
  async ({ onTestFinished }) => {
    const i = await rotating({
      onTestFinished,
      simulator: { tenant: { freshKeyRefusedMs: 4_000 } },
      timing: { verifyAgainAfter: '5s' },
    });
    i.simulator.faults.add(dropped);
    await i.worker();
    await i.request('r-1');
    await recovered(i);
    i.simulator.rules.freshKeyRefusedMs = 0;
    await expectNextRotationWorks(i);
    await expectInvariants(i, { strikes: 1 });
  },
);

it.concurrent('waits for the end of maintenance while it recovers', async ({ onTestFinished }) => {
  const i = await rotating({ onTestFinished });
  i.simulator.faults.add(dropped);
  i.simulator.faults.add({ match: rotate, action: 'delay', ms: 1_000, when: 'after' });
  await i.worker();
  await i.request('r-1');
  await vi.waitFor(() => expect(writesOf(i).rotate).toBe(1), 60_000);
  i.simulator.rules.maintenance = true;
  const parked = await i.until('it waits', (s) => s.rotation?.parked === true);
  expect(parked.rotation).toMatchObject({ recovering: true, lastError: { code: 'KT-PROVIDER-MAINTENANCE' } });
  i.simulator.rules.maintenance = false;
  await recovered(i);
  await expectInvariants(i);
});

const withoutCreate = ['VIEW_API_CONSUMERS_AND_KEYS', 'DELETE_API_CONSUMERS_AND_KEYS'];

it.concurrent.for(sample(tenants, 1))(
  'rotates once more with the old secret key where keys may not be made: the tenant %s the id',
  async ([, rotationKeepsId], { onTestFinished }) => {
    const simulator = { seed: [{ id: 'rotator', permissions: withoutCreate }], tenant: { rotationKeepsId } };
    const i = await rotating({ onTestFinished, simulator });
    i.simulator.faults.add(dropped);
    await i.worker();
    await i.request('r-1');
    await recovered(i);
    expect(writesOf(i)).toMatchObject({ rotate: 2 });
    await expectNextRotationWorks(i);
    await expectInvariants(i);
  },
);

/** Between a lost rotation and the last safe instant to publish there is time for a key, and none for its secret key. */
const shortGrace = (onTestFinished: Options['onTestFinished']): Options => ({
  ...(onTestFinished ? { onTestFinished } : {}),
  simulator: { tenant: { graceMs: 30_000 } },
  mambu: { tenantGrace: '30s' },
  timing: { sendWithin: '10s', httpTimeout: '5s' },
  policy: { refreshWithin: '15s', grace: '0s' },
});

it.concurrent(
  'publishes in time where the grace is short, and has the new key ask for its secret key afterwards',
  async ({ onTestFinished }) => {
    const i = await rotating(shortGrace(onTestFinished));
    i.simulator.faults.add(dropped);
    i.simulator.faults.add({ match: createSecret, action: 'drop-after-commit' });
    await i.worker();
    await i.request('r-1');
    const published = await i.until('it is published', (s) => s.current?.version === 2);
    expect(published.current?.verified).toBe(true);
    expect(
      requestsTo(i, 'POST', createSecret.route).filter(
        (r) => r.realAt < Date.parse(published.current?.publishedAt ?? ''),
      ),
    ).toEqual([]);
    const complete = await i.until('it has its secret key', (s) => s.current?.secretKey === 'ok');
    expect(complete.attention.map((a) => a.code)).not.toContain('KT-CAPABILITY-LOST');
    expect(writesOf(i)).toMatchObject({ rotate: 1, 'create-key': 1, 'create-secret': 1 });
    await expectNextRotationWorks(i);
    await expectInvariants(i);
  },
);

it.concurrent('a secret key that nobody may make is given up loudly', async ({ onTestFinished }) => {
  const i = await rotating(shortGrace(onTestFinished));
  i.simulator.faults.add(dropped);
  i.simulator.faults.add({
    match: { ...createSecret, times: 'always' },
    action: 'fail-before',
    status: 403,
    body: JSON.stringify({ errors: [{ errorCode: 15, errorReason: 'INVALID_PERMISSIONS' }] }),
  });
  await i.worker();
  await i.request('r-1');
  const lost = await i.until('it says so', (s) => s.attention.some((a) => a.code === 'KT-CAPABILITY-LOST'));
  expect(lost).toMatchObject({ status: 'needs-operator', current: { version: 2, secretKey: 'lost' } });
  expect(requestsTo(i, 'POST', createSecret.route)).toHaveLength(1);
});

it.concurrent('says until when the old key lives where nothing more is permitted', async ({ onTestFinished }) => {
  const simulator = { seed: [{ id: 'rotator', permissions: withoutCreate }], tenant: { secretLifeAfterUseMs: 0 } };
  const i = await rotating({ onTestFinished, simulator });
  i.simulator.faults.add(dropped);
  await i.worker();
  await i.request('r-1');
  const ended = await i.until('it asks for an operator', (s) => s.lastRotation?.outcome === 'needs-operator');
  expect(ended.status).toBe('needs-operator');
  const lostNow = ended.attention.find((a) => a.code === 'KT-CAPABILITY-LOST');
  const oracle = i.simulator.oracle();
  const diesAt = oracle.keys[0]?.diesAt ?? 0;
  const deadline = Date.parse(lostNow?.deadline ?? '');
  expect(deadline).toBeLessThanOrEqual(diesAt);
  expect(deadline).toBeGreaterThan(diesAt - 1_000);
  expect(lostNow?.command).toBe(`keyturn import ${i.credentialId} --replace`);
  await i.until('the lost key is gone', (s) => s.debts.length === 0);
  await i.request('r-2');
  await i.until('the next one ends without a call', (s) => s.lastRotation?.requestId === 'r-2');
  await expectInvariants(i, { strikes: 1 });
});
