import { describe, expect, test } from 'vitest';
import { attentionOf, needsOperator } from '../../../src/domain/attention.js';
import type { ErrorCode } from '../../../src/domain/errors.js';
import { newLane, type ActiveRotation, type LaneState } from '../../../src/domain/lane.js';
import { nextRotationMs, stateOf, statusOf } from '../../../src/domain/projection.js';
import type { CredentialRecord, DebtFacts, LockoutView } from '../../../src/domain/record.js';
import type { Attention } from '../../../src/domain/state.js';
import { viewOf } from '../../../src/domain/view.js';
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

const publishedAtMs = Date.parse('2026-11-21T04:00:04.120Z');

function laneOf(record: CredentialRecord | null, over: Partial<LaneState> = {}, lockout: LockoutView | null = null) {
  const lane: LaneState = {
    ...newLane('core-prod'),
    view: record && viewOf(record, lockout),
    policy,
    capability: 'B',
    provider: 'mambu',
    ...over,
  };
  return lane;
}
const rotatedRecord = (over: Partial<CredentialRecord> = {}): CredentialRecord =>
  recordOf({ versions: [versionFacts(2)], highestVersion: 2, ...over });

const active: ActiveRotation = {
  operationId: 'op-a',
  request: request(),
  joined: [],
  startedAtMs: t0,
  step: 'rotate',
  stepStartedAtMs: t0,
  attempts: 1,
  steps: [],
  recovering: false,
  parked: false,
  waitingFor: [],
  nextAttemptAtMs: null,
  lastError: null,
  unsaved: null,
  preempted: false,
};
const paused = { sinceMs: t0, by: 'ada', reason: null };
const capabilityLost = { sinceMs: t0, message: 'no secret key', deadlineMs: t0 + hour, retryAtMs: null, attempts: 0 };
const debt = (kind: DebtFacts['kind']): DebtFacts => ({
  kind,
  version: null,
  keyId: 'key-9',
  sinceMs: t0,
  attempts: 1,
  nextAttemptAtMs: t0 + minute,
  lastError: { code: 'KT-PROVIDER-BUSY', message: 'busy' },
  identity,
});

