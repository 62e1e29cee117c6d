/** A flood of requests meets the entity: whatever it is doing, it goes on, stays small, and rotates no more than it may. */
import { describe, expect, it } from 'vitest';
import { signalNames, updateNames } from '../../src/contract.js';
import { MAX_ROUTINE_IN_HAND } from '../../src/domain/lane.js';
import { bounds } from '../../src/domain/record.js';
import { day, entityId, hour, minute, virtualEntity, type VirtualEntity } from '../support/virtual-entity.js';

const waiting = MAX_ROUTINE_IN_HAND;
const delivery = (n: number) =>
  ({ requestId: `mambu-id/0b0c7c5e-6f5e-4f0b-9a3e-${n}`, reason: 'routine', source: 'webhook' }) as const;

/** Distinct deliveries, `batch` of them with each workflow task. */
async function flood(e: VirtualEntity, from: number, count: number, batch = 1_000): Promise<void> {
  for (let n = from; n < from + count; n += 1) {
    e.temporal.post(entityId, signalNames.requestRotation, delivery(n));
    if ((n + 1) % batch === 0) await e.temporal.settle();
  }
  await e.temporal.settle();
}

const sizeOf = (value: unknown): number => JSON.stringify(value).length;

describe('thousands of distinct deliveries to one entity', () => {
  const usual = { policy: { minIntervalMs: hour } };

  it('in one task, after a time without a worker, give one rotation, and the entity goes on', async () => {
    const e = await virtualEntity(usual);
    await flood(e, 0, 1_500, 1_500);
    expect(e.fake.record.history).toHaveLength(1);
    await e.request('r-1');
    expect(e.fake.record.history[0]).toMatchObject({ requestId: 'r-1', outcome: 'rotated' });
  });

  it('one after the other give one rotation; history continues as new, record and ids stay bounded', async () => {
    const e = await virtualEntity({ ...usual, maxEvents: 400 });
    await flood(e, 0, 1_500, 150);
    const { record } = e.fake;
    expect(record.history).toHaveLength(1);
    expect(e.execution.runs).toBeGreaterThanOrEqual(3);
    expect(sizeOf(record)).toBeLessThan(bounds.recordBytes);
    expect(record.seen.length).toBeLessThanOrEqual(bounds.seenRequests);
    expect(e.fake.calls.length).toBeLessThan(50);
    expect((await e.state()).pendingRequests).toBe(0);
    await e.temporal.advance(2 * hour);
    await flood(e, 20_000, 1);
    expect(e.fake.record.history).toHaveLength(2);
  });

  it('while a rotation is under way join it, as many as are kept, and the others come to no other rotation', async () => {
    const e = await virtualEntity(usual);
    const release = e.fake.hold('rotate');
    await flood(e, 0, 2_500, 500);
    expect((await e.state()).rotation?.step).toBe('rotate');
    release();
    await e.temporal.settle();
    expect(e.fake.record.history).toHaveLength(1);
    expect(e.fake.record.seen.length).toBeLessThanOrEqual(waiting + 1);
    expect(sizeOf(e.fake.record)).toBeLessThan(bounds.recordBytes);
    // One that was kept is a duplicate for its 30 days, one that was not is a new request.
    await e.temporal.advance(2 * hour);
    await flood(e, 0, 100);
    expect(e.fake.record.history).toHaveLength(1);
    await flood(e, 2_499, 1);
    expect(e.fake.record.history).toHaveLength(2);
  });

  it('while the store is out wait in a bounded queue, and are served by one rotation when it is back', async () => {
    const e = await virtualEntity({ ...usual, maxEvents: 800 });
    e.fake.fail('load');
    await e.temporal.update(entityId, updateNames.policyChanged);
    await flood(e, 0, 2_500, 500);
    await e.temporal.advance(minute);
    expect((await e.state()).pendingRequests).toBe(waiting);
    expect(e.execution.runs).toBeGreaterThanOrEqual(2);
    e.fake.mend();
    await e.temporal.advance(minute);
    expect(e.fake.record.history).toHaveLength(1);
    expect((await e.state()).pendingRequests).toBe(0);
  });
});

describe('an old delivery that is sent again', () => {
  it.each([
    ['mambu-id/0b0c7c5e', 29 * day, 2 * day],
    ['mambu/5d0c', 5 * hour, 2 * hour],
  ])(
    '%s is the same one for its time, over any number of runs, and then a new one',
    async (requestId, within, after) => {
      const e = await virtualEntity({ maxEvents: 30 });
      const replay = (): Promise<boolean> => e.request(requestId, { source: 'webhook' });
      await replay();
      for (let n = 0; n < 20; n += 1) await e.request(`other-${n}`);
      expect(e.execution.runs).toBeGreaterThan(3);
      const rotations = e.fake.record.history.length;
      await e.temporal.advance(within);
      await replay();
      expect(e.fake.record.history).toHaveLength(rotations);
      await e.temporal.advance(after);
      await replay();
      expect(e.fake.record.history[0]).toMatchObject({ requestId, source: 'webhook' });
      expect(e.fake.record.history).toHaveLength(rotations + 1);
    },
  );
});

describe('while as many routine requests are in hand as are kept', () => {
  async function crowded() {
    const e = await virtualEntity({ policy: { minIntervalMs: hour } });
    const release = e.fake.hold('verify');
    await flood(e, 0, waiting);
    await flood(e, waiting, 50);
    return { e, release };
  }
  const rotateNow = (e: VirtualEntity, more: object) =>
    e.temporal.update(entityId, updateNames.rotateNow, {
      requestId: 'u-1',
      reason: 'routine',
      source: 'operator',
      ...more,
    });

  it('an operator and a report of a leak are heard', async () => {
    const { e, release } = await crowded();
    expect(await rotateNow(e, {})).toMatchObject({ requestId: 'u-1' });
    await e.request('leak', { reason: 'compromise', source: 'operator' });
    release();
    await e.temporal.settle();
    expect(e.fake.record.history.map((h) => h.reason)).toContain('compromise');
  });

  it('another caller is told so by the update, and one who waits for an answer gets it when it asks again', async () => {
    const { e, release } = await crowded();
    await expect(rotateNow(e, { source: 'workflow' })).rejects.toMatchObject({ type: 'KT-CONFLICT' });
    const child = await e.temporal.start('rotateCredential', 'rotate/core/1', {
      credentialId: 'core',
      timeoutMs: hour,
    });
    expect(child.closed).toBeNull();
    release();
    await e.temporal.advance(2 * minute);
    expect(child.result).toMatchObject({ outcome: 'skipped', skippedBecause: 'min-interval' });
  });
});

describe('what a request or a pause brings along', () => {
  it('is kept as far as it is known: the rest of it reaches neither the next run nor the record', async () => {
    const e = await virtualEntity();
    await e.temporal.update(entityId, updateNames.pause, {});
    const more = { reason: 'compromise', ballast: 'x'.repeat(1_000_000) } as const;
    await e.request('leak', more);
    expect(e.fake.record.waiting).toEqual([{ requestId: 'leak', reason: 'compromise', source: 'operator' }]);
  });

  it.each([
    [updateNames.pause, { reason: 'x'.repeat(1_001) }],
    [updateNames.pause, { by: ['x'] }],
    [updateNames.rotateNow, { requestId: 'x'.repeat(513), reason: 'routine', source: 'operator' }],
  ])('is refused by %s where it is no short text', async (name, input) => {
    const e = await virtualEntity();
    await expect(e.temporal.update(entityId, name, input)).rejects.toMatchObject({ type: 'BadRequest' });
    expect((await e.state()).paused).toBeNull();
  });
});
