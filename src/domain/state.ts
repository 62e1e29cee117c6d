/** The public state of a credential: what the query, the CLI and the HTTP API answer. */
import type { Outcome, RequestReason, RequestSource, SkipReason } from './request.js';

export type CredentialStatus = 'needs-operator' | 'rotating' | 'paused' | 'retiring' | 'new' | 'idle';
export type StepName = 'plan' | 'rotate' | 'persist' | 'equip' | 'verify' | 'publish';
export type RetirementState = 'in-grace' | 'held' | 'revoking' | 'debt' | 'destroyed';
export type DebtKind = 'revoke' | 'orphan' | 'suspected-orphan' | 'mirror';

export interface Attention {
  readonly code: string;
  readonly since: string;
  readonly message: string;
  readonly deadline?: string;
  /** The command that mends it or says more. */
  readonly command: string;
}

export interface StateError {
  readonly code: string;
  readonly message: string;
}

export interface DebtState {
  readonly kind: DebtKind;
  readonly version: number | null;
  readonly keyId: string;
  readonly since: string;
  readonly attempts: number;
  readonly nextAttemptAt: string | null;
  readonly lastError: StateError | null;
}

export interface CurrentVersionState {
  readonly version: number;
  readonly keyId: string;
  readonly fingerprint: string;
  readonly publishedAt: string;
  readonly verified: boolean;
  readonly verifiedAt: string | null;
  readonly expiresAt: string | null;
  readonly secretKey: 'ok' | 'lost' | null;
}

export interface PreviousVersionState {
  readonly version: number;
  readonly keyId: string;
  readonly fingerprint: string;
  readonly publishedAt: string | null;
  readonly retirement: RetirementState;
  readonly revokeAt: string;
  readonly providerDiesAt: string | null;
  readonly diesAt: string | null;
  readonly leaked: boolean;
  readonly waitingFor: readonly string[];
}

export interface RotationState {
  readonly requestId: string;
  readonly reason: RequestReason | 'rollback';
  readonly source: RequestSource;
  readonly operationId: string;
  readonly step: StepName;
  readonly startedAt: string;
  readonly recovering: boolean;
  readonly parked: boolean;
  readonly waitingFor: readonly string[];
  readonly nextAttemptAt?: string;
  readonly lastError?: StateError;
}

export interface StepState {
  readonly step: StepName;
  readonly startedAt: string;
  readonly endedAt: string;
  readonly attempts: number;
}

export interface LastRotationState {
  readonly requestId: string;
  readonly reason: RequestReason | 'rollback';
  readonly source: RequestSource;
  readonly outcome: Exclude<Outcome, 'pending'>;
  readonly version: number | null;
  readonly startedAt: string;
  readonly endedAt: string;
  readonly steps: readonly StepState[];
  readonly error?: StateError;
}

/** Answer of the query `credentialState`. Times are ISO 8601 UTC. Never holds a secret. */
export interface CredentialState {
  readonly schemaVersion: 1;
  readonly credentialId: string;
  readonly provider: string | null;
  /** Class of what the provider's strategy can do after a lost answer, A–E (docs/guarantees.md). */
  readonly capability: 'A' | 'B' | 'C' | 'D' | 'E' | null;
  readonly status: CredentialStatus;
  readonly current: CurrentVersionState | null;
  readonly previous: readonly PreviousVersionState[];
  readonly rotation: RotationState | null;
  readonly pendingRequests: number;
  readonly debts: readonly DebtState[];
  readonly lastRotation: LastRotationState | null;
  /** The last request that came to no rotation, as the running workflow knows it: a new run begins with null. */
  readonly lastSkipped: {
    readonly requestId: string;
    readonly reason: RequestReason;
    readonly source: RequestSource;
    readonly because: SkipReason;
    readonly at: string;
  } | null;
  readonly nextRotationAt: string | null;
  readonly paused: { readonly since: string; readonly by: string | null; readonly reason: string | null } | null;
  readonly lockout: {
    readonly used: number;
    readonly reserved: number;
    readonly limit: number;
    readonly asOf: string;
  } | null;
  /** How far the workflow has seen the record; null before its first load. */
  readonly recordSeq: number | null;
  /** When provider, store and workflow were compared last; null: never. */
  readonly reconciledAt: string | null;
  readonly attention: readonly Attention[];
}

/** Output of `rotateCredential`; with `requestId` the signal `rotationFinished`. */
export interface RotationResult {
  readonly outcome: Outcome;
  readonly credentialId: string;
  /** Version that is current when the rotation ended; null while there is none. */
  readonly version: number | null;
  readonly keyId: string | null;
  readonly publishedAt: string | null;
  readonly skippedBecause?: SkipReason;
  /** Why it did not end well; secret-free. */
  readonly error?: { readonly code: string; readonly message: string };
  /** Request id of the rotation that this request joined; absent where it had its own, or none. */
  readonly servedBy?: string;
  readonly attention: readonly Attention[];
}
export interface RotationFinished extends RotationResult {
  readonly requestId: string;
}
