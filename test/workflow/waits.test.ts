/** Waits of a minute to a year, in the real sandbox under a virtual clock. */
import { describe, expect, it } from 'vitest';
import { signalNames } from '../../src/contract.js';
import { classD } from '../support/fake-credential.js';
import { day, entityId, hour, minute, second, virtualEntity, type VirtualEntity } from '../support/virtual-entity.js';

const versions = ({ fake }: VirtualEntity): readonly number[] => fake.record.versions.map((v) => v.version);

describe('grace', () => {
  it('keeps an old key for 24 hours, to the second', async () => {
    const e = await virtualEntity({ policy: { graceMs: day, refreshWithinMs: 5 * minute } });
    await e.request('r-1');
    expect((await e.state()).previous[0]?.revokeAt).toBe('2026-11-22T04:05:00.000Z');
    await e.temporal.advance(day + 5 * minute - second);
    expect(versions(e)).toEqual([1, 2]);
    await e.temporal.advance(second);
    expect(versions(e)).toEqual([2]);
    expect((await e.state()).status).toBe('idle');
  });

  it('waits a week for an acknowledgement, and ends a grace after it came', async () => {
    const policy = { graceMs: hour, refreshWithinMs: minute, consumers: [{ name: 'billing', ackWithinMs: 7 * day }] };
    const e = await virtualEntity({ policy });
    await e.request('r-1');
    await e.temporal.advance(5 * day);
    expect((await e.state()).previous).toMatchObject([
      { waitingFor: ['ack:billing'], revokeAt: '2026-11-28T05:00:00.000Z' },
    ]);
    await e.temporal.signal(entityId, signalNames.acknowledgeVersion, { consumer: 'nobody', version: 2 });
    await e.temporal.signal(entityId, signalNames.acknowledgeVersion, { consumer: 'billing', version: 2 });
    expect((await e.state()).previous).toMatchObject([{ waitingFor: [], revokeAt: '2026-11-26T05:00:00.000Z' }]);
    await e.temporal.advance(hour);
    expect(versions(e)).toEqual([2]);
  });

  it('keeps its instant over many continue-as-new', async () => {
    const e = await virtualEntity({ policy: { graceMs: day, refreshWithinMs: 0 }, maxEvents: 40 });
    await e.request('r-1');
    for (let hours = 0; hours < 23; hours++) {
      await e.temporal.signal(entityId, signalNames.acknowledgeVersion, { consumer: 'nobody', version: 2 });
      await e.temporal.advance(hour);
    }
    expect(versions(e)).toEqual([1, 2]);
    await e.temporal.advance(hour);
    expect(versions(e)).toEqual([2]);
    expect(e.execution.runs).toBeGreaterThan(2);
  });
});

describe('expiry', () => {
  it('renews a key that lives 30 days a day ahead of its end, for a year, with nobody asking', async () => {
    const e = await virtualEntity({ ttlMs: 30 * day, policy: { renewBeforeMs: day, graceMs: hour } });
    await e.request('r-1');
    await e.temporal.advance(29 * day - minute);
    expect((await e.state()).current).toMatchObject({ version: 2, expiresAt: '2026-12-21T04:00:00.000Z' });
    expect((await e.state()).nextRotationAt).toBe('2026-12-20T04:00:00.000Z');
    await e.temporal.advance(minute);
    expect((await e.state()).lastRotation).toMatchObject({ source: 'expiry', outcome: 'rotated', version: 3 });
    await e.temporal.advance(336 * day);
    expect(e.fake.record.highestVersion).toBe(2 + Math.floor(365 / 29));
  });
});

describe('trouble with the store as an old key is to die', () => {
  it('is over as soon as the store is well again, with nobody asking, and the old key dies', async () => {
    const e = await virtualEntity({ policy: { graceMs: hour, refreshWithinMs: 0 } });
    await e.request('r-1');
    e.fake.fail('retire', { kind: 'trouble', code: 'KT-STORE-CORRUPT', message: 'an object does not read' });
    await e.temporal.advance(hour + second);
    expect(e.fake.count('retire')).toBeGreaterThan(0);
    e.fake.mend();
    await e.temporal.advance(5 * minute);
    expect(versions(e)).toEqual([2]);
    expect(await e.state()).toMatchObject({ status: 'idle', attention: [] });
  });

  it('is tried again while it lasts, at least once a minute, and said', async () => {
    const e = await virtualEntity({ policy: { graceMs: hour, refreshWithinMs: 0 } });
    await e.request('r-1');
    const corrupt = { kind: 'trouble', code: 'KT-STORE-CORRUPT', message: 'an object does not read' } as const;
    e.fake.fail('retire', corrupt);
    e.fake.fail('load', corrupt);
    await e.temporal.advance(2 * hour);
    expect(await e.state()).toMatchObject({ status: 'needs-operator', attention: [{ code: 'KT-STORE-CORRUPT' }] });
    e.fake.mend();
    await e.temporal.advance(minute);
    expect(versions(e)).toEqual([2]);
  });
});

