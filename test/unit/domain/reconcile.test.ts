import { describe, expect, test } from 'vitest';
import { findingsOf, isOpen, type Compared, type Finding, type Sighting } from '../../../src/domain/reconcile.js';
import type { CredentialRecord } from '../../../src/domain/record.js';
import { compared, debt, nowMs, sighting } from './comparison.js';
import { minute, previousFacts, second, t0, versionFacts } from './facts.js';

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

  const reconcile = 'keyturn reconcile core-prod';
  const replace = 'keyturn import core-prod --replace';
  const ofCurrent = { version: 2, keyId: 'key-2', needsOperator: true, repair: null };
  const ofOld = { version: 1, keyId: 'key-1', needsOperator: false };
  const account = (over: Partial<Sighting>): Partial<Compared> => ({
    sighting: { ...sighting(), keys: null, ...over },
  });
  const owing = previousFacts(1, {}, { state: 'debt' });
  const busy = { code: 'KT-PROVIDER-BUSY', message: 'busy' };
  const tried = previousFacts(1, {}, { state: 'debt', lastError: busy, nextAttemptAtMs: nowMs });

  test.each<[string, Partial<Compared>, Partial<CredentialRecord>, Partial<Finding>]>([
    ['gone', account({ account: 'gone' }), {}, { ...ofCurrent, next: replace }],
    ['refused', account({ account: 'refused', current: 'refused' }), {}, { ...ofCurrent, next: replace }],
    ['managed', account({ account: 'refused', because: 'said' }), {}, { ...ofCurrent, next: 'keyturn doctor' }],
    [
      'not asked',
      account({ account: 'not-asked', current: 'not-tried', code: 'KT-LOCKOUT-BUDGET', because: 'said' }),
      {},
      {
        ...ofCurrent,
        kind: 'not-compared',
        code: 'KT-LOCKOUT-BUDGET',
        message: 'said',
        next: 'keyturn lockout core-prod',
      },
    ],
    [
      'never proven',
      account({ account: 'not-asked', code: 'KT-UNVERIFIED' }),
      {},
      { ...ofCurrent, kind: 'not-compared', next: reconcile },
    ],
    ['missing', { sighting: sighting('key-1') }, {}, { ...ofCurrent, next: replace }],
    [
      'ended',
      { sighting: sighting('key-1') },
      { versions: [previousFacts(1), versionFacts(2, { expiresAtMs: nowMs + 2 * second })] },
      { ...ofCurrent, kind: 'missing-current', message: 'the current key key-2 has ended at the provider' },
    ],
    [
      'other value',
      { sighting: { ...sighting('key-1', 'key-2'), current: 'refused', because: '401' } },
      {},
      {
        ...ofCurrent,
        kind: 'secret-changed',
        means: 'consumers hold a value that is not accepted (401)',
        next: replace,
      },
    ],
    ['old one gone', { sighting: sighting('key-2') }, {}, { ...ofOld, next: reconcile }],
    [
      'old one revoked',
      { sighting: sighting({ keyId: 'key-1', revoked: true }, 'key-2') },
      {},
      { ...ofOld, kind: 'revoked-by-hand', next: null },
    ],
    [
      'owed',
      {},
      { versions: [owing, versionFacts(2)] },
      { ...ofOld, message: 'version 1 (key key-1) could not be revoked yet', next: reconcile },
    ],
    [
      'owed and tried',
      {},
      { versions: [tried, versionFacts(2)] },
      { message: 'version 1 (key key-1) could not be revoked yet (busy); next attempt at 2026-11-21T05:00:00.000Z' },
    ],
    [
      'orphan',
      {},
      { debts: [debt('orphan')] },
      { version: null, keyId: 'key-9', needsOperator: false, next: reconcile },
    ],
    [
      'suspect',
      { sighting: sighting('key-1', 'key-2', 'key-9') },
      { debts: [debt('suspected-orphan')] },
      { keyId: 'key-9', needsOperator: true, next: `${reconcile} --delete key-9` },
    ],
    ['suspect gone', {}, { debts: [debt('suspected-orphan')] }, { needsOperator: false, next: reconcile }],
    ['foreign', { sighting: sighting('key-1', 'key-2', 'x') }, {}, { keyId: 'x', needsOperator: false, next: null }],
    ['cloned', { sighting: sighting('x') }, {}, { ...ofCurrent, next: 'keyturn doctor' }],
    ['repointed', { repointed: 'elsewhere' }, {}, { ...ofCurrent, message: 'elsewhere', next: replace }],
    ['told', { workflow: { seq: 6, version: 1, keyId: null } }, {}, { needsOperator: false, next: reconcile }],
    [
      'store behind',
      { workflow: { seq: 9, version: 2, keyId: 'key-2' } },
      {},
      {
        ...ofCurrent,
        means:
          'the store hands out version 2; the current version is the same. Nothing is repaired: put the newer store back',
        next: 'keyturn history core-prod',
      },
    ],
  ])('names the key, who mends it and how: %s', (_, over, record, expected) => {
    expect(findingsOf(compared(over, record))[0]).toMatchObject(expected);
  });

  test('has nothing to say without a current version, and believes nothing then', () => {
    const empty = { versions: [], debts: [debt('orphan')] };
    expect(found({}, empty)).toEqual([]);
    expect(found({ sighting: { ...sighting(), keys: null, account: 'gone' } }, empty)).toEqual([]);
    const elsewhere = findingsOf(compared({ repointed: 'x' }, empty));
    expect(elsewhere).toMatchObject([{ kind: 'wrong-tenant', version: null, keyId: null }]);
    const behind = findingsOf(compared({ workflow: { seq: 9, version: 3, keyId: null }, ...account({}) }, empty));
    expect(behind).toMatchObject([{ kind: 'store-behind', version: null, keyId: null }]);
    expect(behind[0]?.means).toContain("version 0; the workflow's is version 3 (key unknown, not looked for)");
  });

  test('leaves alone what is on its way: an old key that was suspended, one in no debt, a debt that names a living key', () => {
    const revoked = { sighting: sighting({ keyId: 'key-1', revoked: true }, 'key-2') };
    const held = previousFacts(1, {}, { state: 'held', suspendedAtMs: t0 });
    const suspended = previousFacts(1, {}, { suspendedAtMs: t0 });
    for (const old of [held, suspended]) expect(found(revoked, { versions: [old, versionFacts(2)] })).toEqual([]);
    expect(found({}, { debts: [debt('orphan', 'key-1'), debt('mirror')] })).toEqual([]);
    const unplanned = versionFacts(1, { stage: 'previous' });
    expect(found({ sighting: sighting('key-2') }, { versions: [unplanned, versionFacts(2)] })).toEqual([]);
  });

  test('counts on the listing up to the skew before a key ends by itself', () => {
    const missing = (expiresAtMs: number) =>
      found({ sighting: sighting('key-2') }, { versions: [previousFacts(1, { expiresAtMs }), versionFacts(2)] });
    expect(missing(nowMs + 2 * second)).toEqual([]);
    expect(missing(nowMs + 2 * second + 1)).toMatchObject([['missing-previous', 'KT-DRIFT', 'close']]);
    const settled = [previousFacts(1), versionFacts(2, { createdAtMs: nowMs - 30 * second })];
    expect(found({ sighting: sighting('key-1'), settleMs: 30 * second }, { versions: settled })).toMatchObject([
      ['missing-current', 'KT-KEY-MISSING', null],
    ]);
  });

  test('says for every finding what it means, and the next command for all that is open', () => {
    const worst = { workflow: { seq: 1, version: 1, keyId: 'key-1' }, sighting: sighting('x', 'key-2') };
    const findings = findingsOf(compared(worst, { debts: [debt('orphan'), debt('suspected-orphan', 'unlisted')] }));
    expect(findings.length).toBe(5);
    for (const f of findings) expect(f.means).not.toBe('');
    for (const f of findings.filter(isOpen)) expect(f.next).toMatch(/^keyturn \w+/);
  });
});
