/** The public state, a pure function of the record and the lane. */
import { attentionOf, needsOperator } from './attention.js';
import { renewAtMs } from './expiry.js';
import { iso, isoOrNull } from './instant.js';
import type { ActiveRotation, LaneState, SkippedRequest } from './lane.js';
import { currentOf, previousOf, type RotationFacts, type StepFacts, type VersionFacts } from './record.js';
import { diesAtMs, providerEndMs, revokeAtMs, waitingFor } from './retirement.js';
import type {
  Attention,
  CredentialState,
  CredentialStatus,
  DebtState,
  LastRotationState,
  RotationState,
  StepState,
} from './state.js';

export function stateOf(lane: LaneState, nowMs: number): CredentialState {
  const { view } = lane;
  const current = view ? currentOf(view) : undefined;
  const previous = view ? previousOf(view) : [];
  const attention = attentionOf(lane, nowMs);
  return {
    schemaVersion: 1,
    credentialId: lane.credentialId,
    provider: lane.provider,
    capability: lane.capability,
    status: statusOf(lane, attention),
    current: current ? currentState(current) : null,
    previous: previous.map((v) => previousState(v, nowMs)).sort((a, b) => b.version - a.version),
    rotation: lane.active ? rotationState(lane.active) : null,
    pendingRequests: lane.queue.length,
    debts: [...(view?.debts ?? []).map(debtState), ...previous.flatMap(revokeDebt)],
    lastRotation: view?.lastRotation ? lastRotationState(view.lastRotation) : null,
    lastSkipped: lane.lastSkipped ? skippedState(lane.lastSkipped) : null,
    nextRotationAt: isoOrNull(nextRotationMs(lane, nowMs)),
    paused: view?.paused ? { since: iso(view.paused.sinceMs), by: view.paused.by, reason: view.paused.reason } : null,
    lockout: view?.lockout
      ? {
          used: view.lockout.used,
          reserved: view.lockout.reserved,
          limit: view.lockout.limit,
          asOf: iso(view.lockout.asOfMs),
        }
      : null,
    recordSeq: view?.seq ?? null,
    reconciledAt: isoOrNull(view?.drift?.checkedAtMs ?? null),
    attention,
  };
}

export function statusOf(lane: LaneState, attention: readonly Attention[]): CredentialStatus {
  if (needsOperator(attention)) return 'needs-operator';
  if (lane.active) return 'rotating';
  if (lane.view?.paused) return 'paused';
  if (lane.view && previousOf(lane.view).length > 0) return 'retiring';
  if (!lane.view || !currentOf(lane.view)) return 'new';
  return 'idle';
}

/** The earliest of the Schedule's next fire, the key's own renewal and keyturn's next attempt after a failure. */
export function nextRotationMs(lane: LaneState, nowMs: number): number | null {
  const current = lane.view ? currentOf(lane.view) : undefined;
  const renewMs = current && lane.policy ? renewAtMs(current, lane.policy) : Number.POSITIVE_INFINITY;
  const nextMs = Math.min(
    // A fire that has passed is read anew with the next plan.
    lane.scheduledNextMs !== null && lane.scheduledNextMs > nowMs ? lane.scheduledNextMs : Number.POSITIVE_INFINITY,
    renewMs,
    lane.retry?.atMs ?? Number.POSITIVE_INFINITY,
  );
  return Number.isFinite(nextMs) ? nextMs : null;
}

function currentState(v: VersionFacts): NonNullable<CredentialState['current']> {
  return {
    version: v.version,
    keyId: v.keyId,
    fingerprint: v.fingerprint,
    publishedAt: iso(v.publishedAtMs ?? v.createdAtMs),
    verified: v.verifiedAtMs !== null,
    verifiedAt: isoOrNull(v.verifiedAtMs),
    expiresAt: isoOrNull(v.expiresAtMs),
    secretKey: v.secretKey,
  };
}

function previousState(v: VersionFacts, nowMs: number): CredentialState['previous'][number] {
  const r = v.retirement;
  return {
    version: v.version,
    keyId: v.keyId,
    fingerprint: v.fingerprint,
    publishedAt: isoOrNull(v.publishedAtMs),
    retirement: r?.state ?? 'in-grace',
    revokeAt: iso(r ? revokeAtMs(r) : nowMs),
    providerDiesAt: isoOrNull(providerEndMs(v)),
    diesAt: isoOrNull(diesAtMs(v)),
    leaked: v.leaked,
    waitingFor: r ? waitingFor(r, nowMs) : [],
  };
}

function rotationState(a: ActiveRotation): RotationState {
  return {
    requestId: a.request.requestId,
    reason: a.request.reason,
    source: a.request.source,
    operationId: a.operationId,
    step: a.step,
    startedAt: iso(a.startedAtMs),
    recovering: a.recovering,
    parked: a.parked,
    waitingFor: a.waitingFor,
    ...(a.nextAttemptAtMs === null ? {} : { nextAttemptAt: iso(a.nextAttemptAtMs) }),
    ...(a.lastError === null ? {} : { lastError: a.lastError }),
  };
}

function skippedState({ request, because, atMs }: SkippedRequest): CredentialState['lastSkipped'] {
  const { requestId, reason, source } = request;
  return { requestId, reason, source, because, at: iso(atMs) };
}

function debtState(d: LaneStateDebt): DebtState {
  return {
    kind: d.kind,
    version: d.version,
    keyId: d.keyId,
    since: iso(d.sinceMs),
    attempts: d.attempts,
    nextAttemptAt: isoOrNull(d.nextAttemptAtMs),
    lastError: d.lastError,
  };
}
type LaneStateDebt = NonNullable<LaneState['view']>['debts'][number];

function revokeDebt(v: VersionFacts): DebtState[] {
  const r = v.retirement;
  if (r?.state !== 'debt') return [];
  return [
    {
      kind: 'revoke',
      version: v.version,
      keyId: v.keyId,
      since: iso(revokeAtMs(r)),
      attempts: r.attempts,
      nextAttemptAt: isoOrNull(r.nextAttemptAtMs),
      lastError: r.lastError,
    },
  ];
}

export function lastRotationState(f: RotationFacts): LastRotationState {
  return {
    requestId: f.requestId,
    reason: f.reason,
    source: f.source,
    outcome: f.outcome,
    version: f.version,
    startedAt: iso(f.startedAtMs),
    endedAt: iso(f.endedAtMs),
    steps: f.steps.map(stepState),
    ...(f.error ? { error: f.error } : {}),
  };
}

function stepState(s: StepFacts): StepState {
  return { step: s.step, startedAt: iso(s.startedAtMs), endedAt: iso(s.endedAtMs), attempts: s.attempts };
}
