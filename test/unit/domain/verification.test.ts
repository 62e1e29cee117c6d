import { describe, expect, test } from 'vitest';
import { judgeRefusal, lastSafeInstantMs, type Verdict } from '../../../src/domain/verification.js';
import { classB, hour, minute, policy, t0 } from './facts.js';

type Input = Parameters<typeof judgeRefusal>[0];
const judge = (over: Partial<Input>): Verdict =>
  judgeRefusal({
    firstRefusedAtMs: null,
    listed: true,
    oldDiesAtMs: null,
    another: false,
    policy,
    strategy: classB,
    nowMs: t0,
    ...over,
  });
const again = (atMs: number): Verdict => ({ do: 'again', atMs });
const unverified = (atMs: number): Verdict => ({ do: 'publish-unverified', atMs });
const refused: Verdict = { do: 'refused' };
const first = { firstRefusedAtMs: t0 - 5 * minute };
/** Death in half an hour: the last safe instant is refreshWithin (5 min) before. */
const dying = { oldDiesAtMs: t0 + 30 * minute };
const lastSafeMs = t0 + 25 * minute;

test('the last safe instant leaves every consumer time to refresh', () => {
  expect(lastSafeInstantMs(t0 + 30 * minute, policy)).toBe(lastSafeMs);
  expect(lastSafeInstantMs(null, policy)).toBe(Number.POSITIVE_INFINITY);
});

describe('where the old key lives as long as we like (A–C)', () => {
  test.each<[string, Partial<Input>, Verdict]>([
    ['one refusal is not a verdict while the id is listed', {}, again(t0 + 5 * minute)],
    ['nor while nothing can be listed', { listed: null }, again(t0 + 5 * minute)],
    ['an id that is not listed is refused at once', { listed: false }, refused],
    ['the second refusal is final', first, refused],
    ['the second refusal is final without a listing', { ...first, listed: null }, refused],
    ['a longer activation lag counts', { policy: { ...policy, activationLagMs: hour } }, again(t0 + hour)],
  ])('%s', (_name, over, verdict) => {
    expect(judge(over)).toEqual(verdict);
  });
});

describe('where the provider ends the old key (D)', () => {
  const late = { ...dying, nowMs: t0 + 20 * minute };
  const tooLate = { ...dying, nowMs: t0 + 26 * minute };
  test.each<[string, Partial<Input>, Verdict]>([
    ['there is time for a second try', dying, again(t0 + 5 * minute)],
    ['an id that is not listed is refused at once', { ...dying, listed: false }, refused],
    ['an id that is not listed is refused also at the end', { ...tooLate, listed: false }, refused],
    ['no time for a second try: published unverified at the last safe instant', late, unverified(lastSafeMs)],
    ['past the last safe instant: published at once', tooLate, unverified(t0 + 26 * minute)],
    [
      'no listing, no time for the full wait: tried at the last safe instant',
      { ...late, listed: null },
      again(lastSafeMs),
    ],
    ['no listing, at the last safe instant: refused', { ...dying, listed: null, nowMs: lastSafeMs }, refused],
    [
      'refused twice, at the last safe instant it is too late for another key',
      { ...dying, ...first, another: true, nowMs: lastSafeMs },
      unverified(lastSafeMs),
    ],
    ['no listing and no time at all: refused', { ...tooLate, listed: null }, refused],
    ['refused twice, another key can be made: given up', { ...dying, ...first, another: true }, refused],
    [
      'refused twice, no other key: published unverified at the last safe instant',
      { ...dying, ...first },
      unverified(lastSafeMs),
    ],
    ['refused twice, no time for another key', { ...tooLate, ...first, another: true }, unverified(t0 + 26 * minute)],
    ['refused twice and not known to exist', { ...dying, ...first, listed: null }, refused],
  ])('%s', (_name, over, verdict) => {
    expect(judge(over)).toEqual(verdict);
  });
});
