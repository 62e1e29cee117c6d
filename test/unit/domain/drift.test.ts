import { describe, expect, test } from 'vitest';
import { checkedDrift, driftAfter, driftOf, standing } from '../../../src/domain/drift.js';
import { findingsOf, type Compared, type Finding, type Sighting } from '../../../src/domain/reconcile.js';
import type { CredentialRecord, DriftFacts, DriftFinding, VersionFacts } from '../../../src/domain/record.js';
import { viewOf } from '../../../src/domain/view.js';
import { compared, debt, nowMs, sighting } from './comparison.js';
import { day, previousFacts, recordOf, t0, versionFacts } from './facts.js';

const found = (over: Partial<Finding> = {}): Finding => ({
  kind: 'missing-current',
  code: 'KT-KEY-MISSING',
  version: 2,
  keyId: 'key-2',
  message: 'it is gone',
  means: 'consumers get 401',
  repair: null,
  needsOperator: true,
  next: 'keyturn import core-prod --replace',
  ...over,
});

const kept = (over: Partial<DriftFinding> = {}): DriftFinding => ({
  kind: 'missing-current',
  code: 'KT-KEY-MISSING',
  version: 2,
  keyId: 'key-2',
  sinceMs: t0,
  message: 'it is gone; consumers get 401',
  command: 'keyturn import core-prod --replace',
  ...over,
});

const keptOf = (...findings: readonly Finding[]) => driftOf(findings, t0)?.findings;

describe('what a comparison found', () => {
  test('is kept with what it means, since when, and the next command', () => {
    expect(driftOf([found()], t0)).toEqual({ checkedAtMs: t0, findings: [kept()] });
  });

  test.each([
    'wrong-tenant',
    'consumer-gone',
    'current-refused',
    'manager-refused',
    'missing-current',
    'secret-changed',
    'revoked-by-hand',
    'missing-previous',
  ] as const)('%s is kept', (kind) => {
    expect(keptOf(found({ kind }))).toMatchObject([{ kind }]);
  });

  test.each(['workflow-behind', 'revoke-debt', 'orphan', 'suspected-orphan', 'suspect-gone', 'foreign'] as const)(
    '%s shows in the record itself',
    (kind) => {
      expect(keptOf(found({ kind }))).toEqual([]);
    },
  );

  test('is not kept without a code, a version or a next command, nor when keyturn.yaml names another account', () => {
    const without = [found({ code: null }), found({ version: null }), found({ next: null })];
    expect(keptOf(...without, found({ kind: 'wrong-tenant', code: 'KT-REPOINTED' }))).toEqual([]);
  });

  test('is bounded, in number and in length', () => {
    expect(keptOf(...Array.from({ length: 11 }, () => found()))).toHaveLength(10);
    expect(keptOf(found({ message: 'x'.repeat(500) }))?.[0]?.message).toBe('x'.repeat(400));
  });
});

describe('what was found before', () => {
  const later = (...findings: readonly DriftFinding[]): DriftFacts => ({
    checkedAtMs: t0 + day,
    findings: findings.map((finding) => ({ ...finding, sinceMs: t0 + day })),
  });
  const sinceAfter = (before: DriftFacts | undefined, now: DriftFacts) =>
    driftAfter(before, now).findings.map(({ sinceMs }) => sinceMs);

  test('keeps its first instant only as the same thing of the same version', () => {
    const before: DriftFacts = { checkedAtMs: t0, findings: [kept()] };
    const now = later(kept(), kept({ kind: 'secret-changed' }), kept({ version: 1 }));
    expect(sinceAfter(before, now)).toEqual([t0, t0 + day, t0 + day]);
    expect(sinceAfter({ checkedAtMs: t0, findings: [] }, now)).toEqual([t0 + day, t0 + day, t0 + day]);
    expect(sinceAfter(undefined, later(kept()))).toEqual([t0 + day]);
  });

  const stands = (finding: Partial<DriftFinding>, ...versions: readonly VersionFacts[]) => {
    const drift = { checkedAtMs: t0, findings: [kept(finding)] };
    return standing(viewOf(recordOf({ versions, drift }), null)).length === 1;
  };

  test('of the current version stands as long as it is current', () => {
    expect(stands({}, versionFacts(2))).toBe(true);
    expect(stands({}, previousFacts(2), versionFacts(3))).toBe(false);
    expect(stands({}, versionFacts(3))).toBe(false);
  });

  test('of an older version stands until that is removed', () => {
    const older = { version: 1, code: 'KT-DRIFT' };
    expect(stands(older, previousFacts(1), versionFacts(2))).toBe(true);
    expect(stands(older, previousFacts(1, {}, { deletedAtMs: t0 }), versionFacts(2))).toBe(false);
    expect(stands(older, versionFacts(1))).toBe(false);
  });

  test('with a code that this version of keyturn does not know is not shown', () => {
    expect(stands({ code: 'KT-OF-LATER' }, versionFacts(2))).toBe(false);
  });
});

describe('from outside the workflow', () => {
  const given = (...findings: readonly unknown[]) => checkedDrift({ checkedAtMs: t0, findings });

  test('a finding of the right shape is taken as it is, up to the bounds', () => {
    for (const finding of [kept(), kept({ keyId: null }), kept({ message: 'x'.repeat(400) })]) {
      expect(given(finding)).toEqual({ checkedAtMs: t0, findings: [finding] });
    }
  });

  test.each<[string, unknown]>([
    ['nothing', undefined],
    ['a kind that is no text', { ...kept(), kind: 7 }],
    ['a code that is no text', { ...kept(), code: ['KT-DRIFT'] }],
    ['a message that is no text', { ...kept(), message: ['x'] }],
    ['a message that is too long', kept({ message: 'x'.repeat(401) })],
    ['a command that is no text', { ...kept(), command: [] }],
    ['a command that is too long', kept({ command: 'x'.repeat(401) })],
    ['a version that is no number', { ...kept(), version: null }],
    ['an instant that is no number', { ...kept(), sinceMs: '1' }],
    ['an id that is no text', { ...kept(), keyId: 7 }],
    ['an id that is too long', kept({ keyId: 'x'.repeat(401) })],
  ])('%s spoils the whole, even beside a good one', (_, bad) => {
    expect(given(bad)).toBeNull();
    expect(given(kept(), bad)).toBeNull();
  });

  test('what is no comparison at all is refused', () => {
    expect(checkedDrift(undefined)).toBeNull();
    expect(checkedDrift({ checkedAtMs: t0 })).toBeNull();
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
