/** What the entity does with requests, updates and those who wait for an answer. */
import { describe, expect, it } from 'vitest';
import { updateNames } from '../../src/contract.js';
import { hasSeen } from '../../src/domain/seen.js';
import { entityId, hour, minute, virtualEntity, type VirtualEntity } from '../support/virtual-entity.js';

const update = { requestId: 'u-1', reason: 'routine', source: 'operator' } as const;

describe('one request id, one rotation', () => {
  it('ignores a duplicate of the rotation in hand, and of one that has ended', async () => {
    const e = await virtualEntity();
    const release = e.fake.hold('rotate');
    await e.request('r-1');
    await e.request('r-1');
    expect((await e.state()).pendingRequests).toBe(0);
    release();
    await e.temporal.settle();
    await e.request('r-1');
    await e.temporal.advance(hour);
    expect(e.fake.record.history.map((h) => h.requestId)).toEqual(['r-1']);
  });

  it('lets a routine request join the rotation in hand, and knows it afterwards', async () => {
    const e = await virtualEntity();
    const release = e.fake.hold('verify');
    await e.request('r-1');
    await e.request('r-2');
    expect(await e.temporal.update(entityId, updateNames.rotateNow, update)).toEqual({ requestId: 'u-1', position: 0 });
    release();
    await e.temporal.settle();
    for (const id of ['r-1', 'r-2', 'u-1']) await e.request(id);
    await e.temporal.advance(hour);
    expect(e.fake.record.history).toHaveLength(1);
  });

  it('knows the ids after a continue-as-new, and after a run that is new altogether', async () => {
    const e = await virtualEntity({ maxEvents: 30 });
    for (const id of ['r-1', 'r-2', 'r-3']) await e.request(id);
    await e.temporal.cancel(entityId);
    expect(e.execution.closed).toBe('completed');
    await e.temporal.start('credential', entityId, { credentialId: 'core' });
    for (const id of ['r-1', 'r-2', 'r-3', 'r-4']) await e.request(id);
    await e.temporal.advance(hour);
    expect(e.fake.record.history.map((h) => h.requestId)).toEqual(['r-4', 'r-3', 'r-2', 'r-1']);
  });
});

describe('a request that has ended', () => {
  const again = (e: VirtualEntity, requestId: string): Promise<unknown> =>
    e.temporal.update(entityId, updateNames.rotateNow, { ...update, requestId });

  it('has its outcome for a duplicate, also after 49 other rotations and in a new run; one of before is a plain duplicate', async () => {
    const e = await virtualEntity();
    for (let n = 1; n <= 51; n++) await e.request(`r-${n}`);
    await e.temporal.cancel(entityId);
    await e.temporal.start('credential', entityId, { credentialId: 'core' });
    const stored = { outcome: 'rotated', version: 3, keyId: 'key-3' };
    expect(await again(e, 'r-2')).toMatchObject({ requestId: 'r-2', position: 0, ended: stored });
    const forgotten = { outcome: 'skipped', skippedBecause: 'duplicate' };
    expect(await again(e, 'r-1')).toMatchObject({ ended: forgotten });
    expect(e.fake.record.history[0]?.requestId).toBe('r-51');
  });

  it('has that of the rotation which it joined, in a new run, too', async () => {
    const e = await virtualEntity();
    const release = e.fake.hold('verify');
    await e.request('r-1');
    await e.request('r-2');
    // Known to the record before the rotation has ended.
    expect(hasSeen(e.fake.record.seen, 'r-2', e.temporal.nowMs)).toBe(true);
    release();
    await e.temporal.settle();
    const served = { outcome: 'rotated', version: 2, servedBy: 'r-1' };
    expect(await again(e, 'r-2')).toMatchObject({ ended: served });
    await e.request('r-3');
    await e.temporal.cancel(entityId);
    await e.temporal.start('credential', entityId, { credentialId: 'core' });
    expect(await again(e, 'r-2')).toMatchObject({ ended: served });
    expect(e.fake.record.history).toHaveLength(2);
  });

  it('that failed is told with its error, and while the store is out it is not told wrongly', async () => {
    const e = await virtualEntity();
    e.fake.fail('rotate', { kind: 'failed', code: 'KT-FORBIDDEN', message: 'not permitted' });
    await e.request('r-1');
    e.fake.mend();
    await e.temporal.cancel(entityId);
    await e.temporal.start('credential', entityId, { credentialId: 'core' });
    e.fake.fail('recall', { kind: 'transient', code: 'KT-STORE-UNAVAILABLE', message: 'the store is out' });
    const [asked] = await Promise.allSettled([again(e, 'r-1'), e.temporal.advance(minute)]);
    expect(String(asked.status === 'rejected' && asked.reason)).toMatch(/the store is out/);
    e.fake.mend();
    expect(await again(e, 'r-1')).toMatchObject({ ended: { outcome: 'failed', error: { code: 'KT-FORBIDDEN' } } });
  });
});

it('a request that joins before the record has the operation is kept as one that waits', async () => {
  const e = await virtualEntity();
  const release = e.fake.hold('plan');
  await e.request('r-1');
  await e.request('r-2');
  expect(e.fake.record.waiting.map((w) => w.requestId)).toEqual(['r-2']);
  release();
  await e.temporal.settle();
  expect(e.fake.record.waiting).toEqual([]);
  expect(hasSeen(e.fake.record.seen, 'r-2', e.temporal.nowMs)).toBe(true);
  expect(e.fake.record.history).toHaveLength(1);
});

