import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bounds } from '../../../src/domain/record.js';
import { hasJoined, hasSeen, mergeSeen, remember, shortHash } from '../../../src/domain/seen.js';
import { day, hour, second, t0 } from './facts.js';

describe('a request id', () => {
  test.each([
    ['mambu/0a1b', 6 * hour],
    ['mambu-id/7f', 30 * day],
    ['schedule/core-prod/2026-11-21T04:00:00Z', 30 * day],
    ['anything', 30 * day],
  ])('%s is remembered for %d ms and then forgotten', (id, keptMs) => {
    const seen = remember([], id, t0);
    expect(hasSeen(seen, id, t0)).toBe(true);
    expect(hasSeen(seen, id, t0 + keptMs - second)).toBe(true);
    expect(hasSeen(seen, id, t0 + keptMs)).toBe(false);
    expect(hasSeen(seen, `${id}x`, t0)).toBe(false);
  });

  test('counts from its first sighting: an id that is repeated every hour is still forgotten', () => {
    let seen = remember([], 'mambu/constant', t0);
    for (let h = 1; h < 6; h++) seen = remember(seen, 'mambu/constant', t0 + h * hour);
    expect(seen).toHaveLength(1);
    expect(hasSeen(seen, 'mambu/constant', t0 + 6 * hour)).toBe(false);
    expect(hasSeen(remember(seen, 'mambu/constant', t0 + 6 * hour), 'mambu/constant', t0 + 11 * hour)).toBe(true);
  });

  test('makes room by forgetting the dead first, then the oldest', () => {
    const dead = remember([], 'mambu/dead', t0 - day);
    expect(remember(dead, 'new', t0)).toHaveLength(1);
    let seen: readonly string[] = [];
    for (let i = 0; i < bounds.seenRequests + 10; i++) seen = remember(seen, `r-${i}`, t0);
    expect(seen).toHaveLength(bounds.seenRequests);
    expect(hasSeen(seen, 'r-9', t0)).toBe(false);
    expect(hasSeen(seen, 'r-10', t0)).toBe(true);
  });
});

describe('a request that joined another’s rotation', () => {
  test('is remembered with it, as long as every other and no longer', () => {
    const seen = remember(remember([], 'r-2', t0, 'operation-1'), 'r-1', t0);
    expect(hasSeen(seen, 'r-2', t0)).toBe(true);
    expect(hasJoined(seen, 'r-2', 'operation-1')).toBe(true);
    expect(hasJoined(seen, 'r-2', 'operation-2')).toBe(false);
    expect(hasJoined(seen, 'r-1', 'operation-1')).toBe(false);
    expect(hasSeen(seen, 'r-2', t0 + 30 * day)).toBe(false);
  });

  test('keeps the link of its first sighting', () => {
    const seen = remember([], 'r-2', t0, 'operation-1');
    expect(remember(seen, 'r-2', t0 + hour)).toBe(seen);
    expect(hasJoined(mergeSeen(seen, seen), 'r-2', 'operation-1')).toBe(true);
  });
});

describe('merging', () => {
  test('keeps each id once, with its later sighting, oldest first', () => {
    const a = remember(remember([], 'x', t0), 'y', t0 + second);
    const b = remember([], 'x', t0 + hour);
    expect(mergeSeen(a, b)).toEqual([...remember([], 'y', t0 + second), ...b]);
    expect(mergeSeen(b, a)).toEqual(mergeSeen(a, b));
    expect(mergeSeen(a, a)).toEqual(a);
  });

  test('stays bounded and drops the oldest', () => {
    const list = (from: number) => Array.from({ length: 800 }, (_, i) => `${shortHash(`${from + i}`)}.${from + i}.d`);
    const merged = mergeSeen(list(1_000), list(5_000));
    expect(merged).toHaveLength(bounds.seenRequests);
    expect(merged.at(-1)).toBe(list(5_000).at(-1));
    expect(merged).not.toContain(list(1_000)[0]);
  });
});

describe('the short hash', () => {
  test('has 13 digits and tells ids apart', () => {
    fc.assert(fc.property(fc.string(), (id) => /^[0-9a-z]{13}$/.test(shortHash(id))));
    const ids = Array.from({ length: 50_000 }, (_, i) => shortHash(`webhook/${i}`));
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.filter((id) => id.length !== 13)).toEqual([]);
  });

  test('and the entries made of it stay what they are: stores hold them', () => {
    expect(['', 'r-2', 'webhook/größe 鍵'].map(shortHash)).toEqual(['evgbi2jjvqxho', '62k1zpoz6ht23', 'zn39gblb576gc']);
    expect(remember(remember([], 'mambu/0a', t0), 'r-2', t0, 'operation-1')).toEqual([
      '2rzwfsb73jfji.1795233600.h',
      '62k1zpoz6ht23.1795233600.d.ooomiov',
    ]);
  });
});
