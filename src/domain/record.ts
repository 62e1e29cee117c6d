/**
 * The record: the truth about the keys of one credential, as the store keeps it. This is its secret-free part, the facts;
 * the sealed values live beside it in the same snapshot and are known to custody only.
 *
 * Plain JSON, times in epoch milliseconds, bounded (see `bounds`): it travels to the workflow as `RecordView`.
 */
import type { Acknowledgement, Outcome, RequestReason, RequestSource, RotationRequest } from './request.js';
import type { DebtKind, StateError, StepName } from './state.js';

export const bounds = {
  /** Rotations remembered, and for how many of them the steps. */
  history: 50,
  historySteps: 10,
  seenRequests: 1_000,
  waitingRequests: 20,
  recordBytes: 64 * 1024,
} as const;

/** Where and how a version's key was made: enough to retire it after the config has moved on. Secret-free. */
export interface ProviderIdentity {
  readonly provider: string;
  readonly baseUrl: string;
  /** E.g. Mambu's consumer id. */
  readonly account: string;
  readonly strategy: string;
}

/** One reading of a remaining or original lifetime; two of them tell which it is. */
export interface LifetimeReading {
  readonly atMs: number;
  readonly ttlMs: number;
}

export interface VersionFacts {
  readonly version: number;
  readonly stage: 'pending' | 'current' | 'previous';
  /** Provider's id of the key, or the fingerprint where the id is itself secret. */
  readonly keyId: string;
  readonly fingerprint: string;
  /** Operation that made it; `import/<n>` for imported ones. */
  readonly operationId: string;
  readonly identity: ProviderIdentity;
  readonly createdAtMs: number;
  readonly publishedAtMs: number | null;
  readonly verifiedAtMs: number | null;
  /** End of life set by the provider for this key's own lifetime. */
  readonly expiresAtMs: number | null;
  readonly lifetime: LifetimeReading | null;
  /** End of life that a rotation in place has set (sentAt + tenant's grace): nothing can move it. */
  readonly providerDiesAtMs: number | null;
  readonly secretKey: 'ok' | 'lost' | null;
  readonly leaked: boolean;
  /** Set when the stage is `previous`. */
  readonly retirement: RetirementFacts | null;
}

/** When and how a replaced version dies; domain/retirement.ts derives the instants. */
export interface RetirementFacts {
  readonly state: 'in-grace' | 'held' | 'revoking' | 'debt';
  readonly supersededBy: number;
  /** Publish of the successor. */
  readonly supersededAtMs: number;
  readonly refreshWithinMs: number;
  readonly graceMs: number;
  /** Consumers whose acknowledgement is waited for, until `ackByMs` at the latest; `ackedAtMs` once it came. */
  readonly consumers: readonly {
    readonly name: string;
    readonly ackByMs: number;
    readonly ackedAtMs: number | null;
  }[];
  /** Operator or compromise: die now. */
  readonly killNow: boolean;
  /** How it dies: `delete` by id, or `provider` where the id now names the newer key and only the provider's grace ends it. */
  readonly by: 'delete' | 'provider';
  /**
   * Where a lost rotation was recovered by another key, the old id may name the old or the lost key: it is deleted only after the
   * provider's grace has surely ended, right in both cases. Null: no such bound.
   */
  readonly notBeforeMs: number | null;
  /** When the delete by this id was answered 204 (or 404 where that counts); death is proven after propagation. */
  readonly deletedAtMs: number | null;
  readonly suspendedAtMs: number | null;
  readonly attempts: number;
  readonly nextAttemptAtMs: number | null;
  readonly lastError: StateError | null;
}

export type IntentKind = 'rotate' | 'create-key' | 'create-secret';

/**
 * Written before a write is sent. `settled` says what became of it:
 * `open` – being sent, or the worker died (unknown once `sendBeforeMs` + HTTP time-out + skew has passed),
 * `unknown` – the attempt ended without a usable answer, `not-sent`, `answered` (sealed), `refused` (definite, no effect).
 */
