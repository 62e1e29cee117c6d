/**
 * Holds deliveries back that nobody works off. Temporal keeps signals without a worker, and a worker that comes back takes all of them in one
 * task: a few hundred are taken in a second, thousands would break it. Those that wait ask for the same rotation anyway.
 */
export interface Brake {
  /** False: so many wait for this credential that no more are passed on. @throws what `backlog` throws */
  allows(credentialId: string): Promise<boolean>;
}

/** Passed on without looking, at most: each look reads as many events. */
export const MOST_WAITING = 500;
/** After a look that found too many. */
const LOOK_AGAIN_AFTER_MS = 1_000;

interface Seen {
  /** How many may still pass. */
  left: number;
  /** No look before. */
  notBeforeMs: number;
  looking: Promise<void> | null;
}

/** @param backlog how many wait, counted up to `most` */
export function createBrake(
  backlog: (credentialId: string, most: number) => Promise<number>,
  now: () => number = () => performance.now(),
): Brake {
  const credentials = new Map<string, Seen>();

  async function look(credentialId: string, seen: Seen): Promise<void> {
    seen.left = MOST_WAITING - (await backlog(credentialId, MOST_WAITING));
    if (seen.left <= 0) seen.notBeforeMs = now() + LOOK_AGAIN_AFTER_MS;
  }

  return {
    async allows(credentialId) {
      const seen = credentials.get(credentialId) ?? { left: 0, notBeforeMs: -Infinity, looking: null };
      credentials.set(credentialId, seen);
      if (seen.left <= 0 && now() >= seen.notBeforeMs) {
        await (seen.looking ??= look(credentialId, seen).finally(() => (seen.looking = null)));
      }
      seen.left -= 1;
      return seen.left >= 0;
    },
  };
}
