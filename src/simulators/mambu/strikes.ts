import type { VirtualClock } from '../shared/clock.js';
import type { TenantRules } from './rules.js';

export interface StrikesView {
  /** Invalid-credential calls ever. No success and no elapsed time lowers it. */
  total: number;
  sinceUnblock: number;
  limit: number;
  blocked: boolean;
  blockedAt: number | null;
}

/** Mambu blocks the IP after ten invalid-credential calls, however long that takes (Mambu docs, API Consumers page). */
export interface Strikes {
  add(): void;
  blocked(): boolean;
  /** UI, Access Preferences: the only way out of the block. */
  unblock(): void;
  view(): StrikesView;
}

export function createStrikes(rules: TenantRules, clock: VirtualClock): Strikes {
  let total = 0;
  let sinceUnblock = 0;
  let blockedAt: number | null = null;
  return {
    add() {
      total += 1;
      sinceUnblock += 1;
      if (sinceUnblock >= rules.strikeLimit) blockedAt ??= clock.now();
    },
    blocked: () => blockedAt !== null,
    unblock() {
      sinceUnblock = 0;
      blockedAt = null;
    },
    view: () => ({ total, sinceUnblock, limit: rules.strikeLimit, blocked: blockedAt !== null, blockedAt }),
  };
}
