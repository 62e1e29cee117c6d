import type { Logger as TemporalLogger, LogLevel, LogMetadata } from '@temporalio/common';
import type { Logger } from 'pino';
import { safeError } from './safe-error.js';

/**
 * Takes Temporal's log lines, those of its core and of workflow and activity code included, into ours. Of the fields, only those
 * named here come along, as plain values: at level TRACE the SDK logs whole activations with their payloads.
 */
const fields: ReadonlySet<string> = new Set([
  ...['sdkComponent', 'target', 'namespace', 'taskQueue', 'state', 'durationMs'],
  ...['workflowId', 'runId', 'workflowRunId', 'workflowType', 'updateId', 'updateName'],
  ...['activity', 'activityId', 'activityType', 'isLocal', 'attempt'],
  ...['credentialId', 'operationId', 'requestId', 'version', 'keyId', 'fingerprint'],
  ...['step', 'outcome', 'kind', 'code', 'source', 'reason', 'problem', 'error', 'stack'],
]);

const MAX_FIELD_CHARS = 2_000;

const levels = { TRACE: 'trace', DEBUG: 'debug', INFO: 'info', WARN: 'warn', ERROR: 'error' } as const;

export function temporalLogger(log: Logger): TemporalLogger {
  const write = (level: LogLevel, message: string, meta: LogMetadata = {}): void => {
    const name = levels[level];
    if (log.isLevelEnabled(name)) log[name](kept(meta), message);
  };
  return {
    log: write,
    trace: (message, meta) => write('TRACE', message, meta),
    debug: (message, meta) => write('DEBUG', message, meta),
    info: (message, meta) => write('INFO', message, meta),
    warn: (message, meta) => write('WARN', message, meta),
    error: (message, meta) => write('ERROR', message, meta),
  };
}

function kept(meta: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const named = Object.entries(meta).filter(([name]) => fields.has(name) || name === 'err');
  return Object.fromEntries(named.flatMap(([name, value]) => plain(name, value)));
}

function plain(name: string, value: unknown): readonly (readonly [string, unknown])[] {
  if (value instanceof Error) return [[name, safeError(value)]];
  if (typeof value === 'string') return [[name, value.slice(0, MAX_FIELD_CHARS)]];
  return typeof value === 'number' || typeof value === 'boolean' ? [[name, value]] : [];
}
