/**
 * What the next write of an operation is, derived from the strategy's class and the intents so far: the first attempt and every recovery of a
 * lost answer are cases of the same function. It never names a provider, and it never repeats a write blindly:
 *
 * - class A looks for the key whose value it has chosen, and sends the stored bytes again only when it is not there;
 * - class B sends the stored bytes with the same idempotency key again, inside the replay window;
 * - class C makes another key and leaves the lost one to the strangers' rule;
 * - classes D and E count a lost rotation in place as executed, and make another key while the old one still authenticates; so they do when
 *   only the secret key is refused that a rotation in place authenticates with.
 */
import { canGoBack } from './capability.js';
import {
  currentOf,
  pendingOf,
  type CredentialRecord,
  type EngineStrategy,
  type IntentFacts,
  type IntentKind,
  type LifetimeReading,
  type OperationFacts,
} from './record.js';
import { lastSafeInstantMs } from './verification.js';

export type Move =
  /** The attempt under way may still send: nothing is done before this instant. */
  | { readonly do: 'wait'; readonly untilMs: number }
  /** A new intent. */
  | { readonly do: 'send'; readonly kind: IntentKind }
  /** The stored bytes of an intent once more. */
  | { readonly do: 'replay'; readonly n: number }
  /** Reads whether the key of an intent exists. */
  | { readonly do: 'look'; readonly n: number }
  /** Everything there is to be had is pending; `secretKeyLost` where the new key goes without. */
  | { readonly do: 'finish'; readonly secretKeyLost: boolean }
  | { readonly do: 'give-up'; readonly because: string; readonly deadlineMs: number | null };

/** Sendings of one intent, where the old key's death allows no more patience. */
export const MAX_SENDS = 6;
/** One could be a gateway's doing. */
export const MAX_KEYLESS_REPLAYS = 2;
/** Creates with an unknown outcome: each may have left a key behind. */
const MAX_LOST_KEYS = 3;
/** A sixth of the replay window is left as a margin: 5 of Mambu's 6 hours. */
const replayUntilMs = (i: IntentFacts, s: EngineStrategy): number => i.createdAtMs + (s.replayWindowMs * 5) / 6;

/** When an attempt that began with this intent can no longer have any effect. */
export function fencedAtMs(intent: IntentFacts, strategy: EngineStrategy): number {
  const { httpTimeoutMs, skewMs } = strategy.timing;
  return intent.sendBeforeMs + httpTimeoutMs + skewMs;
}

export function nextMove(record: CredentialRecord, operation: OperationFacts, nowMs: number): Move {
  const { strategy } = operation;
  const open = record.intents.find((i) => i.settled === 'open');
  if (open) return { do: 'wait', untilMs: fencedAtMs(open, strategy) };
  const deadlineMs = currentOf(record)?.providerDiesAtMs ?? null;
  const pending = pendingOf(record);
  if (pending) return pendingMove(record, operation, pending.secretKey === 'ok', deadlineMs, nowMs);
  const tried = record.intents.filter((i) => i.kind !== 'create-secret' && i.settled !== 'not-sent');
  const last = tried.at(-1);
  // Where every try was refused without effect and the old key lives on, nothing is lost.
  if (!last || (canGoBack(strategy) && tried.every((i) => i.settled === 'refused'))) {
    return { do: 'send', kind: strategy.intents[0] ?? 'create-key' };
  }
  if (strategy.class === 'A') return afterLostChoice(tried, last, strategy);
  return afterLoss(tried, last, strategy, deadlineMs, nowMs);
}

/** The value is ours to choose, so the key can be looked for. A value that is not there and in use is somebody else's: another one is drawn. */
function afterLostChoice(tried: readonly IntentFacts[], last: IntentFacts, s: EngineStrategy): Move {
  if (last.settled === 'unknown' && !last.absent) return { do: 'look', n: last.n };
  const giveUp = (because: string): Move => ({ do: 'give-up', because, deadlineMs: null });
  if (last.settled === 'unknown' && !last.taken) {
    return last.sends < MAX_SENDS
      ? { do: 'replay', n: last.n }
      : giveUp('the provider made no key, however often asked');
  }
  if (tried.length >= MAX_LOST_KEYS) return giveUp(`${tried.length} values that were drawn for the new key are in use`);
  return { do: 'send', kind: s.intents[0] ?? 'create-key' };
}

/** When a key that is not to be seen was surely not made. */
export function surelyAbsentAtMs(intent: IntentFacts, strategy: EngineStrategy): number {
  return fencedAtMs(intent, strategy) + strategy.timing.settleMs;
}

/** Whether a key that was made and is refused can be replaced by another one within this operation. */
export function canMakeAnother(record: CredentialRecord, operation: OperationFacts, nowMs: number): boolean {
  const without = { ...record, versions: record.versions.filter((v) => v.stage !== 'pending') };
  const move = nextMove(without, operation, nowMs);
  return move.do === 'send' || move.do === 'replay';
}

