/** A key has leaked: what dies when, and that nothing stands in the way. */
import { expect, it } from 'vitest';
import { acceptedIds, asked, eventually, keysMade, rotated } from '../support/around.js';
import { installation, type Installation } from '../support/installation.js';

const longGrace = { grace: '1h' } as const;
const leak = { reason: 'compromise' } as const;
const deletes = { method: 'DELETE', route: '/consumers/{id}/apikeys/{keyId}' } as const;
const lists = { method: 'GET', route: '/consumers/{id}/keys' } as const;

const keyOf = (i: Installation, keyId: string | undefined) => i.simulator.oracle().keys.find((k) => k.id === keyId);
const ms = (at: string | null | undefined): number => Date.parse(at ?? '');

it.concurrent.for(['create-and-delete', 'rotation'] as const)(
  '%s: all that was alive leaked, is replaced and dead when the outcome is told',
  async (strategy, { onTestFinished }) => {
    const i = await installation({ onTestFinished, strategy, policy: longGrace });
    await i.worker();
    const before = await rotated(i, 2);
    const result = await asked(i, 'leak', leak);
    const after = await i.state();
    expect(result).toMatchObject({ outcome: 'rotated', version: 3, keyId: after.current?.keyId });
    expect(after).toMatchObject({ status: 'idle', previous: [], debts: [], attention: [], rotation: null });
    expect(after.lastRotation).toMatchObject({ requestId: 'leak', reason: 'compromise', outcome: 'rotated' });
    expect(acceptedIds(i)).toEqual([after.current?.keyId]);
    expect(keyOf(i, before.current?.keyId)?.deletedAt).toBeGreaterThanOrEqual(ms(after.current?.publishedAt));
    expect(i.simulator.oracle().strikes.total).toBe(0);
  },
);

it.concurrent(
  'a delete that fails is part of the outcome, and is paid later without rewriting it',
  async ({ onTestFinished }) => {
    const i = await installation({ onTestFinished, policy: longGrace });
    await i.worker();
    i.simulator.faults.add({ match: deletes, action: 'fail-before' });
    const result = await asked(i, 'leak', leak);
    expect(result).toMatchObject({ outcome: 'rotated-with-debt', version: 2 });
    const owing = await i.state();
    expect(owing.lastRotation).toMatchObject({ requestId: 'leak', outcome: 'rotated-with-debt' });
    expect(owing.debts).toMatchObject([{ kind: 'revoke', version: 1, attempts: 1 }]);
    expect(owing.attention.map((a) => a.code)).toEqual(['KT-DEBT']);
    const paid = await i.until('the debt is paid', (s) => s.debts.length === 0 && s.previous.length === 0);
    expect(paid.lastRotation).toMatchObject({ requestId: 'leak', outcome: 'rotated-with-debt' });
    expect(paid.attention).toEqual([]);
    expect(acceptedIds(i)).toEqual([paid.current?.keyId]);
  },
);

it.concurrent(
  'only an old version leaked: no rotation, it dies now, and versions that did not leak live on',
  async ({ onTestFinished }) => {
    const i = await installation({ onTestFinished, policy: longGrace });
    await i.worker();
    await rotated(i, 2);
    const before = await rotated(i, 3);
    expect(before.previous.map((p) => p.version)).toEqual([2, 1]);
    const result = await asked(i, 'leak', { ...leak, leakedVersion: 1 });
    expect(result).toMatchObject({ outcome: 'skipped', skippedBecause: 'only-old-versions-leaked', version: 3 });
    const after = await i.until('version 1 is gone', (s) => s.previous.length === 1);
    expect(after.previous).toMatchObject([{ version: 2, leaked: false, retirement: 'in-grace' }]);
    expect(after.current).toEqual(before.current);
    expect(keysMade(i)).toBe(2);
  },
);

it.concurrent(
  'the current version leaked and no other: an older one lives on in its grace',
  async ({ onTestFinished }) => {
    const i = await installation({ onTestFinished, policy: longGrace });
    await i.worker();
    await rotated(i, 2);
    expect(await asked(i, 'leak', { ...leak, leakedVersion: 2 })).toMatchObject({ outcome: 'rotated', version: 3 });
    expect((await i.state()).previous).toMatchObject([{ version: 1, leaked: false, retirement: 'in-grace' }]);
  },
);

it.concurrent(
  'while a new key is being verified: it is taken back, and the compromise goes next',
  async ({ onTestFinished }) => {
    const i = await installation({ onTestFinished, policy: longGrace });
    await i.worker();
    i.simulator.faults.add({ match: { ...lists, nth: 3 }, action: 'delay', ms: 1_500 });
    const routine = asked(i, 'routine');
    await i.until('the new key is being verified', (s) => s.rotation?.step === 'verify');
    const compromise = asked(i, 'leak', leak);
    expect(await routine).toMatchObject({ outcome: 'rolled-back', version: 1, error: { code: 'KT-SUPERSEDED' } });
    expect(await compromise).toMatchObject({ outcome: 'rotated', version: 3 });
    const after = await i.state();
    expect(after).toMatchObject({ previous: [], debts: [], attention: [] });
    expect(acceptedIds(i)).toEqual([after.current?.keyId]);
    const first = i.simulator.oracle().keys.find((k) => k.by === 'seed');
    expect(first?.deletedAt).toBeGreaterThanOrEqual(ms(after.current?.publishedAt));
    expect(keysMade(i)).toBe(2);
  },
);

