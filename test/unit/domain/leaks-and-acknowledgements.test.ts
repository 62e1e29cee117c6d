import { describe, expect, test } from 'vitest';
import { currentOf, type CredentialRecord } from '../../../src/domain/record.js';
import {
  acknowledged,
  dropWaiting,
  keepWaiting,
  killLeaked,
  markLeaked,
  setPaused,
  stage,
} from '../../../src/domain/transitions.js';
import {
  after,
  day,
  freshKey,
  intentFacts,
  minute,
  previousFacts,
  recordOf,
  request,
  retirementOf,
  t0,
  versionFacts,
  working,
} from './facts.js';

const sealed = (over: Partial<Parameters<typeof working>[0]> = {}, base?: CredentialRecord): CredentialRecord =>
  after(stage({ ...working(over, base), intents: [intentFacts(1)] }, 'op-a', 1, freshKey(2)));

describe('leaks', () => {
  test('in grace die at once where the current key was seen to work', () => {
    const record = recordOf({ versions: [previousFacts(1), versionFacts(2)], highestVersion: 2 });
    const leaked = markLeaked(record, [1]);
    expect(retirementOf(leaked, 1).killNow).toBe(true);
    expect(currentOf(leaked)?.leaked).toBe(false);
    expect(markLeaked(leaked, [1])).toEqual(leaked);
  });

  test('wait for proof of the current key, then die', () => {
    const unproven = versionFacts(2, { verifiedAtMs: null });
    const record = markLeaked(recordOf({ versions: [previousFacts(1), unproven], highestVersion: 2 }), [1]);
    expect(retirementOf(record, 1)).toMatchObject({ killNow: false });
    const proven = { ...record, versions: record.versions.map((v) => ({ ...v, verifiedAtMs: t0 })) };
    expect(retirementOf(killLeaked(proven), 1).killNow).toBe(true);
  });

  test('of the current and of a pending version are marked without touching them', () => {
    const record = markLeaked(sealed(), [1, 2, 99]);
    expect(record.versions.map((v) => [v.stage, v.leaked, v.retirement])).toEqual([
      ['current', true, null],
      ['pending', true, null],
    ]);
  });
});

test('a leak is marked also where no version is current', () => {
  const record = recordOf({ versions: [previousFacts(1)] });
  expect(markLeaked(record, [1]).versions).toMatchObject([{ leaked: true, retirement: { killNow: false } }]);
});

describe('acknowledgements', () => {
  const consumers = [{ name: 'billing', ackByMs: t0 + day, ackedAtMs: null }];
  const record = recordOf({
    versions: [previousFacts(1, {}, { consumers }), previousFacts(2, {}, { consumers }), versionFacts(3)],
    highestVersion: 3,
  });

  test('cover the version and all older ones', () => {
    const acked = acknowledged(record, 'billing', 3, t0 + minute);
    expect([1, 2].map((v) => retirementOf(acked, v).consumers[0]?.ackedAtMs)).toEqual([t0 + minute, t0 + minute]);
    const older = acknowledged(record, 'billing', 2, t0 + minute);
    expect([1, 2].map((v) => retirementOf(older, v).consumers[0]?.ackedAtMs)).toEqual([t0 + minute, null]);
  });

  test('that are repeated or older change nothing', () => {
    const acked = acknowledged(record, 'billing', 3, t0 + minute);
    expect(acknowledged(acked, 'billing', 3, t0 + day)).toBe(acked);
    expect(acknowledged(acked, 'billing', 2, t0 + day)).toBe(acked);
    expect(acked.acknowledged).toEqual([{ consumer: 'billing', version: 3 }]);
  });

  test('are kept one a consumer, the newest version of it', () => {
    let record = acknowledged(recordOf(), 'billing', 2, t0);
    record = acknowledged(record, 'audit', 1, t0);
    record = acknowledged(record, 'billing', 3, t0);
    const known = [
      { consumer: 'audit', version: 1 },
      { consumer: 'billing', version: 3 },
    ];
    expect(record.acknowledged).toEqual(known);
    for (const older of [2, 3]) expect(acknowledged(record, 'billing', older, t0)).toBe(record);
    expect(acknowledged(record, 'audit', 2, t0).acknowledged).toContainEqual({ consumer: 'audit', version: 2 });
  });

  test('of strangers stop no waiting', () => {
    expect(retirementOf(acknowledged(record, 'other', 3, t0), 1).consumers[0]?.ackedAtMs).toBeNull();
  });
});

describe('accepted requests that wait', () => {
  test('are kept once, at most 20, until they are dropped', () => {
    let record = recordOf();
    for (let i = 0; i < 30; i++) record = keepWaiting(record, request({ requestId: `r-${i}` }));
    expect(record.waiting).toHaveLength(20);
    expect(keepWaiting(record, request({ requestId: 'r-29' }))).toBe(record);
    expect(dropWaiting(record, 'r-29').waiting).toHaveLength(19);
    expect(dropWaiting(record, 'never')).toBe(record);
  });

  const routine = (n: number) => request({ requestId: `routine-${n}` });
  const leak = (n: number) => request({ requestId: `leak-${n}`, reason: 'compromise' });
  const waitingAfter = (...requests: readonly ReturnType<typeof request>[]) =>
    requests.reduce(keepWaiting, recordOf()).waiting.map(({ requestId }) => requestId);

  test('are kept once, in their order', () => {
    expect(waitingAfter(leak(1), routine(1), leak(1))).toEqual(['leak-1', 'routine-1']);
  });

  test('give way when there are too many: the oldest routine one, before any that reports a leak', () => {
    const leaks = Array.from({ length: 18 }, (_, n) => leak(n));
    const ids = leaks.map(({ requestId }) => requestId);
    expect(waitingAfter(...leaks, routine(1), routine(2))).toEqual([...ids, 'routine-1', 'routine-2']);
    expect(waitingAfter(...leaks, routine(1), routine(2), leak(99))).toEqual([...ids, 'routine-2', 'leak-99']);
    const onlyLeaks = [...leaks, leak(50), leak(51), leak(52)];
    expect(waitingAfter(...onlyLeaks)).toEqual([...ids.slice(1), 'leak-50', 'leak-51', 'leak-52']);
  });
});

test('a pause is set and lifted', () => {
  const paused = { sinceMs: t0, by: 'ada', reason: null };
  expect(setPaused(setPaused(recordOf(), paused), null).paused).toBeNull();
  expect(setPaused(recordOf(), paused).paused).toEqual(paused);
});