describe('the state as JSON', () => {
  const consumers = [{ name: 'billing', ackByMs: publishedAtMs + day, ackedAtMs: null }];
  const record = recordOf({
    versions: [
      previousFacts(1, { publishedAtMs: t0 - day }, { supersededAtMs: publishedAtMs, consumers }),
      versionFacts(2, { publishedAtMs, verifiedAtMs: publishedAtMs }),
    ],
    highestVersion: 2,
    history: [
      rotationFacts('op-a', {
        requestId: 'mambu/0a',
        source: 'webhook',
        version: 2,
        startedAtMs: t0,
        endedAtMs: publishedAtMs,
        steps: [{ step: 'rotate', startedAtMs: t0, endedAtMs: t0, attempts: 1 }],
      }),
    ],
  });
  const lockout = { used: 0, reserved: 0, limit: 4, asOfMs: t0 };
  const state = stateOf(laneOf(record, { scheduledNextMs: t0 + day }, lockout), publishedAtMs);
  const at = '2026-11-21T04:00:00.000Z';

  test('is the documented one, key by key', () => {
    expect(JSON.parse(JSON.stringify(state))).toStrictEqual({
      schemaVersion: 1,
      credentialId: 'core-prod',
      provider: 'mambu',
      capability: 'B',
      status: 'retiring',
      current: {
        version: 2,
        keyId: 'key-2',
        fingerprint: 'hmac:2',
        publishedAt: '2026-11-21T04:00:04.120Z',
        verified: true,
        verifiedAt: '2026-11-21T04:00:04.120Z',
        expiresAt: null,
        secretKey: 'ok',
      },
      previous: [
        {
          version: 1,
          keyId: 'key-1',
          fingerprint: 'hmac:1',
          publishedAt: '2026-11-20T04:00:00.000Z',
          retirement: 'in-grace',
          revokeAt: '2026-11-22T04:20:04.120Z',
          providerDiesAt: null,
          diesAt: '2026-11-22T04:20:04.120Z',
          leaked: false,
          waitingFor: ['ack:billing'],
        },
      ],
      rotation: null,
      pendingRequests: 0,
      debts: [],
      lastRotation: {
        requestId: 'mambu/0a',
        reason: 'routine',
        source: 'webhook',
        outcome: 'rotated',
        version: 2,
        startedAt: at,
        endedAt: '2026-11-21T04:00:04.120Z',
        steps: [{ step: 'rotate', startedAt: at, endedAt: at, attempts: 1 }],
      },
      lastSkipped: null,
      nextRotationAt: '2026-11-22T04:00:00.000Z',
      paused: null,
      lockout: { used: 0, reserved: 0, limit: 4, asOf: at },
      recordSeq: 1,
      reconciledAt: null,
      attention: [],
    });
  });

  test('has its keys in the documented order', () => {
    expect(Object.keys(state).join(' ')).toBe(
      'schemaVersion credentialId provider capability status current previous rotation pendingRequests debts lastRotation ' +
        'lastSkipped nextRotationAt paused lockout recordSeq reconciledAt attention',
    );
  });

  test('of a rotation in progress leaves out what is not known', () => {
    const shown = (over: Partial<ActiveRotation> = {}) =>
      stateOf(laneOf(record, { active: { ...active, ...over } }), t0).rotation;
    expect(shown()).toStrictEqual({
      requestId: 'r-1',
      reason: 'routine',
      source: 'operator',
      operationId: 'op-a',
      step: 'rotate',
      startedAt: at,
      recovering: false,
      parked: false,
      waitingFor: [],
    });
    const lastError = { code: 'KT-PROVIDER-BUSY', message: 'busy' };
    expect(shown({ nextAttemptAtMs: t0, lastError })).toMatchObject({ nextAttemptAt: at, lastError });
  });

  test('never shows the sealed answer that waits for the store', () => {
    const waiting = { ...active, unsaved: { intent: 1, sealed: 'sealed-canary' } };
    expect(JSON.stringify(stateOf(laneOf(record, { active: waiting }), t0))).not.toContain('canary');
  });

  test('lists debts of every kind, those of old versions too', () => {
    const owing = previousFacts(1, {}, { state: 'debt', attempts: 3, nextAttemptAtMs: t0 + hour });
    const state = stateOf(laneOf(rotatedRecord({ versions: [owing, versionFacts(2)], debts: [debt('orphan')] })), t0);
    expect(state.debts).toStrictEqual([
      {
        kind: 'orphan',
        version: null,
        keyId: 'key-9',
        since: at,
        attempts: 1,
        nextAttemptAt: '2026-11-21T04:01:00.000Z',
        lastError: { code: 'KT-PROVIDER-BUSY', message: 'busy' },
      },
      {
        kind: 'revoke',
        version: 1,
        keyId: 'key-1',
        since: '2026-11-21T04:25:00.000Z',
        attempts: 3,
        nextAttemptAt: '2026-11-21T05:00:00.000Z',
        lastError: null,
      },
    ]);
    expect(state.previous).toMatchObject([{ retirement: 'debt', diesAt: null }]);
  });

  test('shows as providerDiesAt whichever end the provider sets first, so that diesAt is the earlier of both', () => {
    const dying = previousFacts(1, { providerDiesAtMs: t0 + 30 * minute, expiresAtMs: t0 + 10 * minute });
    const [old] = stateOf(laneOf(rotatedRecord({ versions: [dying, versionFacts(2)] })), t0).previous;
    expect(old).toMatchObject({ providerDiesAt: '2026-11-21T04:10:00.000Z', diesAt: '2026-11-21T04:10:00.000Z' });
  });

  test('lists old versions newest first', () => {
    const many = rotatedRecord({ versions: [previousFacts(1), previousFacts(2), versionFacts(3)] });
    expect(stateOf(laneOf(many), t0).previous.map((v) => v.version)).toEqual([2, 1]);
  });
});

