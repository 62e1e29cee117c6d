import type { VirtualClock } from '../shared/clock.js';
import type { ApigeeRules } from './rules.js';

export interface Quota {
  /** Counts a call. False: it is one too many in this minute of virtual time. */
  take(): boolean;
}

export function createQuota(rules: ApigeeRules, clock: VirtualClock): Quota {
  let minute = -1;
  let used = 0;
  return {
    take() {
      const now = Math.floor(clock.now() / 60_000);
      if (now !== minute) used = 0;
      minute = now;
      used += 1;
      return used <= rules.quotaPerMinute;
    },
  };
}
