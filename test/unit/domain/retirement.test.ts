import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { iso } from '../../../src/domain/instant.js';
import type { RetirementFacts } from '../../../src/domain/record.js';
import {
  acknowledge,
  beginRetirement,
  debtDelayMs,
  diesAtMs,
  providerEndMs,
  retireDueMs,
  revokeAtMs,
  waitingFor,
} from '../../../src/domain/retirement.js';
import { day, hour, minute, policy, previousFacts, retirementFacts, second, t0, versionFacts } from './facts.js';

const successor = { version: 2, keyId: 'key-2', verified: true };
const billing = { ...policy, consumers: [{ name: 'billing', ackWithinMs: day }] };
const dueMs = t0 + policy.refreshWithinMs + policy.graceMs;

describe('the documented example', () => {
  const publishedAtMs = Date.parse('2026-11-21T04:00:04.120Z');
  const waiting = beginRetirement(versionFacts(1), successor, billing, [], publishedAtMs);

  test('shows the latest possible instant while the acknowledgement is missing', () => {
    expect(iso(revokeAtMs(waiting))).toBe('2026-11-22T04:20:04.120Z');
    expect(waitingFor(waiting, publishedAtMs)).toEqual(['ack:billing']);
  });

  test('is lowered by the acknowledgement to publish + refreshWithin + grace, or later', () => {
    const at = (text: string): string =>
      iso(revokeAtMs(acknowledge(waiting, 'billing', 2, Date.parse(`2026-11-21T${text}Z`))));
    expect(at('04:00:05.000')).toBe('2026-11-21T04:25:04.120Z');
    expect(at('05:00:00.000')).toBe('2026-11-21T05:20:00.000Z');
  });

  test('stops waiting when the consumer’s time is over', () => {
    expect(waitingFor(waiting, publishedAtMs + day)).toEqual([]);
    expect(iso(revokeAtMs(acknowledge(waiting, 'billing', 2, publishedAtMs + 2 * day)))).toBe(
      '2026-11-22T04:20:04.120Z',
    );
  });
});

describe('a retirement', () => {
  test('starts with what consumers have confirmed already', () => {
    const acked = beginRetirement(versionFacts(1), successor, billing, [{ consumer: 'billing', version: 2 }], t0);
    expect(revokeAtMs(acked)).toBe(dueMs);
    const older = beginRetirement(versionFacts(1), successor, billing, [{ consumer: 'billing', version: 1 }], t0);
    expect(waitingFor(older, t0)).toEqual(['ack:billing']);
    const audit = { consumer: 'audit', version: 9 };
    const among = beginRetirement(
      versionFacts(1),
      successor,
      billing,
      [audit, { consumer: 'billing', version: 2 }],
      t0,
    );
    expect(waitingFor(among, t0)).toEqual([]);
    expect(waitingFor(beginRetirement(versionFacts(1), successor, billing, [audit], t0), t0)).toEqual(['ack:billing']);
  });

  test('is immediate for a leaked version with a verified successor, whatever consumers say', () => {
    const leaked = beginRetirement(versionFacts(1, { leaked: true }), successor, billing, [], t0);
    expect(revokeAtMs(leaked)).toBe(t0);
    expect(waitingFor(leaked, t0)).toEqual([]);
    const unproven = beginRetirement(
      versionFacts(1, { leaked: true }),
      { ...successor, verified: false },
      policy,
      [],
      t0,
    );
    expect(revokeAtMs(unproven)).toBe(dueMs);
  });

  test('is left to the provider where the id names the newer key too', () => {
    const same = { ...successor, keyId: 'key-1' };
    expect(beginRetirement(versionFacts(1), same, policy, [], t0).by).toBe('provider');
    expect(beginRetirement(versionFacts(1), successor, policy, [], t0).by).toBe('delete');
  });
});

test('an acknowledgement never raises revokeAt and never lowers it below publish + refreshWithin + grace', () => {
  const facts = fc.record({
    refreshWithinMs: fc.nat(hour),
    graceMs: fc.nat(hour),
    acks: fc.array(fc.nat(2 * day), { maxLength: 3 }),
    times: fc.array(fc.record({ name: fc.nat(3), version: fc.nat(4), atMs: fc.integer({ min: -hour, max: 3 * day }) })),
  });
  fc.assert(
    fc.property(facts, ({ refreshWithinMs, graceMs, acks, times }) => {
      let r: RetirementFacts = retirementFacts({
        refreshWithinMs,
        graceMs,
        consumers: acks.map((ms, i) => ({ name: String(i), ackByMs: t0 + ms, ackedAtMs: null })),
      });
      for (const { name, version, atMs } of times) {
        const next = acknowledge(r, String(name), version, t0 + atMs);
        expect(revokeAtMs(next)).toBeLessThanOrEqual(revokeAtMs(r));
        expect(revokeAtMs(next)).toBeGreaterThanOrEqual(t0 + refreshWithinMs + graceMs);
        expect(acknowledge(next, String(name), version, t0 + atMs + 1)).toEqual(next);
        r = next;
      }
    }),
  );
});