function afterLoss(
  tried: readonly IntentFacts[],
  last: IntentFacts,
  s: EngineStrategy,
  deadlineMs: number | null,
  nowMs: number,
): Move {
  const giveUp = (because: string): Move => ({ do: 'give-up', because, deadlineMs });
  if (deadlineMs !== null && nowMs + s.timing.skewMs >= deadlineMs)
    return giveUp('the old key has died before a new one could be had');
  const keys = tried.filter((i) => i.kind === 'create-key');
  if (last.kind === 'rotate') {
    const permitted = s.intents.includes('create-key') && !keys.some((i) => i.settled === 'refused');
    return permitted ? { do: 'send', kind: 'create-key' } : giveUp('the answer to the rotation was lost');
  }
  if (last.settled === 'unknown') {
    if (isReplayable(last, s, deadlineMs, nowMs)) return { do: 'replay', n: last.n };
    if (keys.filter((i) => i.settled === 'unknown').length < MAX_LOST_KEYS) return { do: 'send', kind: 'create-key' };
    return giveUp(`the answers to ${MAX_LOST_KEYS} creations of a key were lost`);
  }
  // create-key was refused (no permission): one more rotation with the old secret, where there is one that may still work.
  const [rotation, ...more] = tried.filter((i) => i.kind === 'rotate');
  if (rotation?.settled === 'refused') return giveUp('the secret key is refused, and no other key may be made');
  if (rotation && more.length === 0 && last.settled === 'refused') return { do: 'send', kind: 'rotate' };
  return giveUp('no other way to make a key is permitted');
}

export function isReplayable(i: IntentFacts, s: EngineStrategy, deadlineMs: number | null, nowMs: number): boolean {
  const patient = (deadlineMs === null || i.sends < MAX_SENDS) && (i.keylessReplays ?? 0) < MAX_KEYLESS_REPLAYS;
  return patient && s.replayWindowMs > 0 && nowMs < replayUntilMs(i, s);
}

/** A new key without its secret key: one is made as long as there is time to publish before a consumer would hold a dead key. */
function pendingMove(
  r: CredentialRecord,
  { strategy: s, policy }: OperationFacts,
  hasSecret: boolean,
  deadlineMs: number | null,
  nowMs: number,
): Move {
  if (!s.needsSecretKey || hasSecret) return { do: 'finish', secretKeyLost: false };
  const secrets = r.intents.filter((i) => i.kind === 'create-secret' && i.settled !== 'not-sent');
  const last = secrets.at(-1);
  const { sendWithinMs, httpTimeoutMs, skewMs } = s.timing;
  const tooLate = nowMs + sendWithinMs + httpTimeoutMs + skewMs >= lastSafeInstantMs(deadlineMs, policy);
  if (last?.settled === 'refused' || tooLate || secrets.length >= MAX_SENDS || !s.intents.includes('create-secret')) {
    return { do: 'finish', secretKeyLost: true };
  }
  if (last?.settled === 'unknown' && isReplayable(last, s, deadlineMs, nowMs)) return { do: 'replay', n: last.n };
  return { do: 'send', kind: 'create-secret' };
}

/** A key as the provider lists it. */
export interface ListedKey {
  readonly keyId: string;
  readonly lifetime?: LifetimeReading;
}

/**
 * The key of a create whose answer was lost, recognised without its value. Deleted only if all hold: the inventory was taken just before
 * sending; exactly one create is unknown; exactly one listed id is neither in that inventory nor ours; its lifetime is the one we asked for,
 * where we did. Otherwise the ids are only suspects. An attempt that is still open may yet be executed, so nothing is certain with it.
 */
export function strangers(
  record: CredentialRecord,
  listed: readonly ListedKey[],
  keyTtlMs: number | null,
): { readonly certain: string | null; readonly suspects: readonly string[]; readonly uncertain: boolean } {
  const lost = record.intents.filter(
    (i) => i.kind !== 'create-secret' && (i.settled === 'unknown' || i.settled === 'open'),
  );
  const [first] = lost;
  if (!first) return { certain: null, suspects: [], uncertain: false };
  const ours = [...record.versions, ...record.debts, ...record.destroyed].map((k) => k.keyId);
  const known = new Set([...ours, ...(first.inventory ?? [])]);
  const unknown = listed.filter((k) => !known.has(k.keyId));
  const inventoried = lost.every((i) => i.inventory !== null);
  const open = lost.some((i) => i.settled === 'open');
  const [only] = unknown;
  const single = lost.length === 1 && unknown.length === 1;
  if (inventoried && !open && single && only && fitsTtl(only, keyTtlMs, first.createdAtMs)) {
    return { certain: only.keyId, suspects: [], uncertain: false };
  }
  return { certain: null, suspects: inventoried ? unknown.map((k) => k.keyId) : [], uncertain: !inventoried || open };
}

/** The listing tells what was given or what remains, in whole seconds. */
function fitsTtl(key: ListedKey, keyTtlMs: number | null, createdAfterMs: number): boolean {
  if (keyTtlMs === null) return true;
  if (!key.lifetime) return false;
  const { ttlMs, atMs } = key.lifetime;
  const elapsedMs = Math.max(0, atMs - createdAfterMs);
  return ttlMs <= keyTtlMs + 1_000 && ttlMs >= keyTtlMs - elapsedMs - 1_000;
}
