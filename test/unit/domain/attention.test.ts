import { describe, expect, test } from 'vitest';
import { attentionOf, needsOperator } from '../../../src/domain/attention.js';
import { errorTable, type ErrorCode } from '../../../src/domain/errors.js';
import type { LaneState } from '../../../src/domain/lane.js';
import type { CredentialRecord, LockoutView } from '../../../src/domain/record.js';
import { newDebt } from '../../../src/domain/transitions.js';
import {
  day,
  hour,
  identity,
  minute,
  policy,
  previousFacts,
  recordOf,
  request,
  rotationFacts,
  t0,
  versionFacts,
} from './facts.js';
import { active, capabilityLost, debt, laneOf, paused, rotatedRecord } from './lanes.js';

const nowMs = t0 + 10 * day;
const at = '2026-11-21T04:00:00.000Z';

function raised(record: CredentialRecord | null, over: Partial<LaneState> = {}, lockout: LockoutView | null = null) {
  const lane = laneOf(record, { credentialId: 'core', ...over }, lockout);
  return attentionOf(lane, nowMs).map(({ message: _message, ...rest }) => rest);
}

const waiting = { ...active, step: 'verify', waitingFor: ['approval'] } as const;
const lost = { sinceMs: t0, message: 'no secret key', deadlineMs: null, retryAtMs: t0, attempts: 0 };
const queue = [{ request: request(), acceptedAtMs: t0, leakNoted: true }];
const drift = {
  checkedAtMs: t0,
  findings: [
    {
      kind: 'secret-changed',
      code: 'KT-KEY-MISSING',
      version: 2,
      keyId: 'key-2',
      sinceMs: t0,
      message: 'other value',
      command: 'keyturn import core --replace',
    },
  ],
};
const consumers = [{ name: 'billing', ackByMs: nowMs + day, ackedAtMs: null }];
const refused = { code: 'KT-LOCKOUT-BUDGET', message: 'refused before' };
const refusing = previousFacts(1, {}, { state: 'debt', killNow: true, supersededAtMs: t0, lastError: refused });
const dying = previousFacts(1, { providerDiesAtMs: nowMs + hour }, { consumers, supersededBy: 2 });

describe('attention', () => {
  const codes = (record: CredentialRecord | null, over: Partial<LaneState> = {}, lockout?: LockoutView): string[] =>
    attentionOf(laneOf(record, over, lockout), t0).map((a) => a.code);
  const needed = rotationFacts('op', {
    outcome: 'needs-operator',
    endedAtMs: t0 + hour,
    error: { code: 'KT-CREDENTIAL-REFUSED', message: 'x' },
  });

  test('is none while all is well', () => {
    expect(codes(rotatedRecord())).toEqual([]);
    expect(codes(recordOf())).toEqual([]);
  });

  test.each<[ErrorCode, CredentialRecord, Partial<LaneState>]>([
    ['KT-CAPABILITY-LOST', rotatedRecord({ capabilityLost }), {}],
    ['KT-CREDENTIAL-REFUSED', rotatedRecord({ history: [needed] }), {}],
    ['KT-UNVERIFIED', rotatedRecord({ versions: [versionFacts(2, { verifiedAtMs: null })] }), {}],
    ['KT-LEAKED', rotatedRecord({ versions: [versionFacts(2, { leaked: true })] }), {}],
    ['KT-SUSPECTED-ORPHAN', rotatedRecord({ debts: [debt('suspected-orphan')] }), {}],
    ['KT-DEBT', rotatedRecord({ debts: [debt('orphan')] }), {}],
    ['KT-DEBT', rotatedRecord({ versions: [previousFacts(1, {}, { state: 'debt' }), versionFacts(2)] }), {}],
    ['KT-PROOF-LOST', rotatedRecord({ lostProofs: { sinceMs: t0, message: 'x' } }), {}],
    ['KT-NOT-IN-CONFIG', rotatedRecord(), { policy: null }],
    ['KT-STORE-BEHIND', rotatedRecord(), { trouble: { code: 'KT-STORE-BEHIND', message: 'x', sinceMs: t0 } }],
  ])('is raised: %s', (code, record, over) => {
    expect(codes(record, over)).toEqual([code]);
  });

  test('tells the exact instant at which the current key dies', () => {
    const [lost] = attentionOf(laneOf(rotatedRecord({ capabilityLost })), t0);
    expect(lost).toStrictEqual({
      code: 'KT-CAPABILITY-LOST',
      since: '2026-11-21T04:00:00.000Z',
      message: 'no secret key',
      deadline: '2026-11-21T05:00:00.000Z',
      command: 'keyturn import core-prod --replace',
    });
  });

  test('asks for the import where a rotation was asked for without a key, until there is one', () => {
    const [missing] = attentionOf(laneOf(null, { notImportedSinceMs: t0 }), t0);
    expect(missing).toMatchObject({ code: 'KT-NOT-IMPORTED', command: 'keyturn import core-prod' });
    expect(codes(null)).toEqual([]);
    expect(codes(recordOf(), { notImportedSinceMs: t0 })).toEqual([]);
  });

  test('of a rotation that needed an operator is not hidden by a rollback that was refused', () => {
    const refused = rotationFacts('op-2', { reason: 'rollback', outcome: 'failed', endedAtMs: t0 + 2 * hour });
    expect(codes(rotatedRecord({ history: [refused, needed] }))).toEqual(['KT-CREDENTIAL-REFUSED']);
    expect(codes(rotatedRecord({ history: [refused] }))).toEqual([]);
  });

  test('of a rotation that needed an operator clears with the next import', () => {
    const mended = rotatedRecord({ history: [needed], versions: [versionFacts(3, { publishedAtMs: t0 + 2 * hour })] });
    expect(codes(mended)).toEqual([]);
  });

  test('is not raised for a leak that is being replaced', () => {
    const leaked = rotatedRecord({ versions: [versionFacts(2, { leaked: true })] });
    expect(codes(leaked, { active })).toEqual([]);
  });

  test('is raised before the provider ends a key that a consumer may still hold', () => {
    const consumers = [{ name: 'billing', ackByMs: t0 + day, ackedAtMs: null }];
    const old = (over = {}, r = {}) => previousFacts(1, { providerDiesAtMs: t0 + hour, ...over }, { consumers, ...r });
    const of = (v: ReturnType<typeof old>) => codes(rotatedRecord({ versions: [v, versionFacts(2)] }));
    expect(of(old())).toEqual(['KT-DIES-EARLY']);
    expect(of(old({ providerDiesAtMs: null, expiresAtMs: t0 + hour }))).toEqual(['KT-DIES-EARLY']);
    expect(of(old({ providerDiesAtMs: t0 + 2 * day }))).toEqual([]);
    expect(of(old({ providerDiesAtMs: t0 + minute }, { consumers: [] }))).toEqual([]);
  });

  test('is raised when the budget of invalid-credential calls is spent', () => {
    expect(codes(rotatedRecord(), {}, { used: 4, reserved: 0, limit: 4, asOfMs: t0 })).toEqual(['KT-LOCKOUT-BUDGET']);
    expect(codes(rotatedRecord(), {}, { used: 3, reserved: 0, limit: 4, asOfMs: t0 })).toEqual([]);
  });

  test('is raised for a pause that holds what should not wait', () => {
    const queue = [{ request: request({ source: 'expiry' }), acceptedAtMs: t0, leakNoted: true }];
    expect(codes(rotatedRecord({ paused }), { queue })).toEqual(['KT-PAUSED']);
    expect(codes(rotatedRecord({ paused }))).toEqual([]);
  });
});