it.concurrent(
  'while a rotation in place is being verified: it goes on to publish, and the compromise goes next',
  async ({ onTestFinished }) => {
    const i = await installation({ onTestFinished, strategy: 'rotation', policy: longGrace });
    await i.worker();
    i.simulator.faults.add({ match: { ...lists, nth: 3 }, action: 'delay', ms: 1_500 });
    const routine = asked(i, 'routine');
    await i.until('the new key is being verified', (s) => s.rotation?.step === 'verify');
    const compromise = asked(i, 'leak', leak);
    expect((await routine).outcome).toMatch(/^rotated/);
    expect(await compromise).toMatchObject({ outcome: 'rotated', version: 3 });
    const after = await i.until('no old version is left', (s) => s.previous.length === 0);
    expect(acceptedIds(i)).toEqual([after.current?.keyId]);
  },
);

it.concurrent(
  'an entity that is terminated with a compromise waiting behind a rotation forgets neither',
  async ({ onTestFinished }) => {
    const i = await installation({ onTestFinished, policy: longGrace });
    await i.worker();
    i.simulator.faults.add({ match: { ...lists, nth: 3 }, action: 'delay', ms: 1_900 });
    await i.request('routine');
    await i.until('the new key is being verified', (s) => s.rotation?.step === 'verify');
    await i.request('leak', leak);
    await eventually('the record knows of it', async () => {
      const facts = (await i.vault.custody.read(i.credentialId))?.record;
      return facts?.waiting.some((w) => w.requestId === 'leak');
    });
    await i.client.handle(i.credentialId).terminate('test');
    await i.client.ensureStarted(i.credentialId);
    const after = await i.until('the compromise has ended', (s) => s.lastRotation?.requestId === 'leak' && !s.rotation);
    expect(after).toMatchObject({ previous: [], debts: [], pendingRequests: 0 });
    expect(acceptedIds(i)).toEqual([after.current?.keyId]);
  },
);

it.concurrent('a rotation parked before it has made a key is the replacement', async ({ onTestFinished }) => {
  const i = await installation({ onTestFinished, policy: longGrace });
  await i.worker();
  i.simulator.faults.add({ match: { ...lists, times: 'always' }, action: 'fail-before' });
  const routine = asked(i, 'routine');
  await i.until('it is parked', (s) => s.rotation?.parked === true);
  const compromise = asked(i, 'leak', leak);
  await i.until('it has become the compromise’s', (s) => s.rotation?.reason === 'compromise');
  i.simulator.faults.clear();
  expect(await routine).toMatchObject({ outcome: 'rotated', version: 2 });
  expect(await compromise).toMatchObject({ outcome: 'rotated', version: 2 });
  expect(acceptedIds(i)).toEqual([(await i.state()).current?.keyId]);
  expect(keysMade(i)).toBe(1);
});

it.concurrent(
  'does not wait behind a rotation that is parked after its write: that one is taken back',
  async ({ onTestFinished }) => {
    const i = await installation({ onTestFinished, policy: longGrace });
    await i.worker();
    const create = { method: 'POST', route: '/consumers/{id}/apikeys', times: 'always' } as const;
    i.simulator.faults.add({ match: create, action: 'fail-before', reset: true });
    const routine = asked(i, 'routine');
    await i.until('it recovers a lost answer', (s) => s.rotation?.recovering === true);
    const compromise = asked(i, 'leak', leak);
    expect(await routine).toMatchObject({ outcome: 'rolled-back', version: 1 });
    await i.until('the compromise has its turn', (s) => s.rotation?.reason === 'compromise');
    i.simulator.faults.clear();
    expect(await compromise).toMatchObject({ version: 2 });
    const after = await i.until('no old version is left', (s) => s.previous.length === 0 && s.rotation === null);
    expect(acceptedIds(i)).toEqual([after.current?.keyId]);
  },
);

it.concurrent(
  'does not wait behind a parked rotation in place: that one publishes without proof, and is replaced',
  async ({ onTestFinished }) => {
    const i = await installation({ onTestFinished, strategy: 'rotation', policy: longGrace });
    await i.worker();
    i.simulator.faults.add({ match: { ...lists, nth: 3, times: 'always' }, action: 'fail-before' });
    await i.request('routine');
    await i.until('it is parked', (s) => s.rotation?.step === 'verify' && s.rotation.parked);
    const compromise = asked(i, 'leak', leak);
    const driven = await i.until('version 2 is current', (s) => s.current?.version === 2);
    expect(driven.current?.verified).toBe(false);
    await i.until('the compromise has its turn', (s) => s.rotation?.reason === 'compromise');
    i.simulator.faults.clear();
    expect(await compromise).toMatchObject({ version: 3 });
    const after = await i.until('no old version is left', (s) => s.previous.length === 0 && s.rotation === null);
    expect(after.attention).toEqual([]);
    expect(acceptedIds(i)).toEqual([after.current?.keyId]);
  },
);

