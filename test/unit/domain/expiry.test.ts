import { describe, expect, test } from 'vitest';
import { expiresAtMs, renewAtMs } from '../../../src/domain/expiry.js';
import { day, hour, minute, policy, second, t0, versionFacts } from './facts.js';

const reading = (atMs: number, ttlMs: number) => ({ atMs, ttlMs });

describe('a key’s end of life', () => {
  test('is unknown where nothing is listed', () => {
    expect(expiresAtMs({ earlier: reading(t0, hour), latest: null }, t0)).toBeNull();
  });

  test('of a key whose creation we saw is known from one reading, on the safe side', () => {
    expect(expiresAtMs({ earlier: null, latest: reading(t0 + second, hour) }, t0)).toBe(t0 + hour);
  });

  test('follows what remains when two readings shrink', () => {
    const readings = { earlier: reading(t0, hour), latest: reading(t0 + 10 * minute, 50 * minute) };
    expect(expiresAtMs(readings, null)).toBe(t0 + hour);
    expect(expiresAtMs(readings, t0 - day)).toBe(t0 + hour);
  });

  test('follows what was given when two readings are the same', () => {
    const readings = { earlier: reading(t0, hour), latest: reading(t0 + 10 * minute, hour) };
    expect(expiresAtMs(readings, t0 - minute)).toBe(t0 - minute + hour);
  });

  test('of an imported key is unknown until two readings have shrunk', () => {
    expect(expiresAtMs({ earlier: null, latest: reading(t0, hour) }, null)).toBeNull();
    expect(expiresAtMs({ earlier: reading(t0, hour), latest: reading(t0 + day, hour) }, null)).toBeNull();
  });

  test('is not told by readings less than a second apart', () => {
    const readings = { earlier: reading(t0, hour), latest: reading(t0 + 999, hour - second) };
    expect(expiresAtMs(readings, null)).toBeNull();
    const enough = { ...readings, latest: reading(t0 + second, hour - second) };
    expect(expiresAtMs(enough, null)).toBe(t0 + hour);
  });
});

describe('renewal', () => {
  const renew = (lifeMs: number | null): number =>
    renewAtMs(versionFacts(1, { expiresAtMs: lifeMs === null ? null : t0 + lifeMs }), policy);

  test('is renewBefore ahead of the end, at most a third of the key’s life', () => {
    expect(renew(30 * day)).toBe(t0 + 29 * day);
    expect(renew(3 * hour)).toBe(t0 + 2 * hour);
    expect(renew(null)).toBe(Number.POSITIVE_INFINITY);
  });

  test('is a whole number of milliseconds and never after the end', () => {
    expect(renew(1_000)).toBe(t0 + 667);
    expect(renew(-hour)).toBe(t0 - hour);
  });
});
