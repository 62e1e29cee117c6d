/** What a refused new key means. One 401 is not a verdict: Mambu caches credentials for up to five minutes. */
import type { EngineStrategy, RotationPolicy } from './record.js';

export type Verdict =
  | { readonly do: 'verified' }
  /** Check once more at this instant. */
  | { readonly do: 'again'; readonly atMs: number }
  /** The old key would die before the next possible check: publish at its last safe instant, marked unverified. */
  | { readonly do: 'publish-unverified'; readonly atMs: number }
  /** It works, but may do less or more than the old one, in words: equip it again, and check at this instant. */
  | { readonly do: 'differs'; readonly in: readonly string[]; readonly atMs: number }
  /** The new key does not work and never will. */
  | { readonly do: 'refused' };

export function judgeRefusal(input: {
  /** The first refusal of this key, null when this is it. */
  readonly firstRefusedAtMs: number | null;
  /** Whether the provider's listing shows the new id; null when it could not be listed. */
  readonly listed: boolean | null;
  /** When the old key dies whatever we do; null where that is in our hands. */
  readonly oldDiesAtMs: number | null;
  /** Another key can still be made instead of this one. */
  readonly another: boolean;
  readonly policy: Pick<RotationPolicy, 'activationLagMs' | 'refreshWithinMs'>;
  readonly strategy: Pick<EngineStrategy, 'timing'>;
  readonly nowMs: number;
}): Verdict {
  const { nowMs, listed, oldDiesAtMs, policy } = input;
  if (listed === false) return { do: 'refused' };
  const lastSafeMs = lastSafeInstantMs(oldDiesAtMs, policy);
  const unverified: Verdict = { do: 'publish-unverified', atMs: Math.max(nowMs, lastSafeMs) };
  if (input.firstRefusedAtMs !== null) {
    const better = input.another && nowMs < lastSafeMs;
    return listed && oldDiesAtMs !== null && !better ? unverified : { do: 'refused' };
  }
  const atMs = nowMs + Math.max(policy.activationLagMs, input.strategy.timing.verifyAgainAfterMs);
  if (atMs < lastSafeMs) return { do: 'again', atMs };
  if (listed) return unverified;
  return nowMs < lastSafeMs ? { do: 'again', atMs: lastSafeMs } : { do: 'refused' };
}

/** Publishing later than this would leave a consumer with a dead key. */
export function lastSafeInstantMs(oldDiesAtMs: number | null, policy: Pick<RotationPolicy, 'refreshWithinMs'>): number {
  return oldDiesAtMs === null ? Number.POSITIVE_INFINITY : oldDiesAtMs - policy.refreshWithinMs;
}
