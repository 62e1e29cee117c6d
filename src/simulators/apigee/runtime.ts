import type { VirtualClock } from '../shared/clock.js';
import type { Ledger } from './ledger.js';
import { findKey, type Organization } from './organization.js';
import type { ApigeeRules } from './rules.js';
import { type KeyFault, keyFaultOf, type Proxy } from './verify.js';

export interface Verdict {
  /** Message processor that decided, counted from 0. */
  readonly processor: number;
  readonly fault: KeyFault | null;
}

/** The runtime plane: message processors that take requests in turn, each with a cache of its own. */
export interface Runtime {
  verify(consumerKey: string, proxy: Proxy, suffix: string): Verdict;
}

interface Remembered {
  readonly organization: Organization;
  readonly atMs: number;
  readonly isKnown: boolean;
}

export function createRuntime(rules: ApigeeRules, clock: VirtualClock, ledger: Ledger): Runtime {
  const caches = new Map<number, Map<string, Remembered>>();
  let turns = 0;

  function cacheOf(processor: number): Map<string, Remembered> {
    const cache = caches.get(processor) ?? new Map<string, Remembered>();
    caches.set(processor, cache);
    return cache;
  }

  function lookedUp(processor: number, consumerKey: string): Organization {
    const cache = cacheOf(processor);
    const nowMs = clock.now();
    const known = cache.get(consumerKey);
    if (known !== undefined) {
      const lifeMs = known.isKnown ? rules.runtimeCacheMs : rules.negativeCacheMs;
      if (nowMs < known.atMs + lifeMs) return known.organization;
    }
    const organization = ledger.at(nowMs - rules.propagationDelayMs);
    const isKnown = findKey(organization, consumerKey) !== undefined;
    cache.set(consumerKey, { organization, atMs: nowMs, isKnown });
    return organization;
  }

  return {
    verify(consumerKey, proxy, suffix) {
      const processor = turns % rules.messageProcessors;
      turns += 1;
      const organization = lookedUp(processor, consumerKey);
      const fault = keyFaultOf(organization, consumerKey, proxy, suffix, { atMs: clock.now(), rules });
      return { processor, fault };
    },
  };
}
