/** The new key exists, and does not work, or not yet, or is not the one that the answer named. */
import { expect, it, vi } from 'vitest';
import { installation } from '../support/installation.js';
import { expectInvariants, isAlive, writesOf } from '../support/invariants.js';
import { sample } from '../support/sample.js';

const strategies = ['create-and-delete', 'rotation'] as const;
const list = { method: 'GET', route: '/consumers/{id}/keys' } as const;
const making = { 'create-and-delete': '/consumers/{id}/apikeys', rotation: '/apikey/rotation' } as const;
const NEVER_MS = 3_600_000;

it.concurrent.for(strategies)(
  '%s: one refusal is no verdict, the second try finds that the key works',
  async (strategy, { onTestFinished }) => {
    const tenant = { freshKeyRefusedMs: 4_000 };
    const i = await installation({
      onTestFinished,
      strategy,
      simulator: { tenant },
      timing: { verifyAgainAfter: '5s' },
    });
    await i.worker();
    await i.request('r-1');
    const state = await i.until('version 2', (s) => s.current?.version === 2);
    expect(state.current).toMatchObject({ verified: true });
    expect(state.lastRotation?.outcome).toBe('rotated');
    expect(state.lockout).toMatchObject({ used: 1, reserved: 0 });
    await expectInvariants(i, { strikes: 1 });
  },
);

it.concurrent('takes a refused key back, keeps the old one and plans the next attempt', async ({ onTestFinished }) => {
  const i = await installation({ onTestFinished, simulator: { tenant: { freshKeyRefusedMs: NEVER_MS } } });
  await i.worker();
  await i.request('r-1');
  const state = await i.until('rolled back', (s) => s.lastRotation !== null);
  expect(state).toMatchObject({ current: { version: 1 }, previous: [], debts: [] });
  expect(state.lastRotation).toMatchObject({ outcome: 'rolled-back', error: { code: 'KT-NEW-KEY-REFUSED' } });
  expect(Date.parse(state.nextRotationAt ?? '')).toBeGreaterThan(Date.now());
  expect(writesOf(i)).toEqual({ 'create-key': 1, 'delete-key': 1 });
  await expectInvariants(i, { strikes: 2 });
});

it.concurrent(
  'rotation: publishes a listed key unverified at the last safe instant, when the old one would die before the next check',
  async ({ onTestFinished }) => {
    const graceMs = 12_000;
    const i = await installation({
      onTestFinished,
      strategy: 'rotation',
      simulator: { tenant: { graceMs, freshKeyRefusedMs: 6_000 } },
      mambu: { tenantGrace: '12s' },
      policy: { refreshWithin: '3s' },
      timing: { verifyAgainAfter: '20s' },
    });
    await i.worker();
    await i.request('r-1');
    const state = await i.until('version 2', (s) => s.current?.version === 2);
    expect(state).toMatchObject({ status: 'needs-operator', current: { verified: false, secretKey: 'ok' } });
    expect(state.attention.map((a) => a.code)).toContain('KT-UNVERIFIED');
    const rotatedAt = i.simulator.oracle().keys[0]?.rotatedAt ?? 0;
    const publishedAt = Date.parse(state.current?.publishedAt ?? '');
    expect(publishedAt).toBeGreaterThan(rotatedAt + graceMs - 3_000 - 2_500);
    await expectInvariants(i, { strikes: 1, refreshWithinMs: 0 });
    await i.request('r-2');
    const mended = await i.until('the next rotation', (s) => s.current?.version === 3);
    expect(mended.lastRotation?.requestId).toBe('r-2');
  },
);

it.concurrent('rotation: replaces a key that is refused twice while the old one lives', async ({ onTestFinished }) => {
  const i = await installation({
    onTestFinished,
    strategy: 'rotation',
    simulator: { tenant: { freshKeyRefusedMs: NEVER_MS } },
  });
  await i.worker();
  await i.request('r-1');
  await vi.waitFor(() => expect(writesOf(i).rotate).toBe(1), 10_000);
  i.simulator.rules.freshKeyRefusedMs = 0;
  const state = await i.until('version 3', (s) => s.current?.version === 3);
  expect(state.current).toMatchObject({ verified: true, secretKey: 'ok' });
  expect(writesOf(i)).toMatchObject({ rotate: 1, 'create-key': 1, 'create-secret': 1 });
  await i.until('the refused key is gone', (s) => s.debts.length === 0);
  await i.request('r-2');
  await i.until(
    'the next rotation',
    (s) => s.lastRotation?.requestId === 'r-2' && s.lastRotation.outcome === 'rotated',
  );
  await expectInvariants(i, { strikes: 2 });
});