describe('an attention names since when, and the command', () => {
  test.each<[ErrorCode, string, CredentialRecord | null, Partial<LaneState>]>([
    [
      'KT-STORE-BEHIND',
      'keyturn reconcile core',
      null,
      { trouble: { code: 'KT-STORE-BEHIND', message: 'x', sinceMs: t0 } },
    ],
    ['KT-KEY-FILE', 'keyturn doctor', null, { trouble: { code: 'KT-KEY-FILE', message: 'x', sinceMs: t0 } }],
    ['KT-NOT-IMPORTED', 'keyturn import core', null, { notImportedSinceMs: t0 }],
    ['KT-NOT-IMPORTED', 'keyturn import core', recordOf({ versions: [] }), { notImportedSinceMs: t0 }],
    ['KT-REPOINTED', 'keyturn import core --replace', rotatedRecord(), { repointed: 'elsewhere' }],
    [
      'KT-CAPABILITY-LOST',
      'keyturn import core --replace',
      rotatedRecord({ capabilityLost: { ...lost, attempts: 1 } }),
      {},
    ],
    ['KT-KEY-MISSING', 'keyturn import core --replace', rotatedRecord({ drift }), {}],
    [
      'KT-UNVERIFIED',
      'keyturn rotate core',
      rotatedRecord({ versions: [versionFacts(2, { verifiedAtMs: null })] }),
      {},
    ],
    [
      'KT-LEAKED',
      'keyturn rotate core --reason compromise',
      rotatedRecord({ versions: [versionFacts(2, { leaked: true })] }),
      {},
    ],
    ['KT-APPROVAL-NEEDED', 'keyturn status core', rotatedRecord(), { active: waiting }],
    [
      'KT-SUSPECTED-ORPHAN',
      'keyturn reconcile core --delete key-9',
      rotatedRecord({ debts: [newDebt('suspected-orphan', 'key-9', identity, t0)] }),
      {},
    ],
    ['KT-DEBT', 'keyturn reconcile core', rotatedRecord({ debts: [newDebt('orphan', 'key-9', identity, t0)] }), {}],
    ['KT-PROOF-LOST', 'keyturn doctor', rotatedRecord({ lostProofs: { sinceMs: t0, message: 'x' } }), {}],
    ['KT-PAUSED', 'keyturn resume core', rotatedRecord({ paused: { sinceMs: t0, by: null, reason: null } }), { queue }],
    ['KT-NOT-IN-CONFIG', 'keyturn apply --prune', rotatedRecord(), { policy: null }],
    [
      'KT-DEBT',
      'keyturn lockout core',
      rotatedRecord({ debts: [{ ...newDebt('orphan', 'key-9', identity, t0), lastError: refused }] }),
      {},
    ],
    ['KT-DEBT', 'keyturn lockout core', rotatedRecord({ versions: [refusing, versionFacts(2)] }), {}],
  ])('%s: %s', (code, command, record, over) => {
    expect(raised(record, over)).toEqual([{ code, since: at, command }]);
  });

  test('with the deadline where the provider ends the old key', () => {
    expect(raised(rotatedRecord({ versions: [dying, versionFacts(2)] }))).toEqual([
      {
        code: 'KT-DIES-EARLY',
        since: at,
        deadline: new Date(nowMs + hour).toISOString(),
        command: 'keyturn ack core --consumer NAME --version 2',
      },
    ]);
  });

  test('from the end of its grace where an old key could not be removed', () => {
    const owing = previousFacts(1, {}, { state: 'debt' });
    const since = new Date(t0 + policy.refreshWithinMs + policy.graceMs).toISOString();
    expect(raised(rotatedRecord({ versions: [owing, versionFacts(2)] }))).toEqual([
      { code: 'KT-DEBT', since, command: 'keyturn reconcile core' },
    ]);
  });

  test('for a budget of calls that is spent or overdrawn, and how a rotation ended that needs somebody', () => {
    const spent = (used: number) => raised(rotatedRecord(), {}, { used, reserved: 0, limit: 4, asOfMs: t0 });
    for (const used of [4, 5]) {
      expect(spent(used)).toEqual([{ code: 'KT-LOCKOUT-BUDGET', since: at, command: 'keyturn lockout core' }]);
    }
    expect(spent(3)).toEqual([]);
    const needed = rotationFacts('op', {
      outcome: 'needs-operator',
      endedAtMs: t0,
      error: { code: 'KT-FORBIDDEN', message: 'x' },
    });
    const before = [versionFacts(2, { publishedAtMs: t0 - minute })];
    const ended = rotatedRecord({ history: [needed], versions: before });
    expect(raised(ended)).toEqual([{ code: 'KT-FORBIDDEN', since: at, command: 'keyturn reconcile core' }]);
    expect(raised({ ...ended, versions: [] })).toEqual([]);
    expect(raised({ ...ended, history: [{ ...needed, outcome: 'failed' }] })).toEqual([]);
    expect(raised({ ...ended, history: [{ ...needed, error: null }] })).toEqual([]);
    expect(raised({ ...ended, versions: [versionFacts(2)] }), 'published at that instant').toEqual([]);
    const both = { ...ended, capabilityLost: { ...lost, retryAtMs: null } };
    expect(raised(both).map(({ code }) => code)).toEqual(['KT-CAPABILITY-LOST']);
  });
});

