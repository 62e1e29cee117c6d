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

/** What a message processor keeps for one key, from `fromMs` until just before `toMs`. */
export interface Remembered {
  readonly organization: Organization;
  readonly fromMs: number;
  readonly toMs: number;
}

/** The runtime plane: message processors that take requests in turn, each with a cache of its own. */
export interface Runtime {
  verify(consumerKey: string, proxy: Proxy, suffix: string): Verdict;
  /** What this processor ever remembered of the key, oldest first. */
  remembered(processor: number, consumerKey: string): readonly Remembered[];
}

export function createRuntime(rules: ApigeeRules, clock: VirtualClock, ledger: Ledger): Runtime {
  const caches = new Map<string, Remembered[]>();
  let turns = 0;

  const slot = (processor: number, consumerKey: string): string => `${processor} ${consumerKey}`;

  function lookedUp(processor: number, consumerKey: string): Organization {
    const past = caches.get(slot(processor, consumerKey)) ?? [];
    const fromMs = clock.now();
    const known = past.at(-1);
    if (known !== undefined && fromMs < known.toMs) return known.organization;
    const organization = ledger.at(fromMs - rules.propagationDelayMs);
    const isKnown = findKey(organization, consumerKey) !== undefined;
    const toMs = fromMs + (isKnown ? rules.runtimeCacheMs : rules.negativeCacheMs);
    if (fromMs < toMs) caches.set(slot(processor, consumerKey), [...past, { organization, fromMs, toMs }]);
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
    remembered: (processor, consumerKey) => caches.get(slot(processor, consumerKey)) ?? [],
  };
}