describe('in every situation the state', () => {
  const full = rotatedRecord({
    versions: [
      previousFacts(1, { leaked: true }, { state: 'debt' }),
      versionFacts(2, { leaked: true, verifiedAtMs: null, expiresAtMs: t0 + day, secretKey: 'lost' }),
      versionFacts(3, { stage: 'pending', publishedAtMs: null }),
    ],
    debts: [debt('orphan'), debt('suspected-orphan'), debt('mirror')],
    capabilityLost,
    lostProofs: { sinceMs: t0, message: 'no permission to list' },
    paused,
    history: [rotationFacts('op', { outcome: 'needs-operator', error: { code: 'KT-LOCKED-OUT', message: 'x' } })],
  });
  const trouble = { code: 'KT-STORE-BEHIND', message: 'older', sinceMs: t0 };
  const lanes: readonly LaneState[] = [
    newLane('core-prod'),
    laneOf(null),
    laneOf(recordOf()),
    laneOf(full, { active, trouble, queue: [{ request: request(), acceptedAtMs: t0, leakNoted: true }] }),
    laneOf(full, { policy: null, retry: { request: request(), atMs: t0, failures: 1 } }),
  ];

  test('is plain JSON with nothing undefined', () => {
    for (const lane of lanes) {
      const state = stateOf(lane, t0);
      expect(JSON.parse(JSON.stringify(state))).toStrictEqual(state);
    }
  });

  test('has no field that could hold a secret', () => {
    const names = new Set<string>();
    const collect = (value: unknown): void => {
      if (typeof value !== 'object' || value === null) return;
      for (const [name, inner] of Object.entries(value)) {
        if (!/^\d+$/.test(name)) names.add(name);
        collect(inner);
      }
    };
    for (const lane of lanes) collect(stateOf(lane, t0));
    expect([...names].filter((n) => /api_?key|password|token|value|sealed|shelf|body/i.test(n))).toEqual([]);
    // It says whether there is a secret key, never which.
    expect([...names].filter((n) => /secret/i.test(n))).toEqual(['secretKey']);
  });

  test('names only codes of the error table and a command for each attention', () => {
    for (const lane of lanes)
      for (const a of stateOf(lane, t0).attention) {
        expect(a.code).toMatch(/^KT-[A-Z-]+$/);
        expect(a.command).toMatch(/^keyturn /);
        expect(a.since).toMatch(/^\d{4}-.*Z$/);
      }
  });
});

describe('the status', () => {
  const retiring = rotatedRecord({ versions: [previousFacts(1), versionFacts(2)] });
  const status = (record: CredentialRecord | null, over: Partial<LaneState> = {}) =>
    stateOf(laneOf(record, over), t0).status;

  test.each([
    ['needs-operator', status({ ...retiring, capabilityLost, paused }, { active })],
    ['rotating', status({ ...retiring, paused }, { active })],
    ['paused', status({ ...retiring, paused })],
    ['retiring', status(retiring)],
    ['new', status(null)],
    ['idle', status(rotatedRecord())],
  ])('is %s by the documented precedence', (expected, actual) => {
    expect(actual).toBe(expected);
  });

  test('is paused or rotating also while there is no key yet', () => {
    expect(status(recordOf({ versions: [], paused }))).toBe('paused');
    expect(status(null, { active })).toBe('rotating');
    expect(status(recordOf({ versions: [] }))).toBe('new');
  });

  test('needs an operator for what hands must mend, not for what mends itself', () => {
    const of = (code: ErrorCode): Attention => ({ code, since: '', message: '', command: '' });
    const serious: ErrorCode[] = [
      'KT-CAPABILITY-LOST',
      'KT-CREDENTIAL-REFUSED',
      'KT-UNVERIFIED',
      'KT-SUSPECTED-ORPHAN',
    ];
    for (const code of serious) expect(statusOf(laneOf(rotatedRecord()), [of(code)])).toBe('needs-operator');
    const notices: ErrorCode[] = ['KT-DEBT', 'KT-PROOF-LOST', 'KT-DIES-EARLY', 'KT-PAUSED', 'KT-NOT-IN-CONFIG'];
    expect(needsOperator(notices.map(of))).toBe(false);
  });
});

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

describe('the next rotation', () => {
  const expiring = rotatedRecord({ versions: [versionFacts(2, { expiresAtMs: t0 + 30 * day })] });
  const retry = { request: request(), atMs: t0 + minute, failures: 1 };

  test('is the earliest of Schedule, renewal and retry', () => {
    expect(nextRotationMs(laneOf(rotatedRecord()), t0)).toBeNull();
    expect(nextRotationMs(laneOf(rotatedRecord(), { scheduledNextMs: t0 + day }), t0)).toBe(t0 + day);
    expect(nextRotationMs(laneOf(expiring), t0)).toBe(t0 + 29 * day);
    expect(nextRotationMs(laneOf(expiring, { scheduledNextMs: t0 + day, retry }), t0)).toBe(t0 + minute);
    expect(nextRotationMs(laneOf(expiring, { policy: null }), t0)).toBeNull();
  });

  test('is no fire that has passed', () => {
    expect(nextRotationMs(laneOf(rotatedRecord(), { scheduledNextMs: t0 }), t0)).toBeNull();
  });
});

test('the view keeps from the workflow what only custody needs', () => {
  const record = rotatedRecord({ history: [rotationFacts('op-2'), rotationFacts('op-1')], seen: ['x.1.d'] });
  const view = viewOf(record, null);
  expect(view.lastRotation?.operationId).toBe('op-2');
  for (const hidden of ['history', 'intents', 'seen', 'destroyed']) expect(view).not.toHaveProperty(hidden);
  expect(viewOf(rotatedRecord(), null).lastRotation).toBeNull();
});
