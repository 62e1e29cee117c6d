import { describe, expect, test } from 'vitest';
import { isOneTooMany, MAX_ROUTINE_IN_HAND, newLane } from '../../../src/domain/lane.js';
import { request, t0 } from './facts.js';
import { active } from './lanes.js';

const queued = (n: number) =>
  Array.from({ length: n }, () => ({ request: request(), acceptedAtMs: t0, leakNoted: false }));

test('an entity begins with nothing in hand, and loads its record first', () => {
  const nothing = { queue: [], seen: [], answered: [], notes: [], searchAttributes: [], active: null, view: null };
  expect(newLane('core')).toMatchObject({ credentialId: 'core', reload: true, closing: false, ...nothing });
});

describe('with as many routine requests in hand as are kept', () => {
  const full = { queue: queued(MAX_ROUTINE_IN_HAND), active: null };
  const webhook = { reason: 'routine', source: 'webhook' } as const;

  test('one more is not, from whatever machine it comes', () => {
    for (const source of ['schedule', 'webhook', 'workflow', 'expiry'] as const) {
      expect(isOneTooMany(full, { reason: 'routine', source })).toBe(true);
    }
    expect(isOneTooMany({ queue: queued(MAX_ROUTINE_IN_HAND - 1), active: null }, webhook)).toBe(false);
  });

  test('those that joined the rotation in progress count, too', () => {
    const joinedBy = (joined: number) => ({
      queue: queued(1),
      active: { ...active, joined: queued(joined).map(({ request: one }) => one) },
    });
    expect(isOneTooMany(joinedBy(MAX_ROUTINE_IN_HAND - 1), webhook)).toBe(true);
    expect(isOneTooMany(joinedBy(MAX_ROUTINE_IN_HAND - 2), webhook)).toBe(false);
  });

  test('an operator and a report of a leak are still heard', () => {
    expect(isOneTooMany(full, { reason: 'routine', source: 'operator' })).toBe(false);
    expect(isOneTooMany(full, { reason: 'compromise', source: 'webhook' })).toBe(false);
  });
});
