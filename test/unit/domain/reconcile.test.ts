import { describe, expect, test } from 'vitest';
import { checkedDrift, driftAfter, driftOf, standing } from '../../../src/domain/drift.js';
import { findingsOf, isOpen, type Compared, type Finding, type Sighting } from '../../../src/domain/reconcile.js';
import type { CredentialRecord, DebtFacts } from '../../../src/domain/record.js';
import { hasSameKeys, isDealtWith, repaired } from '../../../src/domain/repair.js';
import { viewOf } from '../../../src/domain/view.js';
import { day, hour, identity, minute, previousFacts, recordOf, retirementOf, t0, versionFacts } from './facts.js';

const nowMs = t0 + hour;
const second = 1_000;

const sighting = (...keys: readonly (string | { keyId: string; revoked: boolean })[]): Sighting => ({
  keys: keys.map((key) => (typeof key === 'string' ? { keyId: key } : key)),
  account: 'listed',
  current: 'works',
  because: null,
  code: null,
});

/** Version 2 is current, version 1 in grace, both listed, and the workflow has seen all of it. */
function compared(over: Partial<Compared> = {}, record: Partial<CredentialRecord> = {}): Compared {
  return {
    record: recordOf({ seq: 7, versions: [previousFacts(1), versionFacts(2)], highestVersion: 2, ...record }),
    sighting: sighting('key-1', 'key-2'),
    repointed: null,
    workflow: { seq: 7, version: 2, keyId: 'key-2' },
    skewMs: 2 * second,
    settleMs: 0,
    nowMs,
    ...over,
  };
}

const debt = (kind: DebtFacts['kind'], keyId = 'key-9'): DebtFacts => ({
  kind,
  version: null,
  keyId,
  sinceMs: t0,
  attempts: 3,
  nextAttemptAtMs: nowMs + 10 * minute,
  lastError: { code: 'KT-PROVIDER-BUSY', message: 'busy' },
  identity,
});

const short = (findings: readonly Finding[]) => findings.map(({ kind, code, repair }) => [kind, code, repair]);
const found = (over: Partial<Compared> = {}, record: Partial<CredentialRecord> = {}) =>
  short(findingsOf(compared(over, record)));

