/** What a provider's strategy can do, and the class A–E that the engine derives from it (the provider never names its class). */
import type { EngineStrategy, IntentKind, Timing } from './record.js';

export interface Capability {
  /** Who chooses the key's value. */
  readonly value: 'client' | 'server';
  /** How long the provider replays the answer to the same idempotency key, 0: it does not. */
  readonly replayWindowMs: number;
  readonly listable: boolean;
  /** Overlap of old and new key: in keyturn's hands, the provider's own grace, or none. */
  readonly overlap: 'ours' | 'provider' | 'none';
  /** The provider's own grace where `overlap` is `provider` or `none`. */
  readonly providerGraceMs?: number;
  readonly maxKeys?: number;
  /** The lifetime asked for with every new key; absent: none is asked for. */
  readonly keyTtlMs?: number;
  /** How long a deleted key may go on working. */
  readonly propagationMs: number;
  /** Invalid-credential calls after which the provider locks us out. */
  readonly strikeLimit?: number;
  /** Calls a minute that the provider allows to all who call it; absent: no limit is documented. Kept by all workers of a task queue together. */
  readonly callsPerMinute?: number;
  /** Kinds of writes, the usual one first; the others are what recovery may use, in this order. */
  readonly intents: readonly IntentKind[];
  readonly keyIdIsSecret: boolean;
  /** The next rotation needs `fields.secretKey`. */
  readonly needsSecretKey: boolean;
}

export function classOf(capability: Capability): EngineStrategy['class'] {
  if (capability.value === 'client') return 'A';
  if (capability.overlap !== 'ours')
    return (capability.providerGraceMs ?? 0) > 0 && capability.overlap === 'provider' ? 'D' : 'E';
  return capability.replayWindowMs > 0 ? 'B' : 'C';
}

export function strategyOf(
  capability: Capability,
  provider: { readonly equips: boolean; readonly restorable: boolean },
  timing: Timing,
): EngineStrategy {
  return {
    class: classOf(capability),
    replayWindowMs: capability.replayWindowMs,
    listable: capability.listable,
    providerGraceMs: capability.overlap === 'ours' ? null : (capability.providerGraceMs ?? 0),
    intents: capability.intents,
    needsSecretKey: capability.needsSecretKey,
    equips: provider.equips,
    restorable: provider.restorable,
    timing,
  };
}

/**
 * More calls no activity makes, one for a token that has to be renewed among them: a provider's `equip` that has more to write says so, and
 * goes on in another activity. The conformance kit counts.
 */
export const CALLS_PER_ACTIVITY = 5;

/** Activities a second that all workers together may begin, so that no provider's quota is exceeded; null: no bound. */
export function activitiesPerSecond(capabilities: readonly Capability[]): number | null {
  const quotas = capabilities.flatMap(({ callsPerMinute }) => callsPerMinute ?? []);
  return quotas.length === 0 ? null : Math.min(...quotas) / 60 / CALLS_PER_ACTIVITY;
}

/** Defaults of `timing`, for a key whose configuration is gone. */
export const defaultTiming: Timing = {
  sendWithinMs: 5_000,
  httpTimeoutMs: 15_000,
  skewMs: 2_000,
  verifyAgainAfterMs: 300_000,
  propagationMs: 0,
  settleMs: 0,
  observeMs: 0,
};

/** Classes in which a new key can be taken back without hurting the old one. */
export function canGoBack(strategy: EngineStrategy): boolean {
  return strategy.providerGraceMs === null;
}
