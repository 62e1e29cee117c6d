/**
 * Every name and type a caller of keyturn may use: workflow, signal, update and query names, their inputs and outputs.
 * A caller imports nothing else; callers in other languages use the same strings and JSON shapes.
 */

import type { RequestReason } from './domain/request.js';
import type { RotationFinished } from './domain/state.js';

export type * from './domain/arazzo.js';
export type * from './domain/request.js';
export type * from './domain/state.js';

/** Default task queue of the keyturn worker. */
export const TASK_QUEUE = 'keyturn';

export const workflowNames = {
  credential: 'credential',
  rotateCredential: 'rotateCredential',
  retrieveConfiguration: 'retrieveConfiguration',
  makeApiRequest: 'makeApiRequest',
  runArazzo: 'runArazzo',
  reconcileCredential: 'reconcileCredential',
} as const;

export const signalNames = {
  requestRotation: 'requestRotation',
  acknowledgeVersion: 'acknowledgeVersion',
  /** Sent by `reconcileCredential` and the command line: what a comparison with the provider has found. */
  keysCompared: 'keysCompared',
  /** Sent by the credential entity to `replyTo.workflowId` when a requested rotation has ended. */
  rotationFinished: 'rotationFinished',
} as const;

export const updateNames = {
  rotateNow: 'rotateNow',
  pause: 'pause',
  resume: 'resume',
  rollback: 'rollback',
  adopt: 'adopt',
  policyChanged: 'policyChanged',
  /** Of `runArazzo`. */
  resolveStep: 'resolveStep',
} as const;

export const queryNames = { credentialState: 'credentialState', arazzoState: 'arazzoState' } as const;

export const searchAttributes = {
  KeyturnCredential: 'Keyword',
  KeyturnProvider: 'Keyword',
  KeyturnStatus: 'Keyword',
  KeyturnVersion: 'Int',
  KeyturnNextRotation: 'Datetime',
  KeyturnExpires: 'Datetime',
} as const;

/** Workflow id of the entity of a credential. */
export function credentialWorkflowId(credentialId: string): string {
  return `credential/${credentialId}`;
}

/** Id of the Temporal Schedule of a credential. */
export function scheduleId(credentialId: string): string {
  return `keyturn/${credentialId}`;
}

/** Id of the Schedule that compares provider, store and workflow once a day. */
export function reconcileScheduleId(credentialId: string): string {
  return `${scheduleId(credentialId)}/reconcile`;
}

export interface RotateNowResult {
  readonly requestId: string;
  /** 0: being worked on or first in line; n: behind n others. */
  readonly position: number;
  /** The outcome, where this request has ended already: one id, one rotation. */
  readonly ended?: RotationFinished;
}

export interface PauseInput {
  readonly reason?: string;
  readonly by?: string;
}
export interface ResumeInput {
  readonly by?: string;
}
export interface RollbackInput {
  /** Default: the newest previous version. */
  readonly toVersion?: number;
  readonly by?: string;
}
export interface AdoptInput {
  readonly version: number;
}

export interface CredentialInput {
  readonly credentialId: string;
}

/** Input of the workflow `rotateCredential`. */
export interface RotateCredentialInput {
  readonly credentialId: string;
  readonly reason?: RequestReason;
  /** Default: the workflow's id and first run id; for a Schedule `schedule/<credentialId>/<scheduled start time>`. */
  readonly requestId?: string;
  readonly leakedVersion?: number;
  /** How long to wait for the outcome, milliseconds; default one hour. The rotation itself goes on after it. */
  readonly timeoutMs?: number;
}

/** Failure types of `rotateCredential`; details[0] is a {@link RotationResult}. */
export const failureTypes = { rotationFailed: 'RotationFailed', needsOperator: 'NeedsOperator' } as const;

/** What a comparison has found and only somebody can mend. */
export interface ComparedFinding {
  readonly kind: string;
  /** As in `attention`. */
  readonly code: string;
  readonly version: number;
  readonly keyId: string | null;
  readonly sinceMs: number;
  readonly message: string;
  readonly command: string;
}

/** Signal `keysCompared`. Ignored where it is of another installation, and during a rotation; of an older record than the workflow has seen, it makes it load. */
export interface KeysCompared {
  readonly installationId: string;
  /** Of the record that was compared. */
  readonly recordSeq: number;
  /** Null: the provider was not asked. What was found before still stands. */
  readonly drift: { readonly checkedAtMs: number; readonly findings: readonly ComparedFinding[] } | null;
}

/** Output of `reconcileCredential`, which changes nothing. */
export interface ReconciledCredential {
  readonly credentialId: string;
  /** Null where nothing could be compared: see `notComparedBecause`. */
  readonly checkedAt: string | null;
  readonly notComparedBecause: string | null;
  readonly findings: readonly ComparedFinding[];
}

export interface RetrieveConfigurationInput {
  readonly credentialId: string;
}

/** What a process needs to know for a call, without any secret: fetch the value itself with `keyturn/consumer` or `keyturn exec`. */
export interface RetrievedConfiguration {
  readonly credentialId: string;
  readonly provider: string;
  readonly baseUrl: string;
  readonly version: number;
  readonly keyId: string;
  readonly expiresAt?: string;
  /** Secret-free provider settings, e.g. Mambu's `consumerId`. */
  readonly settings: Readonly<Record<string, unknown>>;
}

export interface MakeApiRequestInput {
  readonly credentialId: string;
  readonly method?: string;
  /** Path below the base URL, starting with exactly one `/`; may carry a query. */
  readonly path: string;
  readonly body?: unknown;
}
export interface MakeApiRequestOutput {
  readonly status: number;
  readonly body: unknown;
}