it.concurrent.for(strategies)(
  '%s: an answer about a key that does not exist leaves no orphan',
  async (strategy, { onTestFinished }) => {
    const i = await installation({ onTestFinished, strategy });
    const match = { method: 'POST', route: making[strategy] };
    i.simulator.faults.add({ match, action: 'answer-for-another', fields: ['id', 'apiKey', 'secretKey'] });
    await i.worker();
    await i.request('r-1');
    const state = await i.until('the rotation has ended', (s) => s.lastRotation !== null && s.rotation === null);
    if (strategy === 'rotation') expect(state.current).toMatchObject({ verified: true, secretKey: 'ok' });
    else expect(state).toMatchObject({ current: { version: 1 }, lastRotation: { outcome: 'rolled-back' } });
    await i.until('nothing is owed', (s) => s.debts.length === 0);
    await expectInvariants(i, { strikes: 2 });
  },
);

it.concurrent.for(strategies)(
  '%s: an answer with a wrong id is put right by the listing',
  async (strategy, { onTestFinished }) => {
    const i = await installation({ onTestFinished, strategy });
    const match = { method: 'POST', route: making[strategy] };
    i.simulator.faults.add({ match, action: 'answer-for-another', fields: ['id'] });
    await i.worker();
    await i.request('r-1');
    const state = await i.until('version 2', (s) => s.current?.version === 2);
    expect(i.simulator.oracle().keys.map((k) => k.id)).toContain(state.current?.keyId);
    await expectInvariants(i);
  },
);

it.concurrent.for(strategies)(
  '%s: an answer with a wrong value leaves no orphan',
  async (strategy, { onTestFinished }) => {
    const i = await installation({ onTestFinished, strategy });
    const match = { method: 'POST', route: making[strategy] };
    i.simulator.faults.add({ match, action: 'answer-for-another', fields: ['apiKey'] });
    await i.worker();
    await i.request('r-1');
    const state = await i.until('the rotation has ended', (s) => s.lastRotation !== null && s.rotation === null);
    expect(state.current).toMatchObject({ version: strategy === 'rotation' ? 3 : 1, verified: true });
    await i.until('nothing is owed', (s) => s.debts.length === 0);
    await expectInvariants(i, { strikes: 2 });
  },
);

it.concurrent.for(strategies)(
  '%s: an answer with the key of another consumer is never published, and that key is left alone',
  async (strategy, { onTestFinished }) => {
    const simulator = { seed: [{ id: 'rotator' }, { id: 'other' }] };
    const i = await installation({ onTestFinished, strategy, simulator });
    const other = i.simulator.seeded[1];
    const body = JSON.stringify({ id: other?.keyId, apiKey: other?.apiKey, secretKey: other?.secretKey });
    i.simulator.faults.add({ match: { method: 'POST', route: making[strategy] }, action: 'garbage', body });
    await i.worker();
    await i.request('r-1');
    const state = await i.until('the rotation has ended', (s) => s.lastRotation !== null && s.rotation === null);
    expect(state.current?.keyId).not.toBe(other?.keyId);
    expect(state.current?.version).toBe(strategy === 'rotation' ? 3 : 1);
    if (strategy === 'create-and-delete') expect(state.lastRotation?.error?.code).toBe('KT-SCOPE-DIFFERS');
    await i.until('nothing is owed', (s) => s.debts.length === 0);
    const oracle = i.simulator.oracle();
    const spared = oracle.keys.find((k) => k.id === other?.keyId);
    expect(spared && isAlive(oracle, spared)).toBe(true);
    const ours = oracle.keys.filter((k) => k.consumerId === 'rotator' && isAlive(oracle, k)).map((k) => k.id);
    expect(new Set(ours)).toEqual(new Set([state.current?.keyId, ...state.previous.map((p) => p.keyId)]));
  },
);

it.concurrent.for(sample(strategies, 1))(
  '%s: waits with the proof until the tenant answers again',
  async (strategy, { onTestFinished }) => {
    const i = await installation({ onTestFinished, strategy });
    i.simulator.faults.add({ match: { ...list, nth: 3, times: 4 }, action: 'fail-before' });
    await i.worker();
    await i.request('r-1');
    const parked = await i.until('it waits', (s) => s.rotation?.parked === true);
    expect(parked.rotation).toMatchObject({ step: 'verify', lastError: { code: 'KT-PROVIDER-ERROR' } });
    expect(parked.current?.version).toBe(1);
    const state = await i.until('version 2', (s) => s.current?.version === 2);
    expect(state.current?.verified).toBe(true);
    await expectInvariants(i);
  },
);