describe('a comparison', () => {
  test('finds nothing where all agree, with or without the workflow', () => {
    expect(found()).toEqual([]);
    expect(found({ workflow: null })).toEqual([]);
    expect(found({ workflow: { seq: null, version: null, keyId: null } })).toEqual([]);
  });

  test.each<[string, Partial<Compared>, Partial<CredentialRecord>, unknown]>([
    ['a key of others', { sighting: sighting('key-1', 'key-2', 'x') }, {}, [['foreign', null, null]]],
    ['the current key was deleted', { sighting: sighting('key-1') }, {}, [['missing-current', 'KT-KEY-MISSING', null]]],
    [
      'the current key was revoked',
      { sighting: sighting('key-1', { keyId: 'key-2', revoked: true }) },
      {},
      [['revoked-by-hand', 'KT-KEY-MISSING', null]],
    ],
    [
      'the current key has another value',
      { sighting: { ...sighting('key-1', 'key-2'), current: 'other-value' } },
      {},
      [['secret-changed', 'KT-KEY-MISSING', null]],
    ],
    ['an old key was deleted', { sighting: sighting('key-2') }, {}, [['missing-previous', 'KT-DRIFT', 'close']]],
    [
      'an old key was revoked',
      { sighting: sighting({ keyId: 'key-1', revoked: true }, 'key-2') },
      {},
      [['revoked-by-hand', 'KT-DRIFT', null]],
    ],
    ['a removal is owed', {}, { debts: [debt('orphan')] }, [['orphan', 'KT-DEBT', 'retry']]],
    [
      'a revocation is owed',
      {},
      { versions: [previousFacts(1, {}, { state: 'debt', attempts: 2 }), versionFacts(2)] },
      [['revoke-debt', 'KT-DEBT', 'retry']],
    ],
    [
      'a suspect is there',
      { sighting: sighting('key-1', 'key-2', 'key-9') },
      { debts: [debt('suspected-orphan')] },
      [['suspected-orphan', 'KT-SUSPECTED-ORPHAN', null]],
    ],
    ['a suspect is gone', {}, { debts: [debt('suspected-orphan')] }, [['suspect-gone', null, 'forget']]],
    [
      'a suspect without an id',
      {},
      { debts: [debt('suspected-orphan', 'unlisted')] },
      [['suspected-orphan', 'KT-SUSPECTED-ORPHAN', null]],
    ],
    [
      'the workflow is behind',
      { workflow: { seq: 6, version: 1, keyId: 'key-1' } },
      {},
      [['workflow-behind', null, 'tell']],
    ],
    [
      'the consumer is gone',
      { sighting: { ...sighting(), keys: null, account: 'gone' } },
      {},
      [['consumer-gone', 'KT-CONSUMER-GONE', null]],
    ],
    [
      'the key is refused',
      { sighting: { ...sighting(), keys: null, account: 'refused', current: 'not-tried' } },
      {},
      [['current-refused', 'KT-CREDENTIAL-REFUSED', null]],
    ],
    [
      'what manages the keys is refused',
      { sighting: { ...sighting(), keys: null, account: 'refused', current: 'works' } },
      {},
      [['manager-refused', 'KT-CREDENTIAL-REFUSED', null]],
    ],
    [
      'keyturn.yaml names another account',
      { repointed: 'elsewhere', sighting: sighting() },
      {},
      [['wrong-tenant', 'KT-REPOINTED', null]],
    ],
  ])('%s', (_name, over, record, expected) => {
    expect(found(over, record)).toEqual(expected);
  });

  test('nothing of ours where several keys should be is another tenant: nothing of it is believed', () => {
    const owing = { debts: [debt('orphan'), debt('suspected-orphan', 'key-8')] };
    expect(found({ sighting: sighting('x', 'y') }, owing)).toEqual([['wrong-tenant', 'KT-WRONG-TENANT', null]]);
  });

  test('without the current key in the listing nothing is repaired', () => {
    const all = found({ sighting: sighting('key-1') }, { debts: [debt('orphan'), debt('suspected-orphan', 'key-8')] });
    expect(all.map(([kind, , repair]) => [kind, repair])).toEqual([
      ['missing-current', null],
      ['orphan', null],
      ['suspect-gone', null],
    ]);
  });

  test('nor while the store is behind the workflow, which names the version that was lost', () => {
    const workflow = { seq: 9, version: 3, keyId: 'key-3' };
    const at = { workflow, sighting: sighting('key-2', 'key-3') };
    const findings = findingsOf(compared(at, { debts: [debt('orphan')] }));
    expect(short(findings)).toEqual([
      ['store-behind', 'KT-STORE-BEHIND', null],
      ['missing-previous', 'KT-DRIFT', null],
      ['orphan', 'KT-DEBT', null],
      ['foreign', null, null],
    ]);
    expect(findings[0]?.means).toContain('version 3 (key key-3, listed at the provider)');
  });

  test.each([
    ['within the provider’s own grace', previousFacts(1, { providerDiesAtMs: nowMs + minute })],
    ['after its end of life', previousFacts(1, { expiresAtMs: nowMs - minute })],
    ['where its removal is known', previousFacts(1, {}, { state: 'revoking', deletedAtMs: nowMs - second })],
    ['where its id is the new key’s', previousFacts(1, { keyId: 'key-2' }, { by: 'provider' })],
  ])('an old key that is not listed proves nothing %s', (_name, old) => {
    expect(found({ sighting: sighting('key-2') }, { versions: [old, versionFacts(2)] })).toEqual([]);
  });

  test('nor does a suspect while the provider may hide a key in its grace', () => {
    const versions = [previousFacts(1, { providerDiesAtMs: nowMs + minute }), versionFacts(2)];
    const suspect = { versions, debts: [debt('suspected-orphan')] };
    expect(found({}, suspect)).toEqual([['suspected-orphan', 'KT-SUSPECTED-ORPHAN', null]]);
  });

  test('a key that is so new that a listing may miss it is not missing', () => {
    const versions = [versionFacts(2, { createdAtMs: nowMs - second })];
    expect(found({ sighting: sighting(), settleMs: 30 * second }, { versions })).toEqual([]);
    expect(found({ sighting: sighting() }, { versions })).toEqual([['missing-current', 'KT-KEY-MISSING', null]]);
  });

  test('says for every finding what it means, and the next command for all that is open', () => {
    const worst = { workflow: { seq: 1, version: 1, keyId: 'key-1' }, sighting: sighting('x', 'key-2') };
    const findings = findingsOf(compared(worst, { debts: [debt('orphan'), debt('suspected-orphan', 'unlisted')] }));
    expect(findings.length).toBe(5);
    for (const f of findings) expect(f.means).not.toBe('');
    for (const f of findings.filter(isOpen)) expect(f.next).toMatch(/^keyturn \w+/);
  });
});

