/** Small facts to build records from; every test overrides what it is about. */
import { firstRecord, type ImportedKey } from '../../../src/domain/imports.js';
import type {
  CredentialRecord,
  EngineStrategy,
  IntentFacts,
  OperationFacts,
  RetirementFacts,
  RotationFacts,
  RotationPolicy,
  VersionFacts,
} from '../../../src/domain/record.js';
import type { RotationRequest } from '../../../src/domain/request.js';
import { nextIntentN } from '../../../src/domain/intents.js';
import type { Transition } from '../../../src/domain/transitions.js';

export const second = 1_000;
export const minute = 60 * second;
export const hour = 60 * minute;
export const day = 24 * hour;
export const t0 = Date.parse('2026-11-21T04:00:00.000Z');

export const policy: RotationPolicy = {
  graceMs: 20 * minute,
  refreshWithinMs: 5 * minute,
  minIntervalMs: hour,
  renewBeforeMs: day,
  activationLagMs: 0,
  consumers: [],
};

const timing = {
  sendWithinMs: 5 * second,
  httpTimeoutMs: 15 * second,
  skewMs: 2 * second,
  verifyAgainAfterMs: 5 * minute,
  propagationMs: 0,
  settleMs: 0,
  observeMs: 0,
};

const common = { listable: true, equips: false, restorable: false, timing };
export const classB: EngineStrategy = {
  ...common,
  class: 'B',
  replayWindowMs: 6 * hour,
  providerGraceMs: null,
  intents: ['create-key'],
  needsSecretKey: false,
};
export const classA: EngineStrategy = {
  ...classB,
  class: 'A',
  replayWindowMs: 0,
  equips: true,
  restorable: true,
  timing: { ...timing, settleMs: 30 * second, propagationMs: 200 * second, observeMs: 10 * minute },
};
export const classC: EngineStrategy = { ...classB, class: 'C', replayWindowMs: 0 };
export const classD: EngineStrategy = {
  ...common,
  class: 'D',
  replayWindowMs: 6 * hour,
  providerGraceMs: 30 * minute,
  intents: ['rotate', 'create-key', 'create-secret'],
  needsSecretKey: true,
};

export const identity = {
  provider: 'mambu',
  baseUrl: 'https://acme.mambu.com/api',
  account: 'c-1',
  strategy: 'create-and-delete',
};

export function importedKey(n: number, over: Partial<ImportedKey> = {}): ImportedKey {
  return { keyId: `key-${n}`, fingerprint: `hmac:${n}`, identity, secretKey: 'ok', nowMs: t0 - day, ...over };
}

/** Version 1 is current, imported a day ago. */
export function recordOf(over: Partial<CredentialRecord> = {}): CredentialRecord {
  return { ...firstRecord('core-prod', 'installation-1', importedKey(1)), ...over };
}

export function versionFacts(version: number, over: Partial<VersionFacts> = {}): VersionFacts {
  return {
    version,
    stage: 'current',
    keyId: `key-${version}`,
    fingerprint: `hmac:${version}`,
    operationId: `op-${version}`,
    identity,
    createdAtMs: t0,
    publishedAtMs: t0,
    verifiedAtMs: t0,
    expiresAtMs: null,
    lifetime: null,
    providerDiesAtMs: null,
    secretKey: 'ok',
    leaked: false,
    retirement: null,
    ...over,
  };
}

export function retirementFacts(over: Partial<RetirementFacts> = {}): RetirementFacts {
  return {
    state: 'in-grace',
    supersededBy: 2,
    supersededAtMs: t0,
    refreshWithinMs: policy.refreshWithinMs,
    graceMs: policy.graceMs,
    consumers: [],
    killNow: false,
    by: 'delete',
    notBeforeMs: null,
    deletedAtMs: null,
    suspendedAtMs: null,
    attempts: 0,
    nextAttemptAtMs: null,
    lastError: null,
    ...over,
  };
}

export function previousFacts(
  version: number,
  over: Partial<VersionFacts> = {},
  retirement: Partial<RetirementFacts> = {},
): VersionFacts {
  const facts = retirementFacts({ supersededBy: version + 1, ...retirement });
  return versionFacts(version, { stage: 'previous', publishedAtMs: t0 - day, retirement: facts, ...over });
}

export function request(over: Partial<RotationRequest> = {}): RotationRequest {
  return { requestId: 'r-1', reason: 'routine', source: 'operator', ...over };
}

export function operationOf(record: CredentialRecord, over: Partial<OperationFacts> = {}): OperationFacts {
  return {
    operationId: 'op-a',
    request: request(),
    startedAtMs: t0,
    fromVersion: record.versions.find((v) => v.stage === 'current')?.version ?? 0,
    toVersion: null,
    policy,
    strategy: classB,
    compensating: false,
    refusedAtMs: null,
    ...over,
  };
}

/** A record with an open operation. */
export function working(over: Partial<OperationFacts> = {}, record = recordOf()): CredentialRecord {
  return { ...record, operation: operationOf(record, over) };
}

export function intentFacts(n: number, over: Partial<IntentFacts> = {}): IntentFacts {
  return {
    n,
    operationId: 'op-a',
    kind: 'create-key',
    idempotencyKey: `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`,
    epoch: 0,
    createdAtMs: t0,
    sendBeforeMs: t0 + timing.sendWithinMs,
    settled: 'open',
    sends: 1,
    inventory: ['key-1'],
    ...over,
  };
}

export function nextIntent(record: CredentialRecord, over: Partial<IntentFacts> = {}): IntentFacts {
  return intentFacts(nextIntentN(record), { epoch: record.epoch, ...over });
}

export function freshKey(
  n: number,
): Pick<VersionFacts, 'keyId' | 'fingerprint' | 'expiresAtMs' | 'secretKey' | 'createdAtMs'> {
  return { keyId: `key-${n}`, fingerprint: `hmac:${n}`, expiresAtMs: null, secretKey: 'ok', createdAtMs: t0 };
}

export function rotationFacts(operationId: string, over: Partial<RotationFacts> = {}): RotationFacts {
  return {
    operationId,
    requestId: `request-of-${operationId}`,
    reason: 'routine',
    source: 'operator',
    outcome: 'rotated',
    version: null,
    startedAtMs: t0,
    endedAtMs: t0,
    steps: [],
    error: null,
    ...over,
  };
}

/** The next record, or a failure that says why there is none. */
export function after(transition: Transition): CredentialRecord {
  if (transition.kind === 'next') return transition.record;
  throw new Error(transition.kind === 'lost' ? `lost: ${transition.because}` : 'done already');
}

export function version(record: CredentialRecord, n: number): VersionFacts {
  const found = record.versions.find((v) => v.version === n);
  if (!found) throw new Error(`version ${n} is not in the record`);
  return found;
}

export function retirementOf(record: CredentialRecord, n: number): RetirementFacts {
  const { retirement } = version(record, n);
  if (!retirement) throw new Error(`version ${n} is not retired`);
  return retirement;
}