export interface IntentFacts {
  readonly n: number;
  readonly operationId: string;
  readonly kind: IntentKind;
  /** UUID v4; the same for every sending of this intent. */
  readonly idempotencyKey: string;
  readonly epoch: number;
  readonly createdAtMs: number;
  readonly sendBeforeMs: number;
  readonly settled: 'open' | 'unknown' | 'not-sent' | 'answered' | 'refused';
  /** How often it was sent or may have been (class B re-sends the stored bytes). */
  readonly sends: number;
  /** Re-sendings that were answered without a usable key (a tenant that does not repeat keys): more of them are no use. Absent: none. */
  readonly keylessReplays?: number;
  /** The provider has said that the value is in use already: by an earlier sending, or by somebody else's key. */
  readonly taken?: true;
  /** Looked for until the provider would surely have shown it, since the last sending: it does not exist. */
  readonly absent?: boolean;
  /** Ids listed just before sending; null when listing was not permitted. */
  readonly inventory: readonly string[] | null;
}

/** The rotation being worked on. Survives termination, cancellation and reset of the entity. */
export interface OperationFacts {
  readonly operationId: string;
  readonly request: RotationRequest;
  readonly startedAtMs: number;
  readonly fromVersion: number;
  /** Set when the new key is sealed as `pending`. */
  readonly toVersion: number | null;
  readonly policy: RotationPolicy;
  readonly strategy: EngineStrategy;
  /** Compensation has begun: this operation can only end as `rolled-back` (or failed/needs-operator). */
  readonly compensating: boolean;
  /** First verification that was refused; the second try may come after it. */
  readonly refusedAtMs: number | null;
}

/** The policy of the config at the time of the plan, in milliseconds. */
export interface RotationPolicy {
  readonly graceMs: number;
  readonly refreshWithinMs: number;
  readonly minIntervalMs: number;
  readonly renewBeforeMs: number;
  readonly activationLagMs: number;
  readonly consumers: readonly { readonly name: string; readonly ackWithinMs: number }[];
}

export interface Timing {
  readonly sendWithinMs: number;
  readonly httpTimeoutMs: number;
  readonly skewMs: number;
  readonly verifyAgainAfterMs: number;
  readonly propagationMs: number;
  /** How long a read may miss what a write has made. */
  readonly settleMs: number;
  /** Between the revocation of an old key, which can be undone, and its removal. */
  readonly observeMs: number;
}

/** What the engine needs to know of a provider's strategy; derived from the provider's capability (domain/capability.ts). */
export interface EngineStrategy {
  readonly class: 'A' | 'B' | 'C' | 'D' | 'E';
  readonly replayWindowMs: number;
  readonly listable: boolean;
  /** The provider's own grace for the old key (classes D and E); null where keyturn decides. */
  readonly providerGraceMs: number | null;
  readonly intents: readonly IntentKind[];
  /** A multi-field credential has to carry a secret that is needed for the next rotation (Mambu's secret key). */
  readonly needsSecretKey: boolean;
  readonly equips: boolean;
  readonly restorable: boolean;
  readonly timing: Timing;
}

export interface DebtFacts {
  readonly kind: Exclude<DebtKind, 'revoke'>;
  readonly version: number | null;
  readonly keyId: string;
  readonly sinceMs: number;
  readonly attempts: number;
  readonly nextAttemptAtMs: number | null;
  readonly lastError: StateError | null;
  readonly identity: ProviderIdentity;
}

export interface StepFacts {
  readonly step: StepName;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  readonly attempts: number;
}

export interface RotationFacts {
  readonly operationId: string;
  readonly requestId: string;
  readonly reason: RequestReason | 'rollback';
  readonly source: RequestSource;
  readonly outcome: Exclude<Outcome, 'pending' | 'skipped'>;
  readonly version: number | null;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  readonly steps: readonly StepFacts[];
  readonly error: StateError | null;
}