describe('the repairs', () => {
  test('make due what is owed, and touch nothing else', () => {
    const { record } = compared({}, { debts: [debt('orphan'), debt('orphan', 'other'), debt('mirror')] });
    const findings = findingsOf(compared({}, { debts: [debt('orphan')] }));
    const next = repaired(record, findings, nowMs, 0);
    expect(next.debts.map((d) => d.nextAttemptAtMs === nowMs)).toEqual([true, false, false]);
    expect({ ...next, debts: [] }).toEqual({ ...record, debts: [] });
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
    expect(found({ sighting: sighting('key-2') }, next)).toEqual([]);
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
    expect(isDealtWith({ ...due, debts: [] }, findings, nowMs)).toBe(true);
    expect(isDealtWith(c.record, findings, nowMs)).toBe(true);
  });

  test('are not made where a rotation or an import came between', () => {
    const { record } = compared();
    expect(hasSameKeys(record, { ...record, seq: 8, acknowledged: [{ consumer: 'billing', version: 2 }] })).toBe(true);
    expect(hasSameKeys(record, { ...record, versions: [versionFacts(2)] })).toBe(false);
    expect(hasSameKeys(record, { ...record, debts: [debt('orphan')] })).toBe(false);
  });
});

describe('what a comparison leaves in the record', () => {
  const missing = (over: Partial<Compared> = {}) => findingsOf(compared({ sighting: sighting('key-1'), ...over }));
  const drift = (atMs = nowMs) => {
    const made = driftOf(missing(), atMs);
    if (!made) throw new Error('nothing was compared');
    return made;
  };
  const standingIn = (record: CredentialRecord) => standing(viewOf(record, null)).map(({ code }) => code);

  test('is what only somebody can mend; debts are in the record already', () => {
    const found = findingsOf(compared({ sighting: sighting('key-2', 'x') }, { debts: [debt('orphan')] }));
    expect(driftOf(found, nowMs)?.findings.map(({ kind }) => kind)).toEqual(['missing-previous']);
    expect(driftOf([], nowMs)).toEqual({ checkedAtMs: nowMs, findings: [] });
  });

  test('is nothing where the provider was not asked, or the store is behind', () => {
    const notAsked: Sighting = { keys: null, account: 'not-asked', current: 'not-tried', because: null, code: null };
    expect(driftOf(missing({ sighting: notAsked }), nowMs)).toBeNull();
    expect(driftOf(missing({ workflow: { seq: 9, version: 2, keyId: null } }), nowMs)).toBeNull();
  });

  test('keeps its first instant', () => {
    const later = driftAfter(drift(), drift(nowMs + day));
    expect(later).toMatchObject({ checkedAtMs: nowMs + day, findings: [{ sinceMs: nowMs }] });
  });

  test('stands until another version is current, or a clean comparison came', () => {
    const { record } = compared();
    expect(standingIn({ ...record, drift: drift() })).toEqual(['KT-KEY-MISSING']);
    expect(standingIn({ ...record, drift: { checkedAtMs: nowMs, findings: [] } })).toEqual([]);
    const replaced = [previousFacts(2), versionFacts(3)];
    expect(standingIn({ ...record, versions: replaced, drift: drift() })).toEqual([]);
    expect(standingIn(record)).toEqual([]);
  });

  test('is taken from outside only in its own shape, and bounded', () => {
    const own = drift();
    expect(checkedDrift(own)).toEqual(own);
    const [finding] = own.findings;
    const many = { ...own, findings: Array.from({ length: 50 }, () => finding) };
    expect(checkedDrift(many)?.findings).toHaveLength(10);
    const wrong = [
      null,
      'x',
      {},
      { ...own, checkedAtMs: 'x' },
      { ...own, findings: [{ ...finding, code: 'KT-NO-SUCH' }] },
      { ...own, findings: [{ ...finding, message: 'x'.repeat(10_000) }] },
      { ...own, findings: [{ ...finding, version: '1' }] },
      { ...own, findings: [null] },
    ];
    for (const given of wrong) expect(checkedDrift(given)).toBeNull();
  });
});
