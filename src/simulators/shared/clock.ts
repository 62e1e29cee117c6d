/** Virtual time of the simulator, in milliseconds since the epoch: the real clock plus an offset that only grows. */
export interface VirtualClock {
  now(): number;
  realNow(): number;
  /** Jumps forward. @throws RangeError when `ms` is negative or not finite */
  advance(ms: number): void;
  reset(): void;
}

export function createClock(): VirtualClock {
  let offsetMs = 0;
  return {
    now: () => Date.now() + offsetMs,
    realNow: () => Date.now(),
    advance(ms) {
      if (!Number.isFinite(ms) || ms < 0) throw new RangeError('the clock only moves forward');
      offsetMs += ms;
    },
    reset() {
      offsetMs = 0;
    },
  };
}
