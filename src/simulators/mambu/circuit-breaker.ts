/**
 * The per-destination circuit breaker of Mambu's older documentation (2021): slow or failed in 5 of the last 10 deliveries
 * opens it for 5 s, then one trial decides. Today's documentation calls the numbers configurable.
 */
export interface CircuitBreaker {
  isOpen(): boolean;
  record(isGood: boolean): void;
}

const WINDOW = 10;
const BAD_LIMIT = 5;
const OPEN_MS = 5_000;

/** @param now milliseconds; the real clock unless a test brings its own */
export function createCircuitBreaker(now: () => number = Date.now): CircuitBreaker {
  let recent: boolean[] = [];
  let openedAtMs: number | null = null;
  return {
    isOpen: () => openedAtMs !== null && now() - openedAtMs < OPEN_MS,
    record(isGood) {
      if (openedAtMs !== null) {
        openedAtMs = isGood ? null : now();
        recent = [];
        return;
      }
      recent = [...recent, isGood].slice(-WINDOW);
      if (recent.filter((good) => !good).length >= BAD_LIMIT) openedAtMs = now();
    },
  };
}
