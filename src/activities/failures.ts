/** From failures of providers, stores and transitions to what the workflow is told. The only place where activity failures are built. */
import { ApplicationFailure, ApplicationFailureCategory } from '@temporalio/common';
import { KeyturnError, errorTable, isErrorCode, type ErrorCode } from '../domain/errors.js';
import { plainLine } from '../domain/foreignText.js';
import { ProviderFailure, failureClasses, type FailureFacts } from '../domain/failure.js';
import { StoreFailure } from '../stores/store.js';
import type { StepFailureDetails } from './api.js';

/** Thrown by step code where the outcome is decided on the spot. */
export class StepFailure extends Error {
  override readonly name = 'StepFailure';
  constructor(readonly details: StepFailureDetails) {
    super(details.message);
  }
}

export function stop(
  kind: StepFailureDetails['kind'],
  code: ErrorCode,
  message: string,
  deadlineMs?: number | null,
): StepFailure {
  return new StepFailure({ kind, code, message, ...(deadlineMs ? { deadlineMs } : {}) });
}

/** Refusals that no later attempt can turn into a success without an operator. */
const operatorCodes: ReadonlySet<ErrorCode> = new Set([
  'KT-CREDENTIAL-REFUSED',
  'KT-CONSUMER-GONE',
  'KT-LOCKOUT-BUDGET',
  'KT-LOCKED-OUT',
  'KT-CAPABILITY-LOST',
  'KT-STORE-CORRUPT',
]);
const storeTroubles: ReadonlySet<ErrorCode> = new Set([
  'KT-STORE-BEHIND',
  'KT-STORE-FOREIGN',
  'KT-STORE-CORRUPT',
  'KT-KEY-FILE',
]);

export function describe(error: unknown): StepFailureDetails {
  if (error instanceof StepFailure) return error.details;
  if (error instanceof ProviderFailure) return fromProvider(error.facts);
  if (error instanceof StoreFailure) {
    const code = error.kind === 'corrupt' ? 'KT-STORE-CORRUPT' : 'KT-STORE-UNAVAILABLE';
    return { kind: error.kind === 'corrupt' ? 'trouble' : 'transient', code, message: error.message };
  }
  if (error instanceof KeyturnError) return fromKeyturn(error);
  // A defect: its message could quote anything, so only the class travels; the worker's own log has the stack.
  const name = error instanceof Error ? error.name : typeof error;
  return { kind: 'transient', code: 'KT-INTERNAL', message: `unexpected ${name} in an activity; see the worker's log` };
}

/** A message goes into the record, the history and every log; one of a plug-in may quote what its provider has said. */
const MAX_MESSAGE_CHARS = 500;

function fromProvider(facts: FailureFacts): StepFailureDetails {
  const message = plainLine(facts.message, MAX_MESSAGE_CHARS);
  const code = isErrorCode(facts.code) ? facts.code : 'KT-PROVIDER-ERROR';
  const wait = facts.retryAfterMs === undefined ? {} : { retryAfterMs: facts.retryAfterMs };
  if (failureClasses[facts.class].transient) return { kind: 'transient', code, message, ...wait };
  return { kind: operatorCodes.has(code) ? 'needs-operator' : 'failed', code, message };
}

function fromKeyturn(error: KeyturnError): StepFailureDetails {
  const { code, message } = error;
  if (storeTroubles.has(code)) return { kind: 'trouble', code, message };
  if (errorTable[code].retryable) return { kind: 'transient', code, message };
  return { kind: operatorCodes.has(code) ? 'needs-operator' : 'failed', code, message };
}

/** Retried by Temporal only where the same call may succeed and repeating it is harmless; the rest is the workflow's to decide. */
export function toApplicationFailure(details: StepFailureDetails): ApplicationFailure {
  return ApplicationFailure.create({
    type: details.code,
    message: details.message,
    nonRetryable: details.kind !== 'transient',
    category: ApplicationFailureCategory.BENIGN,
    details: [details],
    ...(details.retryAfterMs === undefined ? {} : { nextRetryDelay: details.retryAfterMs }),
  });
}
