/** When a replaced version dies. All instants are derived from the facts in the record, so any reader computes the same. */
import type { RetirementFacts, RotationPolicy, VersionFacts } from './record.js';

/** Retirement of a version that is superseded now. */
export function beginRetirement(
  old: VersionFacts,
  by: { readonly version: number; readonly keyId: string; readonly verified: boolean },
  policy: RotationPolicy,
  acknowledged: readonly { readonly consumer: string; readonly version: number }[],
  nowMs: number,
): RetirementFacts {
  return {
    state: 'in-grace',
    supersededBy: by.version,
    supersededAtMs: nowMs,
    refreshWithinMs: policy.refreshWithinMs,
    graceMs: policy.graceMs,
    consumers: policy.consumers.map(({ name, ackWithinMs }) => ({
      name,
      ackByMs: nowMs + ackWithinMs,
      ackedAtMs: acknowledged.some((a) => a.consumer === name && a.version >= by.version) ? nowMs : null,
    })),
    killNow: old.leaked && by.verified,
    by: old.keyId === by.keyId ? 'provider' : 'delete',
    notBeforeMs: null,
    deletedAtMs: null,
    suspendedAtMs: null,
    attempts: 0,
    nextAttemptAtMs: null,
    lastError: null,
  };
}

/**
 * T + grace, where T is the later of publish + refreshWithin and the last consumer being done. While an acknowledgement is missing this is
 * the latest possible instant; an acknowledgement may lower it, never below publish + refreshWithin + grace.
 */
export function revokeAtMs(r: RetirementFacts): number {
  if (r.killNow) return r.supersededAtMs;
  const done = r.consumers.map((c) => Math.min(c.ackedAtMs ?? c.ackByMs, c.ackByMs));
  return Math.max(r.supersededAtMs + r.refreshWithinMs, ...done) + r.graceMs;
}

/** Acknowledgements that are still missing, as `ack:<consumer>`. */
export function waitingFor(r: RetirementFacts, nowMs: number): readonly string[] {
  if (r.killNow) return [];
  return r.consumers.filter((c) => c.ackedAtMs === null && c.ackByMs > nowMs).map((c) => `ack:${c.name}`);
}

/** The instant from which this version is to be worked on by the retirement lane: its first or next attempt. */
export function retireDueMs(v: VersionFacts, skewMs: number): number {
  const r = v.retirement;
  if (r === null) return Number.POSITIVE_INFINITY;
  if (r.killNow && r.state === 'held') return r.supersededAtMs;
  if (r.nextAttemptAtMs !== null) return r.nextAttemptAtMs;
  const ownDeath = v.providerDiesAtMs === null ? Number.POSITIVE_INFINITY : v.providerDiesAtMs + skewMs;
  const endsByItself = r.by === 'provider' && v.providerDiesAtMs !== null;
  const due = endsByItself ? ownDeath : Math.min(revokeAtMs(r), ownDeath);
  return Math.max(due, r.notBeforeMs ?? due);
}

/** End of life on the provider's side: its own grace after a rotation in place, or the key's own lifetime. */
export function providerEndMs(v: VersionFacts): number | null {
  const ends = [v.providerDiesAtMs, v.expiresAtMs].filter((at) => at !== null);
  return ends.length === 0 ? null : Math.min(...ends);
}

/** When the version is expected to be dead; null while it is in debt and the provider sets no end. */
export function diesAtMs(v: VersionFacts): number | null {
  const r = v.retirement;
  const endMs = providerEndMs(v);
  const endsByItself = r?.by === 'provider' && v.providerDiesAtMs !== null;
  if (r === null || r.state === 'debt' || endsByItself) return endMs;
  return Math.min(Math.max(revokeAtMs(r), r.notBeforeMs ?? 0), endMs ?? Number.POSITIVE_INFINITY);
}

export function acknowledge(r: RetirementFacts, consumer: string, version: number, nowMs: number): RetirementFacts {
  if (version < r.supersededBy) return r;
  return {
    ...r,
    consumers: r.consumers.map((c) => (c.name === consumer && c.ackedAtMs === null ? { ...c, ackedAtMs: nowMs } : c)),
  };
}

/** Growing waits between attempts of something that must not be abandoned: 5 s, 10 s, … up to 10 minutes. */
export function debtDelayMs(attempts: number): number {
  return Math.min(600_000, 5_000 * 2 ** Math.min(attempts, 10));
}
