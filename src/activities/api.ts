/** The activities as the workflows see them: types only, nothing here is imported at run time by sandbox code. */
import type { ErrorCode } from '../domain/errors.js';
import type { ActiveRotation, LaneState, Note } from '../domain/lane.js';
import type { NoteBatch, OperationFacts, RecordView, RotationFacts, RotationPolicy } from '../domain/record.js';
import type { RotationRequest } from '../domain/request.js';
import type { StoredOutcome } from '../domain/storedOutcome.js';
import type { Verdict } from '../domain/verification.js';
import type {
  MakeApiRequestInput,
  MakeApiRequestOutput,
  ReconciledCredential,
  RetrievedConfiguration,
} from '../contract.js';

/** What the entity believes the record to be: behind it means a restored backup, another installation means a wrong worker. */
export interface Believed {
  readonly credentialId: string;
  readonly seq: number;
  readonly installationId: string | null;
}

export interface StepInput extends Believed {
  readonly operationId: string;
}

export interface PlanInput extends StepInput {
  readonly request: RotationRequest;
  readonly startedAtMs: number;
  /** The rotation that the entity knew to have ended last, null: none. Histories of before do not say. */
  readonly after?: string | null;
}

export interface Loaded {
  readonly view: RecordView | null;
  readonly policy: RotationPolicy | null;
  readonly capability: LaneState['capability'];
  readonly provider: string | null;
  readonly installationId: string;
  readonly skewMs: number;
  readonly seen: readonly string[];
  readonly scheduledNextMs: number | null;
  readonly scheduledUnservedMs: number | null;
  /** The configuration names another account than the key's, in words. */
  readonly repointed: string | null;
  readonly searchAttributes: readonly string[];
}

export interface Planned {
  readonly view: RecordView;
  readonly operation: OperationFacts;
  readonly policy: RotationPolicy;
  readonly capability: NonNullable<LaneState['capability']>;
  readonly canGoBack: boolean;
  readonly scheduledNextMs: number | null;
  /** This operation has ended already (its history entry), or another one is open and has to be finished first. */
  readonly instead: { readonly ended: RotationFacts } | { readonly adopt: OperationFacts } | null;
}

export type Rotated =
  | { readonly state: 'sealed'; readonly view: RecordView }
  | { readonly state: 'again'; readonly atMs: number; readonly view: RecordView | null }
  | { readonly state: 'unsaved'; readonly unsaved: NonNullable<ActiveRotation['unsaved']> };

/** Details of the `ApplicationFailure` that every activity throws: an allow-list, never a foreign error. */
export interface StepFailureDetails {
  readonly kind: 'transient' | 'failed' | 'needs-operator' | 'taken-back' | 'trouble';
  readonly code: ErrorCode;
  readonly message: string;
  readonly retryAfterMs?: number;
  readonly deadlineMs?: number;
}

export interface CredentialActivities {
  load(input: Believed): Promise<Loaded>;
  plan(input: PlanInput): Promise<Planned>;
  rotate(input: StepInput): Promise<Rotated>;
  persist(
    input: StepInput & { readonly unsaved: ActiveRotation['unsaved'] },
  ): Promise<{ readonly view: RecordView; readonly usableAtMs: number }>;
  /** `more`: the provider has been written to as often as one activity may, and is not done. */
  equip(
    input: StepInput,
  ): Promise<{ readonly view: RecordView; readonly waitingFor: readonly string[]; readonly more?: true }>;
  verify(
    input: StepInput & { readonly hurry: boolean },
  ): Promise<{ readonly view: RecordView; readonly verdict: Verdict }>;
  publish(
    input: StepInput & {
      readonly verified: boolean;
      readonly rotation: Omit<RotationFacts, 'outcome' | 'version' | 'endedAtMs' | 'error'>;
    },
  ): Promise<RecordView>;
  takeBack(input: StepInput): Promise<RecordView>;
  giveUpKey(input: StepInput & { readonly version: number }): Promise<RecordView>;
  close(
    input: StepInput & {
      readonly rotation: Omit<RotationFacts, 'version' | 'endedAtMs'>;
      readonly deadlineMs: number | null;
    },
  ): Promise<RecordView | null>;
  /** `batch`: an attempt that slept until a newer one was written changes nothing any more; absent in what earlier releases have scheduled. */
  note(input: Believed & { readonly notes: readonly Note[]; readonly batch?: NoteBatch }): Promise<RecordView | null>;
  /** How a request of before has ended; null where the record does not remember it. */
  recall(input: Believed & { readonly requestId: string }): Promise<StoredOutcome | null>;
  rollback(input: StepInput & { readonly toVersion: number; readonly requestId: string }): Promise<RecordView>;
  /**
   * One attempt to end the life of a replaced version, with its proof where propagation is 0.
   * `operationId`: the rotation that ends with this attempt; a failure makes its outcome `rotated-with-debt`.
   */
  retire(input: Believed & { readonly version: number; readonly operationId?: string }): Promise<RecordView>;
  /** One attempt to get the secret key that the current version was published without. */
  completeKey(input: Believed): Promise<RecordView>;
  settleDebt(input: Believed & { readonly keyId: string }): Promise<RecordView>;
}

/** Activities of the workflows around the entity. */
export interface RequestActivities {
  /** signalWithStart of the entity. @throws ApplicationFailure KT-UNKNOWN-CREDENTIAL */
  requestRotation(input: { readonly credentialId: string; readonly request: RotationRequest }): Promise<void>;
  /** Reads only, with a proven key only, and tells the entity. @throws ApplicationFailure KT-UNKNOWN-CREDENTIAL */
  compareKeys(input: { readonly credentialId: string }): Promise<ReconciledCredential>;
  retrieveConfiguration(input: { readonly credentialId: string }): Promise<RetrievedConfiguration>;
  /** Null when the current version is still `unlessVersion`: there is nothing new to try. */
  makeApiRequest(
    input: MakeApiRequestInput & { readonly method: string; readonly unlessVersion?: number },
  ): Promise<(MakeApiRequestOutput & { readonly version: number; readonly refused: boolean }) | null>;
}