it.concurrent(
  'while paused it is queued with attention, survives a termination, and goes when resumed',
  async ({ onTestFinished }) => {
    const i = await installation({ onTestFinished, policy: longGrace });
    await i.worker();
    await i.client.ensureStarted(i.credentialId);
    await i.until('version 1 is known', (s) => s.current?.version === 1);
    await i.client.pause(i.credentialId, { by: 'ops', reason: 'freeze' });
    await i.request('leak', leak);
    expect(await asked(i, 'routine')).toMatchObject({ outcome: 'skipped', skippedBecause: 'paused' });
    const queued = await i.until('it is queued', (s) => s.pendingRequests === 1);
    expect(queued).toMatchObject({ status: 'paused', paused: { by: 'ops', reason: 'freeze' }, rotation: null });
    expect(queued.attention.map((a) => a.code).toSorted()).toEqual(['KT-LEAKED', 'KT-PAUSED']);
    await eventually('the record knows of it', async () => {
      const facts = (await i.vault.custody.read(i.credentialId))?.record;
      return facts?.waiting.length === 1 && facts.paused !== null;
    });
    await i.client.handle(i.credentialId).terminate('test');
    await i.client.ensureStarted(i.credentialId);
    await i.until('it is still queued', (s) => s.pendingRequests === 1 && s.status === 'paused');
    expect(keysMade(i)).toBe(0);
    await i.client.resume(i.credentialId, { by: 'ops' });
    const after = await i.until('it has gone', (s) => s.lastRotation?.requestId === 'leak' && s.rotation === null);
    expect(after).toMatchObject({ status: 'idle', previous: [], attention: [] });
    expect(acceptedIds(i)).toEqual([after.current?.keyId]);
  },
);

it.concurrent(
  'a version that leaked never comes back: a rollback asked for right after the leak is refused',
  async ({ onTestFinished }) => {
    const i = await installation({ onTestFinished, policy: longGrace });
    await i.worker();
    await rotated(i, 2);
    await i.client.pause(i.credentialId, {});
    const [, rollback] = await Promise.allSettled([
      i.request('leak', leak),
      eventually('it is queued', async () => (await i.state()).pendingRequests === 1).then(() =>
        i.client.rollback(i.credentialId, {}),
      ),
    ]);
    expect(rollback).toMatchObject({ status: 'rejected', reason: { code: 'KT-ROLLBACK-REFUSED' } });
    await i.client.resume(i.credentialId, {});
    const after = await i.until('it has gone', (s) => s.lastRotation?.requestId === 'leak' && s.rotation === null);
    expect(after).toMatchObject({ previous: [], current: { version: 3 } });
    expect(acceptedIds(i)).toEqual([after.current?.keyId]);
  },
);

it.concurrent(
  'a leak told while a rollback is under way takes the version that came back with it',
  async ({ onTestFinished }) => {
    const i = await installation({ onTestFinished, policy: longGrace });
    await i.worker();
    await rotated(i, 2);
    await Promise.all([i.client.rollback(i.credentialId, {}), i.request('leak', leak)]).catch(() => undefined);
    const after = await i.until('it has gone', (s) => s.lastRotation?.requestId === 'leak' && s.rotation === null);
    expect(after.previous).toEqual([]);
    expect(acceptedIds(i)).toEqual([after.current?.keyId]);
  },
);

it.concurrent(
  'a leak of a version that is not alive is refused to an operator, with those that are; nothing rotates',
  async ({ onTestFinished }) => {
    const i = await installation({ onTestFinished });
    await i.worker();
    await i.client.ensureStarted(i.credentialId);
    await i.until('version 1 is current', (s) => s.current?.version === 1);
    const leak = { reason: 'compromise', source: 'operator', leakedVersion: 99 } as const;
    await expect(i.client.rotateNow(i.credentialId, leak)).rejects.toThrow(/version 99 is not alive; alive: 1/);
    expect((await i.state()).pendingRequests).toBe(0);
    expect(i.simulator.oracle().writes).toEqual([]);
  },
);

it.concurrent(
  'a signal that names a version that never was counts every living version as leaked',
  async ({ onTestFinished }) => {
    const i = await installation({ onTestFinished, policy: { grace: '1h' } });
    await i.worker();
    await i.request('r-1', { reason: 'compromise', leakedVersion: 99 });
    const done = await i.until('only the new key is left', (s) => s.current?.version === 2 && s.previous.length === 0);
    expect(done.lastRotation).toMatchObject({ outcome: 'rotated', reason: 'compromise' });
  },
);
