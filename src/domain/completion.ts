/**
 * A key that was published without the secret key that its next rotation needs: after a lost answer there was no time to make one before the
 * old key died. The published key, once it was seen to work, asks for one itself. Pure, as recovery.ts is.
 */
import { fencedAtMs, isReplayable, MAX_SENDS } from './recovery.js';
import { currentOf, type CredentialRecord, type EngineStrategy, type VersionFacts } from './record.js';
import { debtDelayMs } from './retirement.js';
import { completionId } from './transitions.js';

export type CompletionMove =
  /** Nothing is missing, or it is not keyturn's to get. */
  | { readonly do: 'nothing' }
  | { readonly do: 'wait'; readonly untilMs: number }
  | { readonly do: 'send' }
  /** The stored bytes of an intent once more. */
  | { readonly do: 'replay'; readonly n: number }
  | { readonly do: 'give-up' };

/** The version that goes without a secret key, as long as keyturn still tries to get one. */
export function incompleteOf(record: CredentialRecord): VersionFacts | null {
  const current = currentOf(record);
  const tries = record.capabilityLost !== null && record.capabilityLost.retryAtMs !== null;
  return tries && current?.secretKey === 'lost' ? current : null;
}

export function completionMove(record: CredentialRecord, strategy: EngineStrategy, nowMs: number): CompletionMove {
  const current = incompleteOf(record);
  if (current === null || record.operation !== null) return { do: 'nothing' };
  if (!strategy.intents.includes('create-secret') || current.verifiedAtMs === null) return { do: 'give-up' };
  const dueMs = record.capabilityLost?.retryAtMs ?? nowMs;
  if (dueMs > nowMs) return { do: 'wait', untilMs: dueMs };
  const own = record.intents.filter((i) => i.operationId === completionId(current.version));
  const last = own.at(-1);
  if (last?.settled === 'open') {
    const fencedMs = fencedAtMs(last, strategy);
    if (fencedMs > nowMs) return { do: 'wait', untilMs: fencedMs };
  }
  if (last?.settled === 'refused' || own.length >= MAX_SENDS) return { do: 'give-up' };
  if (last?.settled === 'unknown' && isReplayable(last, strategy, null, nowMs)) return { do: 'replay', n: last.n };
  return { do: 'send' };
}

/** When the next attempt is made, in the record; null: there will be none. */
export function retryCompletion(record: CredentialRecord, atMs: number | null): CredentialRecord {
  const lost = record.capabilityLost;
  return lost === null ? record : { ...record, capabilityLost: { ...lost, retryAtMs: atMs } };
}

/** After an attempt that brought nothing. */
export function attemptFailed(record: CredentialRecord, nowMs: number, retryAfterMs: number | null): CredentialRecord {
  const lost = record.capabilityLost;
  if (lost === null) return record;
  const attempts = lost.attempts + 1;
  const retryAtMs = retryAfterMs === null ? null : nowMs + Math.max(retryAfterMs, debtDelayMs(attempts));
  return { ...record, capabilityLost: { ...lost, attempts, retryAtMs } };
}