export interface DestroyedFacts {
  readonly version: number;
  readonly keyId: string;
  readonly fingerprint: string;
  readonly destroyedAtMs: number;
  readonly proof: 'listed' | 'elapsed' | 'operator';
}

/** The ability to rotate is (about to be) lost; mended by `import --replace`. */
export interface CapabilityLost {
  readonly sinceMs: number;
  readonly message: string;
  /** When the current key dies, where that is known. */
  readonly deadlineMs: number | null;
  /** keyturn's own next attempt to get back what is missing; null: it makes none, an operator has to. */
  readonly retryAtMs: number | null;
  readonly attempts: number;
}

export interface PauseFacts {
  readonly sinceMs: number;
  readonly by: string | null;
  readonly reason: string | null;
}

/** Found by the last comparison with the provider, and mended by somebody; see domain/drift.ts. */
export interface DriftFinding {
  readonly kind: string;
  readonly code: string;
  readonly version: number;
  readonly keyId: string | null;
  readonly sinceMs: number;
  readonly message: string;
  readonly command: string;
}

export interface DriftFacts {
  readonly checkedAtMs: number;
  readonly findings: readonly DriftFinding[];
}

/** Notes that the entity has sent to the store at once. Runs follow one another, and each counts its batches. */
export interface NoteBatch {
  readonly runStartedAtMs: number;
  readonly runId: string;
  readonly n: number;
}

export interface CredentialRecord {
  readonly schemaVersion: 1;
  readonly installationId: string;
  readonly credentialId: string;
  readonly provider: string;
  /** Grows by one with every write. */
  readonly seq: number;
  /** Fencing epoch: an attempt whose intent has a lower one may not send any more. */
  readonly epoch: number;
  readonly highestVersion: number;
  /** Every version that is not destroyed, ascending. */
  readonly versions: readonly VersionFacts[];
  readonly operation: OperationFacts | null;
  /** Intents of the open operation, ascending by n. */
  readonly intents: readonly IntentFacts[];
  readonly debts: readonly DebtFacts[];
  readonly acknowledged: readonly Acknowledgement[];
  readonly paused: PauseFacts | null;
  /** Accepted requests that have to wait, so that an entity that is terminated meanwhile does not lose them. */
  readonly waiting: readonly RotationRequest[];
  readonly capabilityLost: CapabilityLost | null;
  /** The last rotation that could not use a proof, e.g. "no permission to list keys"; null when all proofs were had. */
  readonly lostProofs: { readonly sinceMs: number; readonly message: string } | null;
  /** Absent: never compared. */
  readonly drift?: DriftFacts;
  /** The newest batch of notes that was written; absent: none was yet. */
  readonly noted?: NoteBatch;
  /** Request ids seen, oldest first, as short strings: see domain/seen.ts. */
  readonly seen: readonly string[];
  readonly history: readonly RotationFacts[];
  readonly destroyed: readonly DestroyedFacts[];
}

/** What activities return to the workflow: the record without what only custody and dedupe over termination need. */
export interface RecordView extends Omit<CredentialRecord, 'history' | 'intents' | 'seen' | 'destroyed' | 'noted'> {
  readonly lastRotation: RotationFacts | null;
  /** Where the last is a refused rollback, which has changed nothing: the one before it. */
  readonly lastBefore?: RotationFacts;
  readonly lockout: LockoutView | null;
}

export interface LockoutView {
  readonly used: number;
  readonly reserved: number;
  readonly limit: number;
  readonly asOfMs: number;
}

export function currentOf(record: { readonly versions: readonly VersionFacts[] }): VersionFacts | undefined {
  return record.versions.find((v) => v.stage === 'current');
}
export function pendingOf(record: { readonly versions: readonly VersionFacts[] }): VersionFacts | undefined {
  return record.versions.find((v) => v.stage === 'pending');
}
export function previousOf(record: { readonly versions: readonly VersionFacts[] }): readonly VersionFacts[] {
  return record.versions.filter((v) => v.stage === 'previous');
}
