import { describe, expect, test } from 'vitest';
import { findingsOf } from '../../../src/domain/reconcile.js';
import { hasSameKeys, isDealtWith, repaired } from '../../../src/domain/repair.js';
import { compared, debt, nowMs, sighting } from './comparison.js';
import { operationOf, previousFacts, retirementOf, second, t0, versionFacts } from './facts.js';

describe('the repairs', () => {
  test('make due what is owed, and touch nothing else', () => {
    const { record } = compared({}, { debts: [debt('orphan'), debt('orphan', 'other'), debt('mirror')] });
    const findings = findingsOf(compared({}, { debts: [debt('orphan')] }));
    const next = repaired(record, findings, nowMs, 0);
    expect(next.debts.map((d) => d.nextAttemptAtMs === nowMs)).toEqual([true, false, false]);
    expect({ ...next, debts: [] }).toEqual({ ...record, debts: [] });
  });

  test('make an old version due that could not be revoked, and are dealt with by its next plan', () => {
    const c = compared({}, { versions: [previousFacts(1, {}, { state: 'debt' }), versionFacts(2)] });
    const findings = findingsOf(c);
    const due = repaired(c.record, findings, nowMs, 0);
    expect(retirementOf(due, 1)).toEqual({ ...retirementOf(c.record, 1), nextAttemptAtMs: nowMs });
    expect(isDealtWith(due, findings, nowMs)).toBe(false);
    expect(isDealtWith(repaired(c.record, findings, nowMs + 1, 0), findings, nowMs)).toBe(true);
    expect(isDealtWith({ ...due, versions: [versionFacts(2)] }, findings, nowMs)).toBe(true);
  });

  test('keep the instant at which a version that is gone was suspended, and every other suspect', () => {
    const suspended = previousFacts(1, {}, { suspendedAtMs: t0 });
    const debts = [debt('suspected-orphan'), debt('suspected-orphan', 'other'), debt('orphan')];
    const { record } = compared({}, { versions: [suspended, versionFacts(2)], debts });
    const gone = findingsOf(compared({ sighting: sighting('key-2') }));
    expect(retirementOf(repaired(record, gone, nowMs, 0), 1).suspendedAtMs).toBe(t0);
    const reversed = { ...record, versions: record.versions.toReversed() };
    expect(retirementOf(repaired(reversed, gone, nowMs, 0), 1).suspendedAtMs).toBe(t0);
    const without = { ...record, versions: [versionFacts(2)] };
    expect(repaired(without, gone, nowMs, 0)).toEqual(without);
    const forgotten = findingsOf(compared({}, { debts: [debt('suspected-orphan')] }));
    expect(repaired(record, forgotten, nowMs, 0).debts).toEqual(debts.slice(1));
  });

  test('leave it to the workflow to prove the death of a version that is gone, after propagation', () => {
    const c = compared({ sighting: sighting('key-2') });
    const next = repaired(c.record, findingsOf(c), nowMs, 200 * second);
    expect(next.versions.map((v) => v.version)).toEqual([1, 2]);
    expect(retirementOf(next, 1)).toMatchObject({
      state: 'revoking',
      deletedAtMs: nowMs,
      suspendedAtMs: nowMs,
      nextAttemptAtMs: nowMs + 200 * second,
    });
    expect(next.versions[1]).toEqual(c.record.versions[1]);
    expect(findingsOf(compared({ sighting: sighting('key-2') }, next))).toEqual([]);
  });

  test('forget a suspect that is gone, and change nothing to tell the workflow', () => {
    const c = compared({ workflow: { seq: 1, version: 1, keyId: null } }, { debts: [debt('suspected-orphan')] });
    const findings = findingsOf(c);
    expect(repaired(c.record, findings, nowMs, 0).debts).toEqual([]);
    const tell = findings.filter(({ repair }) => repair === 'tell');
    expect(tell).toHaveLength(1);
    expect(repaired(c.record, tell, nowMs, 0)).toBe(c.record);
  });

  test('are dealt with once they are done, or tried and planned anew', () => {
    const c = compared({}, { debts: [debt('orphan')] });
    const findings = findingsOf(c);
    const due = repaired(c.record, findings, nowMs, 0);
    expect(isDealtWith(due, findings, nowMs)).toBe(false);
    const [first] = due.debts;
    const unplanned = { ...due, debts: first ? [{ ...first, nextAttemptAtMs: null }] : [] };
    expect(isDealtWith(unplanned, findings, nowMs), 'no attempt is planned').toBe(false);
    const told = findingsOf(compared({ workflow: { seq: 1, version: 1, keyId: null } }));
    expect(isDealtWith(due, told, nowMs), 'nothing was made due').toBe(true);
    expect(isDealtWith({ ...due, debts: [] }, findings, nowMs)).toBe(true);
    expect(isDealtWith(c.record, findings, nowMs)).toBe(true);
  });

  test('are not dealt with by what became of other debts', () => {
    const later = { ...debt('mirror'), nextAttemptAtMs: nowMs + 1 };
    const other = { ...debt('orphan', 'other'), nextAttemptAtMs: nowMs + 1 };
    const own = { ...debt('orphan'), nextAttemptAtMs: nowMs };
    const { record } = compared({}, { debts: [later, other, own] });
    const findings = findingsOf(compared({}, { debts: [debt('orphan')] }));
    expect(isDealtWith(record, findings, nowMs)).toBe(false);
    const two = [...findings, ...findingsOf(compared({}, { debts: [debt('orphan', 'other')] }))];
    expect(isDealtWith(record, two.toReversed(), nowMs), 'all of them').toBe(false);
  });

  test('are not made where a rotation or an import came between', () => {
    const { record } = compared();
    expect(hasSameKeys(record, { ...record, seq: 8, acknowledged: [{ consumer: 'billing', version: 2 }] })).toBe(true);
    expect(hasSameKeys(record, { ...record, versions: [versionFacts(2)] })).toBe(false);
    expect(hasSameKeys(record, { ...record, versions: [previousFacts(1), versionFacts(2, { keyId: 'x' })] })).toBe(
      false,
    );
    expect(hasSameKeys(record, { ...record, operation: operationOf(record) })).toBe(false);
    expect(hasSameKeys({ ...record, debts: [debt('orphan', 'x')] }, { ...record, debts: [debt('orphan')] })).toBe(
      false,
    );
    expect(hasSameKeys(record, { ...record, debts: [debt('orphan')] })).toBe(false);
  });
});
