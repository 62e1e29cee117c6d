/** The end of the old key: what a lost, wrong or late answer to its deletion means. */
import { expect, it, vi } from 'vitest';
import type { Fault } from '../../src/simulators/mambu/index.js';
import { installation } from '../support/installation.js';
import { expectInvariants, isAlive, requestsTo, writesOf } from '../support/invariants.js';

const strategies = ['create-and-delete', 'rotation'] as const;
const remove = { method: 'DELETE', route: '/consumers/{id}/apikeys/{keyId}' } as const;
const absent = JSON.stringify({ errors: [{ errorCode: 3, errorReason: 'INVALID_API_KEY_ID' }] });
const short = { simulator: { tenant: { graceMs: 8_000 } }, mambu: { tenantGrace: '8s' } };

it.concurrent.for(strategies)(
  '%s: a deletion whose answer was lost is not counted before it is proven',
  async (strategy, { onTestFinished }) => {
    const i = await installation({ onTestFinished, strategy, ...(strategy === 'rotation' ? short : {}) });
    i.simulator.faults.add({ match: remove, action: 'drop-after-commit' });
    await i.worker();
    await i.request('r-1');
    const owing = await i.until('the deletion is owed', (s) => s.debts.length > 0);
    expect(owing.debts).toMatchObject([{ kind: 'revoke', version: 1, lastError: { code: 'KT-OUTCOME-UNKNOWN' } }]);
    expect(owing.lastRotation?.outcome).toBe('rotated');
    const state = await i.until('the old key is proven dead', (s) => s.previous.length === 0);
    expect(state).toMatchObject({ debts: [], attention: [] });
    expect(writesOf(i)['delete-key']).toBe(1);
    await expectInvariants(i);
  },
);

const lies: readonly [string, Fault][] = [
  ['a gateway says 404', { match: remove, action: 'status', status: 404 }],
  ['a gateway says 200 and nothing happened', { match: remove, action: 'status', status: 200 }],
  ['the tenant says that there is no such key', { match: remove, action: 'status', status: 404, body: absent }],
];

it.concurrent.for(lies)('an old key that is still listed is not dead: %s', async ([, fault], { onTestFinished }) => {
  const i = await installation({ onTestFinished });
  i.simulator.faults.add(fault);
  await i.worker();
  await i.request('r-1');
  const owing = await i.until('the deletion is owed', (s) => s.debts.length > 0);
  expect(owing.debts).toMatchObject([{ kind: 'revoke', version: 1 }]);
  await i.until('the old key is proven dead', (s) => s.previous.length === 0);
  const oracle = i.simulator.oracle();
  expect(oracle.keys.filter((k) => isAlive(oracle, k)).map((k) => k.id)).toEqual([(await i.state()).current?.keyId]);
  await expectInvariants(i);
});

it.concurrent('a key that somebody else deleted is done, and costs one call', async ({ onTestFinished }) => {
  const i = await installation({ onTestFinished });
  await i.worker();
  await i.request('r-1');
  await i.until('version 2', (s) => s.current?.version === 2);
  i.simulator.deleteKey(i.simulator.seeded[0]?.keyId ?? '');
  const state = await i.until('the old key is gone', (s) => s.previous.length === 0);
  expect(state).toMatchObject({ debts: [], attention: [] });
  expect(requestsTo(i, remove.method, remove.route)).toHaveLength(1);
  await expectInvariants(i, { refreshWithinMs: 0 });
});

it.concurrent(
  'rotation: a lost rotation that arrives after its recovery does nothing any more',
  async ({ onTestFinished }) => {
    const i = await installation({ onTestFinished, strategy: 'rotation', timing: { httpTimeout: '1s' } });
    i.simulator.faults.add({ match: { method: 'POST', route: '/apikey/rotation' }, action: 'delay', ms: 5_000 });
    await i.worker();
    await i.request('r-1');
    await i.until('version 2', (s) => s.current?.version === 2 && s.current.secretKey === 'ok');
    await vi.waitFor(() => expect(requestsTo(i, 'POST', '/apikey/rotation')[0]?.decided).toBe(401), 10_000);
    expect(writesOf(i)).toEqual({ 'create-key': 1, 'create-secret': 1 });
    await i.request('r-2');
    await i.until(
      'the next rotation',
      (s) => s.lastRotation?.requestId === 'r-2' && s.lastRotation.outcome === 'rotated',
    );
    await expectInvariants(i, { strikes: 1 });
  },
);
