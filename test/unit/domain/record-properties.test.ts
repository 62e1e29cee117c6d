/** Random sequences of all transitions, fresh and stale ones, repeated and out of order: what must hold of the record after each. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { importReplacement } from '../../../src/domain/imports.js';
import { compensate, expireOpenIntents, intend, raiseEpoch, reopen, settle } from '../../../src/domain/intents.js';
import { currentOf, pendingOf, type CredentialRecord, type EngineStrategy } from '../../../src/domain/record.js';
import { revokeAtMs } from '../../../src/domain/retirement.js';
import { rollBack } from '../../../src/domain/rollback.js';
import {
  acknowledged,
  begin,
  close,
  destroy,
  dropPending,
  markLeaked,
  publish,
  stage,
  stageSecretKey,
  type Transition,
} from '../../../src/domain/transitions.js';
import {
  classB,
  classD,
  freshKey,
  importedKey,
  minute,
  nextIntent,
  operationOf,
  policy,
  recordOf,
  request,
  rotationFacts,
  t0,
} from './facts.js';

type Step = (record: CredentialRecord, nowMs: number) => CredentialRecord;

/** Applies it, checks that the same once more changes nothing, and ignores a refusal. */
function applied(record: CredentialRecord, transition: (r: CredentialRecord) => Transition): CredentialRecord {
  const t = transition(record);
  if (t.kind !== 'next') return record;
  const again = transition(t.record);
  if (again.kind === 'next') expect(again.record).toEqual(t.record);
  return t.record;
}

const operationId = fc.integer({ min: 1, max: 4 }).map((n) => `op-${n}`);
const anyVersion = fc.integer({ min: 1, max: 12 });
const key = fc.integer({ min: 1, max: 12 });
const settled = fc.constantFrom('unknown', 'not-sent', 'answered', 'refused');
const kind = fc.constantFrom('rotate', 'create-key', 'create-secret');
const strategy = fc.constantFrom<EngineStrategy>(classB, classD);

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.tuple(operationId, strategy).map(
    ([id, s]): Step =>
      (r) =>
        applied(r, (now) =>
          begin(now, operationOf(r, { operationId: id, strategy: s, request: request({ requestId: id }) })),
        ),
  ),
  fc.tuple(operationId, kind).map(([id, k]): Step => (r, nowMs) => {
    const intent = nextIntent(r, { operationId: id, kind: k, createdAtMs: nowMs, sendBeforeMs: nowMs + 5_000 });
    return applied(r, (now) => intend(now, intent));
  }),
  fc.tuple(operationId, fc.nat(4), settled, fc.nat(2)).map(
    ([id, n, how, epoch]): Step =>
      (r) =>
        applied(r, (now) => settle(now, { operationId: id, n, epoch }, how)),
  ),
  fc.tuple(operationId, fc.nat(4)).map(([id, n]): Step => (r, nowMs) => {
    const t = reopen(r, id, n, nowMs + 5_000);
    return t.kind === 'next' ? t.record : r;
  }),
  fc.constant<Step>((r, nowMs) => expireOpenIntents(raiseEpoch(r), nowMs)),
  operationId.map(
    (id): Step =>
      (r, nowMs) =>
        compensate(r, id, nowMs),
  ),
  fc.tuple(operationId, fc.nat(4), key).map(
    ([id, n, k]): Step =>
      (r) =>
        applied(r, (now) => stage(now, id, n, freshKey(k))),
  ),
  fc.constantFrom('ok' as const, 'lost' as const).map(
    (s): Step =>
      (r) =>
        applied(r, (now) => stageSecretKey(now, null, s)),
  ),
  fc.tuple(operationId, fc.boolean(), fc.boolean()).map(
    ([id, verified, force]): Step =>
      (r, nowMs) =>
        applied(r, (now) =>
          publish(now, id, { nowMs, verified, force, rotation: rotationFacts(id, { endedAtMs: nowMs }) }),
        ),
  ),
  fc.constant<Step>((r) => (r.operation ? dropPending(r, null) : r)),
  operationId.map(
    (id): Step =>
      (r, nowMs) =>
        applied(r, (now) => close(now, rotationFacts(id, { outcome: 'failed', endedAtMs: nowMs }), null)),
  ),
  anyVersion.map(
    (v): Step =>
      (r, nowMs) =>
        destroy(r, v, 'listed', nowMs),
  ),
  fc.array(anyVersion, { maxLength: 3 }).map(
    (vs): Step =>
      (r) =>
        markLeaked(r, vs),
  ),
  anyVersion.map(
    (v): Step =>
      (r, nowMs) =>
        acknowledged(r, 'billing', v, nowMs),
  ),
  fc.tuple(anyVersion, fc.nat(50)).map(
    ([v, n]): Step =>
      (r, nowMs) =>
        applied(r, (now) => rollBack(now, v, policy, rotationFacts(`rollback-${n}`, { endedAtMs: nowMs }))),
  ),
  fc.tuple(key, fc.boolean()).map(([k, revokeOld]): Step => (r, nowMs) => {
    const t = importReplacement(r, importedKey(k, { nowMs }), revokeOld ? { policy } : null);
    return t.kind === 'next' ? t.record : r;
  }),
);

