/**
 * The log: JSON lines on stderr, which may be a terminal: whatever would act there is escaped. Ids are fields: `credentialId`, `operationId`,
 * `requestId`, `workflowId`.
 */
import { destination, type LogFn, type Logger, pino, stdTimeFunctions } from 'pino';
import { plainJson } from '../domain/foreignText.js';
import { safeError, summaryOf } from './safe-error.js';

export { temporalLogger } from './temporal-log.js';
export type { Logger } from 'pino';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';

export interface LogOptions {
  readonly level: LogLevel;
  /** Sees each finished line last: whatever slipped through is blotted out here. */
  readonly scrubber?: { scrub(text: string): string };
  /** Default: stderr, written at once so that a process that dies has said why. */
  readonly destination?: { write(text: string): void };
}

export function createLogger({ level, scrubber, destination: to }: LogOptions): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      serializers: { err: (value: unknown) => value },
      formatters: {
        level: (label) => ({ level: label }),
        log: (fields) => Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, shown(key, value, 0)])),
      },
      hooks: {
        logMethod(args, method) {
          method.apply(this, withSafeMessage(args));
        },
        streamWrite: (line) => plainJson(scrubber?.scrub(line) ?? line),
      },
    },
    to ?? destination({ dest: 2, sync: true }),
  );
}

/** Fields that hold a secret if they are there at all, at whatever depth. A header's or setting's name says it, never its value. */
const secretNames = /^(?:authorization|proxy-authorization|cookie|set-cookie|api-?key|secret-?key|password|token)$/i;
const MAX_DEPTH = 5;

function shown(key: string, value: unknown, depth: number): unknown {
  if (secretNames.test(key)) return '[secret]';
  if (value instanceof Error) return safeError(value);
  if (typeof value !== 'object' || value === null) return value;
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if ('toJSON' in value && typeof value.toJSON === 'function') return value; // Secret, Date
  if (depth >= MAX_DEPTH) return '[deeper]';
  if (Array.isArray(value)) return value.map((item: unknown) => shown('', item, depth + 1));
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, shown(name, item, depth + 1)]));
}

/** pino takes the message of a line without one from the error itself, and errors among the arguments are turned into text. */
function withSafeMessage(args: Parameters<LogFn>): Parameters<LogFn> {
  const [first, ...rest]: unknown[] = args;
  const safe = rest.map((item) => (item instanceof Error ? summaryOf(item) : item));
  const error = errorIn(first);
  const withMessage = error !== undefined && safe.length === 0 ? [summaryOf(error)] : safe;
  return [first instanceof Error ? { err: first } : first, ...withMessage] as Parameters<LogFn>;
}

function errorIn(first: unknown): Error | undefined {
  if (first instanceof Error) return first;
  if (typeof first !== 'object' || first === null || !('err' in first)) return undefined;
  return first.err instanceof Error ? first.err : undefined;
}
