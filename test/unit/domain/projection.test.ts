import { describe, expect, test } from 'vitest';
import { needsOperator } from '../../../src/domain/attention.js';
import type { ErrorCode } from '../../../src/domain/errors.js';
import { newLane, type ActiveRotation, type LaneState } from '../../../src/domain/lane.js';
import { nextRotationMs, stateOf, statusOf } from '../../../src/domain/projection.js';
import type { CredentialRecord } from '../../../src/domain/record.js';
import type { Attention } from '../../../src/domain/state.js';
import { day, hour, minute, previousFacts, recordOf, request, rotationFacts, t0, versionFacts } from './facts.js';
import { active, capabilityLost, debt, laneOf, paused, rotatedRecord } from './lanes.js';

const publishedAtMs = Date.parse('2026-11-21T04:00:04.120Z');

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
  const documented = () => stateOf(laneOf(record, { scheduledNextMs: t0 + day }, lockout), publishedAtMs);
  const at = '2026-11-21T04:00:00.000Z';

  test('is the documented one, key by key', () => {
    expect(JSON.parse(JSON.stringify(documented()))).toStrictEqual({
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
    expect(Object.keys(documented()).join(' ')).toBe(
      'schemaVersion credentialId provider capability status current previous rotation pendingRequests debts lastRotation ' +
        'lastSkipped nextRotationAt paused lockout recordSeq reconciledAt attention',
    );
  });

  test('says who has paused it and why, when it was compared, and what was skipped', () => {
    const because = { sinceMs: t0, by: 'ada', reason: 'freeze' };
    const skipped = { request: request(), because: 'paused', atMs: t0 } as const;
    const drift = { checkedAtMs: t0, findings: [] };
    expect(stateOf(laneOf(rotatedRecord({ paused: because, drift }), { lastSkipped: skipped }), t0)).toMatchObject({
      paused: { since: at, by: 'ada', reason: 'freeze' },
      reconciledAt: at,
      lastSkipped: { requestId: 'r-1', reason: 'routine', source: 'operator', because: 'paused', at },
    });
  });

  test('says why the last rotation ended badly, and that nobody saw the key work', () => {
    const error = { code: 'KT-FORBIDDEN', message: 'not permitted' };
    const failed = rotationFacts('op', { outcome: 'failed', error });
    const unproven = versionFacts(2, { verifiedAtMs: null, publishedAtMs: null, createdAtMs: t0 - day });
    expect(stateOf(laneOf(rotatedRecord({ history: [failed], versions: [unproven] })), t0)).toMatchObject({
      current: { verified: false, verifiedAt: null, publishedAt: '2026-11-20T04:00:00.000Z' },
      lastRotation: { outcome: 'failed', error },
    });
  });

  test('of an old version without a plan for its end is still shown', () => {
    const old = versionFacts(1, { stage: 'previous' });
    expect(stateOf(laneOf(rotatedRecord({ versions: [old, versionFacts(2)] })), t0)).toMatchObject({
      previous: [{ retirement: 'in-grace', revokeAt: at, waitingFor: [] }],
      debts: [],
    });
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
    ['needs-operator', () => status({ ...retiring, capabilityLost, paused }, { active })],
    ['rotating', () => status({ ...retiring, paused }, { active })],
    ['paused', () => status({ ...retiring, paused })],
    ['retiring', () => status(retiring)],
    ['new', () => status(null)],
    ['idle', () => status(rotatedRecord())],
  ])('is %s by the documented precedence', (expected, actual) => {
    expect(actual()).toBe(expected);
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
