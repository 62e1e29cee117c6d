/** What a log line may say of an error. The objects themselves are never logged: an HTTP client's error carries headers and bodies. */
import { isErrorCode, KeyturnError } from '../domain/errors.js';
import { ProviderFailure } from '../domain/failure.js';

export interface SafeError {
  readonly name: string;
  /** keyturn's own code, the system's (`ECONNREFUSED`) or gRPC's number. */
  readonly code?: string | number;
  /** Only of kinds whose messages are secret-free by construction. */
  readonly message?: string;
  /** Where it was thrown, without the message. */
  readonly stack?: string;
  readonly cause?: SafeError;
}

/** Temporal's own errors: their messages are fixed texts, ids, or what the server says of a call. */
const temporalKinds: ReadonlySet<string> = new Set([
  'ActivityFailure',
  'CancelledFailure',
  'ChildWorkflowFailure',
  'CombinedWorkerRunError',
  'DeterminismViolationError',
  'GracefulShutdownPeriodExpiredError',
  'IllegalStateError',
  'PromiseCompletionTimeoutError',
  'ShutdownError',
  'TerminatedFailure',
  'TimeoutFailure',
  'TransportError',
  'UnexpectedError',
  'WorkflowExecutionAlreadyStartedError',
  'WorkflowNotFoundError',
]);

const MAX_FRAMES = 8;
const MAX_CAUSES = 3;

export function safeError(error: Error, depth = 0): SafeError {
  const code = codeOf(error);
  const frames = framesOf(error);
  return {
    name: error.name.slice(0, 100),
    ...(code === undefined ? {} : { code }),
    ...(hasSafeMessage(error) ? { message: error.message } : {}),
    ...(frames === '' ? {} : { stack: frames }),
    ...(error.cause instanceof Error && depth < MAX_CAUSES ? { cause: safeError(error.cause, depth + 1) } : {}),
  };
}

/** One line: `KeyturnError KT-NO-WORKER: no worker answers …`, or no more than the name. */
export function summaryOf(error: Error): string {
  const { name, code, message } = safeError(error);
  return `${name}${code === undefined ? '' : ` ${code}`}${message === undefined ? '' : `: ${message}`}`;
}

function hasSafeMessage(error: Error): boolean {
  if (error instanceof KeyturnError || error instanceof ProviderFailure) return true;
  // An activity's failure: its type is a code of ours where keyturn has built it from an allow-list.
  if (error.name === 'ApplicationFailure') return 'type' in error && isErrorCode(String(error.type));
  return temporalKinds.has(error.name);
}

function codeOf(error: Error): string | number | undefined {
  if (error instanceof ProviderFailure) return error.facts.code;
  if (!('code' in error)) return undefined;
  if (typeof error.code === 'number') return error.code;
  return typeof error.code === 'string' && /^[A-Z][A-Z0-9_-]{0,40}$/.test(error.code) ? error.code : undefined;
}

/** The frames after the message: a message of several lines could pose as frames. */
function framesOf({ stack = '', message }: Error): string {
  const start = stack.indexOf(message) + message.length;
  const frames = stack
    .slice(start)
    .split('\n')
    .filter((line) => /^\s+at /.test(line));
  return frames
    .slice(0, MAX_FRAMES)
    .map((line) => line.trim())
    .join('\n');
}