describe('an outage', () => {
  it('parks the rotation, visibly, tries at least once a minute, and heals by itself after three hours', async () => {
    const e = await virtualEntity();
    e.fake.fail('verify');
    await e.request('r-1');
    await e.temporal.advance(3 * hour);
    const parked = await e.state();
    expect(parked.status).toBe('rotating');
    expect(parked.rotation).toMatchObject({
      step: 'verify',
      parked: true,
      lastError: { code: 'KT-PROVIDER-UNREACHABLE' },
    });
    const nextMs = Date.parse(parked.rotation?.nextAttemptAt ?? '') - e.temporal.nowMs;
    expect(nextMs).toBeGreaterThan(0);
    expect(nextMs).toBeLessThanOrEqual(minute);
    const tries = e.fake.count('verify');
    expect(tries).toBeGreaterThan(3 * 60);
    e.fake.mend();
    await e.temporal.advance(minute);
    expect((await e.state()).lastRotation).toMatchObject({ requestId: 'r-1', outcome: 'rotated', version: 2 });
    expect(e.fake.count('rotate')).toBe(1);
  });

  it('is sat out over many runs as the same rotation', async () => {
    const e = await virtualEntity({ maxEvents: 60 });
    e.fake.fail('persist');
    await e.request('r-1');
    const before = (await e.state()).rotation;
    await e.temporal.advance(20 * minute);
    const { rotation } = await e.state();
    expect(e.execution.runs).toBeGreaterThan(2);
    expect(rotation).toMatchObject({
      operationId: before?.operationId,
      startedAt: before?.startedAt,
      step: 'persist',
      parked: true,
    });
    e.fake.mend();
    await e.temporal.advance(minute);
    expect(e.fake.record.history).toMatchObject([{ operationId: before?.operationId, outcome: 'rotated' }]);
  });

  it('does not keep a cancelled entity open: the record keeps the operation', async () => {
    const e = await virtualEntity();
    e.fake.fail('verify');
    await e.request('r-1');
    await e.temporal.advance(minute);
    await e.temporal.cancel(entityId);
    await e.temporal.advance(minute);
    expect(e.execution.closed).toBe('completed');
    expect(e.fake.record.operation?.request.requestId).toBe('r-1');
  });

  it('gives the second verdict its wait', async () => {
    const e = await virtualEntity();
    e.fake.verdicts = [{ do: 'again', atMs: e.temporal.nowMs + 5 * minute }];
    await e.request('r-1');
    await e.temporal.advance(5 * minute - second);
    expect((await e.state()).current?.version).toBe(1);
    await e.temporal.advance(second);
    expect((await e.state()).current?.version).toBe(2);
    expect(e.fake.count('verify')).toBe(2);
  });
});

describe('a compromise that arrives while a rotation is parked', () => {
  it('takes the new key back where that is possible, goes next, and kills what leaked', async () => {
    const e = await virtualEntity({ policy: { graceMs: day } });
    e.fake.fail('verify');
    await e.request('r-1');
    await e.temporal.advance(hour);
    await e.request('leak', { reason: 'compromise' });
    expect(e.fake.count('takeBack')).toBe(1);
    e.fake.mend();
    await e.temporal.advance(minute);
    expect(e.fake.record.history.map((h) => [h.requestId, h.outcome])).toEqual([
      ['leak', 'rotated'],
      ['r-1', 'rolled-back'],
    ]);
    expect(versions(e)).toEqual([3]);
  });

  it('hurries it to publish where there is no way back, and goes next', async () => {
    const e = await virtualEntity({ strategy: classD, policy: { graceMs: day } });
    e.fake.fail('verify');
    await e.request('r-1');
    await e.temporal.advance(hour);
    await e.request('leak', { reason: 'compromise' });
    e.fake.mend();
    await e.temporal.advance(2 * minute);
    expect(e.fake.count('takeBack')).toBe(0);
    expect(e.fake.record.history.map((h) => [h.requestId, h.outcome, h.version])).toEqual([
      ['leak', 'rotated', 3],
      ['r-1', 'rotated', 2],
    ]);
    expect(versions(e)).toEqual([3]);
  });
});

describe('a rotation that failed', () => {
  it('is tried again by keyturn itself, after a minute and then ever more slowly', async () => {
    const e = await virtualEntity();
    e.fake.fail('plan', { kind: 'failed', code: 'KT-PROVIDER-REJECTED', message: 'no' });
    await e.request('r-1');
    expect(await e.state()).toMatchObject({
      nextRotationAt: '2026-11-21T04:01:00.000Z',
      lastRotation: { outcome: 'failed' },
    });
    await e.temporal.advance(day);
    const tries = e.fake.record.history.length;
    expect(tries).toBeGreaterThan(24);
    expect(tries).toBeLessThan(35);
    e.fake.mend();
    await e.temporal.advance(hour);
    expect((await e.state()).lastRotation).toMatchObject({ requestId: 'r-1', outcome: 'rotated' });
    await e.temporal.advance(day);
    expect(e.fake.record.history).toHaveLength(tries + 1);
  });
});
