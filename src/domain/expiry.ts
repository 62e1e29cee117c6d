/** When a key ends by itself, from what the provider lists, and when it is to be renewed. */
import type { LifetimeReading, RotationPolicy, VersionFacts } from './record.js';

/**
 * End of life from one or two readings of a lifetime. Mambu does not say whether the listed seconds are what remains or what was given:
 * for a key whose creation we saw both mean nearly the same, and the earlier instant is taken. Otherwise two readings at least a second
 * apart tell: what shrinks is what remains. A reading that does not shrink says nothing about a key of unknown age: null.
 */
export function expiresAtMs(
  readings: { readonly earlier: LifetimeReading | null; readonly latest: LifetimeReading | null },
  createdAtMs: number | null,
): number | null {
  const { earlier, latest } = readings;
  if (!latest) return null;
  if (earlier && latest.atMs - earlier.atMs >= 1_000 && latest.ttlMs < earlier.ttlMs) return latest.atMs + latest.ttlMs;
  return createdAtMs === null ? null : createdAtMs + latest.ttlMs;
}

/** `renewBefore` ahead of the end, but never more than a third of the key's life. */
export function renewAtMs(current: VersionFacts, policy: Pick<RotationPolicy, 'renewBeforeMs'>): number {
  if (current.expiresAtMs === null) return Number.POSITIVE_INFINITY;
  const lifeMs = Math.max(0, current.expiresAtMs - current.createdAtMs);
  return current.expiresAtMs - Math.min(policy.renewBeforeMs, Math.floor(lifeMs / 3));
}