describe('an update', () => {
  const refused: readonly [string, unknown, RegExp][] = [
    [updateNames.rotateNow, {}, /requestId must be a text of 1 to 512 characters/],
    [updateNames.rotateNow, { ...update, requestId: 'x'.repeat(513) }, /requestId must be a text/],
    [updateNames.rotateNow, { ...update, reason: 'boredom' }, /reason must be routine or compromise/],
    [updateNames.rotateNow, { ...update, source: 'rumour' }, /source is not known/],
    [updateNames.rotateNow, { ...update, leakedVersion: 1.5 }, /leakedVersion must be a whole number/],
    [updateNames.rollback, {}, /version|there is no/],
    [updateNames.adopt, { version: 'two' }, /version must be a whole number/],
  ];
  it.each(refused)('%s is refused with its reason, and changes nothing', async (name, input, reason) => {
    const e = await virtualEntity();
    const before = await e.state();
    await expect(e.temporal.update(entityId, name, input)).rejects.toThrow(reason);
    expect(await e.state()).toEqual(before);
  });

  it('a request that is skipped is shown by the query, with its reason', async () => {
    const e = await virtualEntity({ policy: { minIntervalMs: hour } });
    expect((await e.state()).lastSkipped).toBeNull();
    await e.request('r-1');
    await e.request('r-2', { source: 'webhook' });
    const skipped = { requestId: 'r-2', reason: 'routine', source: 'webhook', because: 'min-interval' };
    expect((await e.state()).lastSkipped).toMatchObject(skipped);
  });

  it('pause skips routine requests and keeps urgent ones until resume', async () => {
    const e = await virtualEntity();
    await e.temporal.update(entityId, updateNames.pause, { by: 'me', reason: 'audit' });
    expect(await e.state()).toMatchObject({ status: 'paused', paused: { by: 'me', reason: 'audit' } });
    await e.request('r-1');
    await e.request('leak', { reason: 'compromise' });
    await e.temporal.advance(hour);
    expect(await e.state()).toMatchObject({ pendingRequests: 1, current: { version: 1 } });
    expect((await e.state()).attention.map((a) => a.code)).toContain('KT-PAUSED');
    expect(e.fake.record.waiting.map((w) => w.requestId)).toEqual(['leak']);
    await e.temporal.update(entityId, updateNames.resume, {});
    await e.temporal.advance(minute);
    expect(e.fake.record.history.map((h) => h.requestId)).toEqual(['leak']);
    expect(e.fake.record.waiting).toEqual([]);
  });

  it('pause and resume in one breath leave it working', async () => {
    const e = await virtualEntity();
    await e.temporal.update(entityId, updateNames.pause, {});
    await e.temporal.update(entityId, updateNames.resume, {});
    await e.request('r-1');
    expect((await e.state()).current?.version).toBe(2);
  });
});

describe('trouble with the store', () => {
  it('is told by the query, stops all work, and clears by itself', async () => {
    const e = await virtualEntity();
    e.fake.fail('plan', { kind: 'trouble', code: 'KT-STORE-BEHIND', message: 'older than what was seen' });
    e.fake.fail('load', { kind: 'trouble', code: 'KT-STORE-BEHIND', message: 'older than what was seen' });
    await e.request('r-1');
    const troubled = await e.state();
    expect(troubled).toMatchObject({ status: 'needs-operator', attention: [{ code: 'KT-STORE-BEHIND' }] });
    e.fake.mend();
    await e.temporal.advance(5 * minute);
    expect(await e.state()).toMatchObject({ attention: [], current: { version: 2 } });
  });
});

it('a requester that is gone harms neither the rotation nor the next one', async () => {
  const e = await virtualEntity();
  await e.request('r-1', { replyTo: { workflowId: 'rotate/core/gone' } });
  await e.request('r-2');
  expect(e.fake.record.history.map((h) => [h.requestId, h.outcome])).toEqual([
    ['r-2', 'rotated'],
    ['r-1', 'rotated'],
  ]);
  expect(e.execution.closed).toBeNull();
});

it('writes search attributes only when they change', async () => {
  const e = await virtualEntity();
  const before = e.execution.upserts;
  await e.request('r-1');
  // idle to rotating, rotating to retiring.
  expect(e.execution.upserts - before).toBeLessThanOrEqual(2);
});

it('each attempt at the step that writes is the workflow’s own: Temporal repeats none', async () => {
  const e = await virtualEntity();
  e.fake.fail('rotate');
  await e.request('r-1');
  expect(e.fake.count('rotate')).toBe(1);
  expect((await e.state()).rotation).toMatchObject({ step: 'rotate', parked: true });
});

it('an import, a changed policy and another Schedule are taken in, and cause no rotation', async () => {
  const e = await virtualEntity({ policy: { minIntervalMs: 0 } });
  const loads = e.fake.count('load');
  await e.temporal.update(entityId, updateNames.adopt, { version: 1 });
  await e.temporal.update(entityId, updateNames.policyChanged);
  await e.temporal.advance(hour);
  expect(e.fake.count('load')).toBeGreaterThan(loads);
  expect(e.fake.count('plan')).toBe(0);
  expect(await e.state()).toMatchObject({ status: 'idle', current: { version: 1 } });
});

it('answers the query from its first moment, also while the store is out', async () => {
  const e = await virtualEntity();
  await e.temporal.cancel(entityId);
  e.fake.fail('load', { kind: 'transient', code: 'KT-STORE-UNAVAILABLE', message: 'the store is out' });
  await e.temporal.start('credential', entityId, { credentialId: 'core' });
  expect(await e.state()).toMatchObject({ credentialId: 'core', current: null });
  e.fake.mend();
  await e.temporal.advance(5 * minute);
  expect(await e.state()).toMatchObject({ status: 'idle', current: { version: 1 } });
});
