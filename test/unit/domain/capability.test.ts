import { describe, expect, test } from 'vitest';
import {
  activitiesPerSecond,
  canGoBack,
  classOf,
  strategyOf,
  type Capability,
} from '../../../src/domain/capability.js';
import { classB, hour, minute } from './facts.js';

const capability: Capability = {
  value: 'server',
  replayWindowMs: 6 * hour,
  listable: true,
  overlap: 'ours',
  propagationMs: 0,
  intents: ['create-key'],
  keyIdIsSecret: false,
  needsSecretKey: false,
};

describe('the class of a strategy', () => {
  test.each<[ReturnType<typeof classOf>, string, Partial<Capability>]>([
    ['A', 'the client chooses the value', { value: 'client' }],
    ['B', 'the provider replays its answer', {}],
    ['C', 'it does not', { replayWindowMs: 0 }],
    ['D', 'the provider overlaps', { overlap: 'provider', providerGraceMs: 30 * minute }],
    ['E', 'nobody overlaps', { overlap: 'none', providerGraceMs: 0 }],
    ['E', 'nobody overlaps, whatever grace is told', { overlap: 'none', providerGraceMs: 30 * minute }],
    ['E', 'the provider’s grace is 0', { overlap: 'provider', providerGraceMs: 0 }],
    ['E', 'the provider’s grace is not known', { overlap: 'provider' }],
  ])('is %s where %s', (expected, _why, over) => {
    expect(classOf({ ...capability, ...over })).toBe(expected);
  });

  test('comes with the provider’s grace where the overlap is the provider’s', () => {
    const graceOf = (over: Partial<Capability>) =>
      strategyOf({ ...capability, ...over }, { equips: false, restorable: false }, classB.timing).providerGraceMs;
    expect(graceOf({ overlap: 'provider', providerGraceMs: 30 * minute })).toBe(30 * minute);
    expect(graceOf({ overlap: 'provider' })).toBe(0);
    expect(graceOf({ providerGraceMs: minute })).toBeNull();
  });

  test('says whether a new key can be taken back', () => {
    const back = (over: Partial<Capability>): boolean =>
      canGoBack(strategyOf({ ...capability, ...over }, { equips: false, restorable: false }, classB.timing));
    expect(back({})).toBe(true);
    expect(back({ replayWindowMs: 0 })).toBe(true);
    expect(back({ overlap: 'provider', providerGraceMs: minute })).toBe(false);
    expect(back({ overlap: 'none' })).toBe(false);
  });
});

describe('the pace of the workers', () => {
  const quota = (callsPerMinute?: number) => ({ ...capability, ...(callsPerMinute ? { callsPerMinute } : {}) });

  test('keeps the narrowest quota, five calls an activity', () => {
    expect(activitiesPerSecond([quota(6_000), quota(600), quota()])).toBe(2);
  });

  test('has no bound where no provider has a quota', () => {
    expect(activitiesPerSecond([quota()])).toBeNull();
  });
});