describe('the next piece of work on a replaced version', () => {
  const skewMs = 2 * second;

  test('is due at revokeAt, or when its next attempt is', () => {
    expect(retireDueMs(previousFacts(1), skewMs)).toBe(dueMs);
    expect(retireDueMs(previousFacts(1, {}, { nextAttemptAtMs: t0 + day }), skewMs)).toBe(t0 + day);
    expect(retireDueMs(versionFacts(1), skewMs)).toBe(Number.POSITIVE_INFINITY);
  });

  test('is due when the provider’s grace is surely over, if that is earlier', () => {
    expect(retireDueMs(previousFacts(1, { providerDiesAtMs: t0 + minute }), skewMs)).toBe(t0 + minute + skewMs);
    expect(retireDueMs(previousFacts(1, { providerDiesAtMs: t0 + day }), skewMs)).toBe(dueMs);
  });

  test('is never due before the old id surely names no living key', () => {
    const bound = previousFacts(1, { providerDiesAtMs: t0 + minute }, { notBeforeMs: t0 + day });
    expect(retireDueMs(bound, skewMs)).toBe(t0 + day);
    const killed = previousFacts(1, { leaked: true }, { notBeforeMs: t0 + day, killNow: true });
    expect(retireDueMs(killed, skewMs)).toBe(t0 + day);
    const shared = previousFacts(1, { providerDiesAtMs: t0 + minute }, { notBeforeMs: t0 + day, by: 'provider' });
    expect(retireDueMs(shared, skewMs)).toBe(t0 + day);
  });

  test('is due at once for a held version that leaked, however long it was to be observed', () => {
    const held = { state: 'held', suspendedAtMs: t0, nextAttemptAtMs: t0 + day } as const;
    expect(retireDueMs(previousFacts(1, {}, held), skewMs)).toBe(t0 + day);
    expect(retireDueMs(previousFacts(1, { leaked: true }, { ...held, killNow: true }), skewMs)).toBe(t0);
  });

  test('waits for the provider’s grace where the id is shared, and ends also without one', () => {
    const shared = previousFacts(1, { providerDiesAtMs: t0 + day }, { by: 'provider' });
    expect(retireDueMs(shared, skewMs)).toBe(t0 + day + skewMs);
    expect(retireDueMs(previousFacts(1, {}, { by: 'provider' }), skewMs)).toBe(dueMs);
  });
});

describe('diesAt', () => {
  test('is the earlier of revokeAt and the provider’s end of life', () => {
    expect(diesAtMs(previousFacts(1))).toBe(dueMs);
    expect(diesAtMs(previousFacts(1, { providerDiesAtMs: t0 + minute }))).toBe(t0 + minute);
    expect(diesAtMs(previousFacts(1, { expiresAtMs: t0 + second, providerDiesAtMs: t0 + minute }))).toBe(t0 + second);
    expect(diesAtMs(previousFacts(1, { providerDiesAtMs: t0 + day }))).toBe(dueMs);
    expect(diesAtMs(previousFacts(1, {}, { notBeforeMs: t0 + day }))).toBe(t0 + day);
  });

  test('is the provider’s end alone where keyturn does not delete', () => {
    expect(diesAtMs(previousFacts(1, { providerDiesAtMs: t0 + day }, { by: 'provider' }))).toBe(t0 + day);
    expect(diesAtMs(previousFacts(1, {}, { by: 'provider' }))).toBe(dueMs);
  });

  test('is unknown in debt, unless the provider ends the key', () => {
    expect(diesAtMs(previousFacts(1, {}, { state: 'debt' }))).toBeNull();
    expect(diesAtMs(previousFacts(1, { providerDiesAtMs: t0 + day }, { state: 'debt' }))).toBe(t0 + day);
  });

  test('of a living version is its own end', () => {
    expect(diesAtMs(versionFacts(1))).toBeNull();
    expect(providerEndMs(versionFacts(1, { expiresAtMs: t0 + day, providerDiesAtMs: t0 + hour }))).toBe(t0 + hour);
  });
});

test('debts are tried again with growing waits of at most ten minutes', () => {
  expect([1, 2, 3, 100].map(debtDelayMs)).toEqual([10_000, 20_000, 40_000, 600_000]);
});
