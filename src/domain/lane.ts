/** What the entity carries beside the record: queue, the rotation in hand, notes on their way to the store. Plain JSON, survives continue-as-new. */
import type { DriftFacts, RecordView, RotationPolicy, StepFacts } from './record.js';
import type { RotationRequest, SkipReason } from './request.js';
import type { RotationFinished, StateError, StepName } from './state.js';

export interface QueuedRequest {
  readonly request: RotationRequest;
  readonly acceptedAtMs: number;
  /** Of a compromise: the versions that were alive at acceptance have been marked. Not yet possible before the first load. */
  readonly leakNoted: boolean;
}

/** Routine requests that are held at once, waiting or joined: each costs work with every other, and all of them go into the next run. */
export const MAX_ROUTINE_IN_HAND = 200;

/**
 * So many routine requests are in hand that one more changes nothing: the rotation that serves those serves it, too. It is neither kept nor
 * remembered, so that a caller who waits and asks again is heard later. Operators and reports of a leak are always heard.
 */
export function isOneTooMany(
  { queue, active }: Pick<LaneState, 'queue' | 'active'>,
  { reason, source }: Pick<RotationRequest, 'reason' | 'source'>,
): boolean {
  if (reason !== 'routine' || source === 'operator') return false;
  return queue.length + (active?.joined.length ?? 0) >= MAX_ROUTINE_IN_HAND;
}

/** A change of the record that a handler accepted and the housekeeping lane writes. */
export type Note =
  | { readonly kind: 'acknowledge'; readonly consumer: string; readonly version: number; readonly atMs: number }
  | { readonly kind: 'pause'; readonly by: string | null; readonly reason: string | null; readonly atMs: number }
  | { readonly kind: 'resume' }
  | { readonly kind: 'leaked'; readonly versions: readonly number[] }
  | { readonly kind: 'compared'; readonly drift: DriftFacts }
  | { readonly kind: 'waiting'; readonly request: RotationRequest }
  /** `joined`: the operation whose outcome is the request's. */
  | { readonly kind: 'seen'; readonly requestId: string; readonly atMs: number; readonly joined?: string };

export interface ActiveRotation {
  readonly operationId: string;
  readonly request: RotationRequest;
  readonly joined: readonly RotationRequest[];
  readonly startedAtMs: number;
  readonly step: StepName;
  readonly stepStartedAtMs: number;
  readonly attempts: number;
  readonly steps: readonly StepFacts[];
  readonly recovering: boolean;
  readonly parked: boolean;
  readonly waitingFor: readonly string[];
  readonly nextAttemptAtMs: number | null;
  readonly lastError: StateError | null;
  /** An answer of the provider that the store could not take yet, sealed under the intent's one-time key. */
  readonly unsaved: { readonly intent: number; readonly sealed: string } | null;
  /** A compromise was accepted after the new key was made: go back if possible, else go on to publish without further waits. */
  readonly preempted: boolean;
}

export interface SkippedRequest {
  readonly request: RotationRequest;
  readonly because: SkipReason;
  readonly atMs: number;
}

export interface LaneState {
  readonly schemaVersion: 1;
  readonly credentialId: string;
  view: RecordView | null;
  policy: RotationPolicy | null;
  capability: 'A' | 'B' | 'C' | 'D' | 'E' | null;
  provider: string | null;
  installationId: string | null;
  /** Clock skew allowance of the config, for retirement timers. */
  skewMs: number;
  scheduledNextMs: number | null;
  repointed: string | null;
  /** Nominal time of a fire whose request ended without having been served. */
  scheduledUnservedMs: number | null;
  queue: QueuedRequest[];
  seen: readonly string[];
  /** Answers to the last requests, for those that ask again with the same id. */
  answered: readonly RotationFinished[];
  notes: Note[];
  /** Batches of notes that were sent to the store; runs of before know no such field. */
  batches?: number;
  active: ActiveRotation | null;
  /** keyturn's own next attempt after `failed`. */
  retry: { readonly request: RotationRequest; readonly atMs: number; readonly failures: number } | null;
  /** What keeps the entity from working, e.g. a store that went back in time; cleared by the next successful load. */
  trouble: (StateError & { readonly sinceMs: number }) | null;
  /** A request has failed because no key was ever imported. */
  notImportedSinceMs: number | null;
  /** The last request that came to no rotation. */
  lastSkipped: SkippedRequest | null;
  /** A rollback that an operator asked for and that passed its checks at acceptance. */
  rollback: { readonly toVersion: number; readonly requestId: string } | null;
  /** Something outside has changed the record, the configuration or the Schedule. */
  reload: boolean;
  /** Search attributes that exist in this namespace: others would block the workflow. */
  searchAttributes: readonly string[];
  closing: boolean;
}

export function newLane(credentialId: string): LaneState {
  return {
    schemaVersion: 1,
    credentialId,
    view: null,
    policy: null,
    capability: null,
    provider: null,
    installationId: null,
    skewMs: 0,
    scheduledNextMs: null,
    scheduledUnservedMs: null,
    repointed: null,
    queue: [],
    seen: [],
    answered: [],
    notes: [],
    active: null,
    retry: null,
    trouble: null,
    notImportedSinceMs: null,
    lastSkipped: null,
    rollback: null,
    reload: true,
    searchAttributes: [],
    closing: false,
  };
}
