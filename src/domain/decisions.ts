/** What becomes of a request for a rotation. */
import { currentOf, type RecordView, type RotationPolicy } from './record.js';
import type { RotationRequest, SkipReason } from './request.js';

export type Decision =
  | { readonly do: 'rotate' }
  /** Served by the rotation in progress. */
  | { readonly do: 'join' }
  /** Stays in the queue: paused, or behind the rotation in progress. */
  | { readonly do: 'hold' }
  /** Only old versions leaked: no rotation, they die now. */
  | { readonly do: 'kill-old' }
  | { readonly do: 'skip'; readonly because: SkipReason };

export interface Situation {
  readonly view: RecordView | null;
  readonly policy: RotationPolicy | null;
  /** The rotation in progress; `keyMade`: its new key may exist already. */
  readonly active: { readonly keyMade: boolean } | null;
  readonly nowMs: number;
}

export function decide(request: RotationRequest, s: Situation): Decision {
  const current = s.view ? currentOf(s.view) : undefined;
  if (request.reason === 'compromise') return decideCompromise(request, s, current?.version ?? null);
  if (s.active) return { do: 'join' };
  if (s.policy === null) return { do: 'skip', because: 'not-in-config' };
  if (s.view?.paused) return request.source === 'expiry' ? { do: 'hold' } : { do: 'skip', because: 'paused' };
  const bounded = request.source === 'schedule' || request.source === 'webhook' || request.source === 'workflow';
  const rotatedAtMs = current && !current.operationId.startsWith('import/') ? (current.publishedAtMs ?? 0) : 0;
  const scheduledMs = scheduledTimeMs(request);
  if (scheduledMs !== null && scheduledMs < rotatedAtMs) return { do: 'skip', because: 'superseded' };
  if (bounded && s.nowMs < rotatedAtMs + s.policy.minIntervalMs) return { do: 'skip', because: 'min-interval' };
  return { do: 'rotate' };
}

function decideCompromise(request: RotationRequest, s: Situation, currentVersion: number | null): Decision {
  const { leakedVersion } = request;
  // In grace, or dead already: either way the current key has not leaked.
  if (leakedVersion !== undefined && currentVersion !== null && leakedVersion < currentVersion)
    return { do: 'kill-old' };
  if (s.active) return s.active.keyMade ? { do: 'hold' } : { do: 'join' };
  if (s.view?.paused) return { do: 'hold' };
  return { do: 'rotate' };
}

/** Versions that count as leaked from the acceptance of this request on. */
export function leakedVersions(request: RotationRequest, view: RecordView | null): readonly number[] {
  if (request.reason !== 'compromise' || !view) return [];
  const alive = view.versions.map((v) => v.version);
  const { leakedVersion } = request;
  // A version that never was is a mistake of the caller: better too many keys die than none.
  if (leakedVersion === undefined || leakedVersion > view.highestVersion) return alive;
  return alive.filter((v) => v === leakedVersion);
}

/** A Schedule's request id ends in its nominal time, which is what counts across daylight-saving changes and late starts. */
function scheduledTimeMs(request: RotationRequest): number | null {
  if (request.source !== 'schedule') return null;
  const nominal = request.requestId.slice(request.requestId.lastIndexOf('/') + 1);
  // Date.parse also takes `nightly-2` for a date.
  const at = /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(nominal) ? Date.parse(nominal) : Number.NaN;
  return Number.isNaN(at) ? null : at;
}

/** After `failed`: the next attempt of keyturn's own, 1 min, 2 min, … up to an hour. */
export function retryDelayMs(failures: number): number {
  return Math.min(3_600_000, 60_000 * 2 ** Math.min(failures - 1, 8));
}

/** While parked: the next attempt of the same step, 1 s, 2 s, … up to a minute; Retry-After counts. */
export function parkDelayMs(attempts: number, retryAfterMs: number | undefined): number {
  return Math.max(retryAfterMs ?? 0, Math.min(60_000, 1_000 * 2 ** Math.min(attempts - 1, 8)));
}