function expectSound(before: CredentialRecord, after: CredentialRecord): void {
  const numbers = after.versions.map((v) => v.version);
  expect(new Set(numbers).size).toBe(numbers.length);
  expect(after.versions.filter((v) => v.stage === 'current')).toHaveLength(1);
  expect(after.versions.filter((v) => v.stage === 'pending').length).toBeLessThanOrEqual(1);
  for (const v of after.versions) expect(v.stage === 'previous').toBe(v.retirement !== null);

  // Version numbers only grow: of the highest ever, and of what is current.
  expect(after.highestVersion).toBeGreaterThanOrEqual(before.highestVersion);
  expect(Math.max(...numbers)).toBeLessThanOrEqual(after.highestVersion);
  const [was, is] = [currentOf(before), currentOf(after)];
  if (!was || !is) throw new Error('there is a current version at all times');
  expect(is.version).toBeGreaterThanOrEqual(was.version);
  const pending = pendingOf(after);
  if (pending) expect(pending.version).toBeGreaterThan(is.version);

  // What leaked or was removed never becomes current: a new current version was no such version before.
  if (is.version !== was.version && is.fingerprint !== was.fingerprint) {
    const known = before.versions.find((v) => v.fingerprint === is.fingerprint && v.stage === 'previous');
    expect(known?.leaked ?? false).toBe(false);
  }
  if (is.fingerprint === was.fingerprint && was.leaked) expect(is.leaked).toBe(true);
  for (const v of before.versions) {
    const now = after.versions.find((w) => w.version === v.version);
    if (v.leaked && now) expect(now.leaked).toBe(true);
    if (v.retirement && now?.retirement)
      expect(revokeAtMs(now.retirement)).toBeLessThanOrEqual(revokeAtMs(v.retirement));
  }

  // The epoch never goes back, at most one attempt is open, a compensating operation makes and publishes nothing.
  expect(after.epoch).toBeGreaterThanOrEqual(before.epoch);
  expect(after.intents.filter((i) => i.settled === 'open').length).toBeLessThanOrEqual(1);
  expect(after.intents.map((i) => i.n)).toEqual([...new Set(after.intents.map((i) => i.n))].sort((a, b) => a - b));
  if (before.operation?.compensating) {
    expect(after.intents.filter((i) => i.settled === 'open').length).toBeLessThanOrEqual(
      before.intents.filter((i) => i.settled === 'open').length,
    );
    expect(is.version).toBe(was.version);
  }
  // An operation that has ended is never at work again.
  expect(after.history.some((h) => h.operationId === after.operation?.operationId)).toBe(false);
}

test('after every sequence of transitions the record is sound', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      let record = recordOf();
      steps.forEach((one, i) => {
        const next = one(record, t0 + i * minute);
        expectSound(record, next);
        record = next;
      });
    }),
    { numRuns: 1_500 },
  );
});
