/** What the record knows of a request that has ended: duplicates are answered with it. */
import type { CredentialRecord, RotationFacts } from './record.js';
import { hasJoined, keptMs } from './seen.js';
import type { StateError } from './state.js';

export interface StoredOutcome {
  readonly outcome: RotationFacts['outcome'];
  readonly error: StateError | null;
  /** Version that was current when it ended. */
  readonly version: number | null;
  readonly keyId: string | null;
  readonly publishedAtMs: number | null;
  /** Request id of the rotation that it joined; null for its own. */
  readonly servedBy: string | null;
}

/** Null for what is not among the last rotations (`bounds.history`) any more, or never led to one. */
export function storedOutcome(record: CredentialRecord, requestId: string, nowMs: number): StoredOutcome | null {
  const own = record.history.find((h) => h.requestId === requestId && h.endedAtMs + keptMs(requestId) > nowMs);
  const facts = own ?? record.history.find((h) => hasJoined(record.seen, requestId, h.operationId));
  if (!facts) return null;
  const { outcome, error, version } = facts;
  const key = [...record.versions, ...record.destroyed].find((v) => v.version === version);
  return {
    outcome,
    error,
    version,
    keyId: key?.keyId ?? null,
    publishedAtMs: publishedAtMs(record, version),
    servedBy: own ? null : facts.requestId,
  };
}

/** Of a version that is destroyed only its rotation tells; of the imported one, then, nothing. */
function publishedAtMs({ versions, history }: CredentialRecord, version: number | null): number | null {
  const living = versions.find((v) => v.version === version)?.publishedAtMs;
  const made = history.findLast((h) => h.version === version && h.outcome.startsWith('rotated'));
  return living ?? made?.endedAtMs ?? null;
}