describe('an attention is not raised', () => {
  test.each<[string, CredentialRecord, Partial<LaneState>]>([
    ['before keyturn has tried to get what is missing', rotatedRecord({ capabilityLost: lost }), {}],
    ['for an imported key that nobody saw work', recordOf(), {}],
    ['for a rotation that waits for nothing', rotatedRecord(), { active }],
    ['for a missing import once there is a key', rotatedRecord(), { notImportedSinceMs: t0 }],
    [
      'while the provider lets the old key live until it is revoked anyway',
      rotatedRecord({
        versions: [
          previousFacts(1, { providerDiesAtMs: nowMs + day + policy.graceMs }, { consumers }),
          versionFacts(2),
        ],
      }),
      {},
    ],
  ])('%s', (_, record, over) => {
    expect(raised(record, over)).toEqual([]);
  });

  test('twice for the same thing, found by a rotation and by a comparison', () => {
    const code = 'KT-KEY-MISSING';
    expect(raised(rotatedRecord({ drift }), { trouble: { code, message: 'x', sinceMs: t0 } })).toEqual([
      { code, since: at, command: 'keyturn doctor' },
    ]);
  });
});

test('these and no others need an operator', () => {
  const codes = Object.keys(errorTable) as readonly ErrorCode[];
  const serious = codes.filter((code) => needsOperator([{ code, since: at, message: '', command: '' }]));
  expect(serious.toSorted()).toEqual([
    'KT-CAPABILITY-LOST',
    'KT-CONSUMER-GONE',
    'KT-CREDENTIAL-REFUSED',
    'KT-KEY-FILE',
    'KT-KEY-MISSING',
    'KT-LOCKED-OUT',
    'KT-LOCKOUT-BUDGET',
    'KT-OUTCOME-UNKNOWN',
    'KT-REPOINTED',
    'KT-SCOPE-DIFFERS',
    'KT-STORE-BEHIND',
    'KT-STORE-CORRUPT',
    'KT-STORE-FOREIGN',
    'KT-SUSPECTED-ORPHAN',
    'KT-UNVERIFIED',
    'KT-WRONG-TENANT',
  ]);
});
