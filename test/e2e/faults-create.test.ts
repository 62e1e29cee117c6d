import { expect, it } from 'vitest';
import type { Fault } from '../../src/simulators/mambu/index.js';
import { installation, type Installation } from '../support/installation.js';
import { expectInvariants, requestsTo, writesOf } from '../support/invariants.js';
import { sample } from '../support/sample.js';

const create = { method: 'POST', route: '/consumers/{id}/apikeys' } as const;
const SIX_HOURS_MS = 6 * 3_600_000;

async function settled(i: Installation, version = 2): Promise<void> {
  await i.until(`version ${version} is current`, (s) => s.current?.version === version && s.rotation === null);
  await i.until('the old key is gone and nothing is owed', (s) => s.previous.length === 0 && s.debts.length === 0);
}

const lostAnswers: readonly [string, Fault][] = [
  ['the connection drops', { match: create, action: 'drop-after-commit' }],
  ['half of the body comes', { match: create, action: 'truncate' }],
  ['the body is garbage', { match: create, action: 'garbage' }],
  ['a gateway answers 502', { match: create, action: 'status', status: 502, commit: true }],
  ['a gateway answers HTML with 200', { match: create, action: 'status', status: 200, commit: true }],
  ['a gateway redirects', { match: create, action: 'redirect', status: 302, commit: true }],
  ['it comes after the time-out', { match: create, action: 'delay', ms: 2_500, when: 'after' }],
  ['the request arrives after the time-out', { match: create, action: 'delay', ms: 1_500 }],
];

it.concurrent.for(sample(lostAnswers, 3))(
  'gets the one key that was made when its answer is lost: %s',
  async ([, fault], { onTestFinished }) => {
    const i = await installation({ onTestFinished, timing: { httpTimeout: '1s' } });
    i.simulator.faults.add(fault);
    await i.worker();
    await i.request('r-1');
    await settled(i);
    expect(writesOf(i)).toEqual({ 'create-key': 1, 'delete-key': 1 });
    expect(new Set(requestsTo(i, 'POST', create.route).map((r) => r.idempotencyKey)).size).toBe(1);
    expect((await i.state()).lastRotation?.outcome).toBe('rotated');
    await expectInvariants(i);
  },
);

it.concurrent(
  'asks again with the same idempotency key while the tenant says 409, and makes one key',
  async ({ onTestFinished }) => {
    const i = await installation({
      onTestFinished,
      timing: { httpTimeout: '1s' },
      simulator: { tenant: { idempotencyInProgress: '409' } },
    });
    i.simulator.faults.add({ match: create, action: 'delay', ms: 2_000, when: 'after' });
    await i.worker();
    await i.request('r-1');
    await settled(i);
    expect(writesOf(i)).toEqual({ 'create-key': 1, 'delete-key': 1 });
    expect(requestsTo(i, 'POST', create.route).map((r) => r.decided)).toContain(409);
    await expectInvariants(i);
  },
);

it.concurrent(
  'makes another key when the replay shows no key, and deletes the lost one',
  async ({ onTestFinished }) => {
    const i = await installation({ onTestFinished, simulator: { tenant: { idempotencyReplaysSecrets: false } } });
    i.simulator.faults.add({ match: create, action: 'drop-after-commit' });
    await i.worker();
    await i.request('r-1');
    await settled(i);
    expect(writesOf(i)).toEqual({ 'create-key': 2, 'delete-key': 2 });
    await expectInvariants(i);
  },
);

it.concurrent(
  'makes another key when the replay window is over, and deletes the lost one',
  async ({ onTestFinished }) => {
    const i = await installation({ onTestFinished });
    i.simulator.faults.add({ match: create, action: 'drop-after-commit' });
    i.simulator.faults.add({ match: { ...create, nth: 2, times: 'always' }, action: 'fail-before', reset: true });
    const first = await i.worker();
    await i.request('r-1');
    await i.until('it recovers', (s) => s.rotation?.recovering === true);
    await first.stop();
    await i.vault.custody.update(i.credentialId, ({ record, shelf }) => {
      const intents = record.intents.map((one) => ({ ...one, createdAtMs: one.createdAtMs - SIX_HOURS_MS }));
      return { next: { record: { ...record, intents }, shelf }, value: null };
    });
    i.simulator.clock.advance(SIX_HOURS_MS);
    i.simulator.faults.clear();
    await i.worker();
    await settled(i);
    expect(writesOf(i)).toEqual({ 'create-key': 2, 'delete-key': 2 });
    await expectInvariants(i);
  },
);

it.concurrent(
  'stops making keys when every answer is lost for good, and names what may be left',
  async ({ onTestFinished }) => {
    const i = await installation({ onTestFinished, simulator: { tenant: { idempotencyReplaysSecrets: false } } });
    i.simulator.faults.add({ match: { ...create, times: 'always' }, action: 'garbage' });
    await i.worker();
    await i.request('r-1');
    const ended = await i.until('the rotation has ended', (s) => s.lastRotation !== null && s.rotation === null);
    expect(ended).toMatchObject({ status: 'needs-operator', current: { version: 1 } });
    expect(ended.lastRotation).toMatchObject({ outcome: 'failed', error: { code: 'KT-OUTCOME-UNKNOWN' } });
    const made = writesOf(i)['create-key'] ?? 0;
    expect(made).toBeLessThanOrEqual(3);
    expect(ended.debts.filter((d) => d.kind === 'suspected-orphan')).toHaveLength(made);
    await expectInvariants(i);
  },
);

it.concurrent('leaves a key alone that somebody else made meanwhile, and reports both', async ({ onTestFinished }) => {
  const i = await installation({ onTestFinished, simulator: { tenant: { idempotencyReplaysSecrets: false } } });
  i.simulator.faults.add({ match: create, action: 'drop-after-commit' });
  i.simulator.faults.add({ match: { ...create, nth: 2 }, action: 'delay', ms: 1_000 });
  await i.worker();
  await i.request('r-1');
  await i.until('it recovers', (s) => s.rotation?.recovering === true);
  const seeded = i.simulator.seeded[0];
  const foreign = i.simulator.createKey(seeded?.consumerId ?? '');
  const state = await i.until('version 2 is current', (s) => s.current?.version === 2);
  expect(state.debts.map((d) => d.kind)).toEqual(['suspected-orphan', 'suspected-orphan']);
  expect(state.debts.map((d) => d.keyId)).toContain(foreign.keyId);
  expect(state.status).toBe('needs-operator');
  await expectInvariants(i);
});
