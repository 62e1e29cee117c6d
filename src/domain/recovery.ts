/**
 * What the next write of an operation is, derived from the strategy's class and the intents so far: the first attempt and every recovery of a
 * lost answer are cases of the same function. It never names a provider, and it never repeats a write blindly:
 *
 * - class B sends the stored bytes with the same idempotency key again, inside the replay window;
 * - class C makes another key and leaves the lost one to the strangers' rule;
 * - classes D and E count a lost rotation in place as executed, and make another key while the old one still authenticates.
 */
import {
  currentOf,
  pendingOf,
  type CredentialRecord,
  type EngineStrategy,
  type IntentFacts,
  type IntentKind,
  type OperationFacts,
} from './record.js';

export type Move =
  /** The attempt under way may still send: nothing is done before this instant. */
  | { readonly do: 'wait'; readonly untilMs: number }
  /** A new intent. */
  | { readonly do: 'send'; readonly kind: IntentKind }
  /** The stored bytes of an intent once more. */
  | { readonly do: 'replay'; readonly n: number }
  /** Everything there is to be had is pending; `secretKeyLost` where the new key goes without. */
  | { readonly do: 'finish'; readonly secretKeyLost: boolean }
  | { readonly do: 'give-up'; readonly because: string; readonly deadlineMs: number | null };

const MAX_SENDS = 6;
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
  if (pending)
    return pendingMove(record, strategy, pending.secretKey === 'ok', pending.providerDiesAtMs ?? deadlineMs, nowMs);
  const main = strategy.intents[0] ?? 'create-key';
  const last = record.intents.findLast((i) => i.kind !== 'create-secret');
  if (!last || last.settled === 'not-sent') return afterNothing(record, strategy, main, deadlineMs, nowMs);
  return afterLoss(record, strategy, last, deadlineMs, nowMs);
}

function afterNothing(
  r: CredentialRecord,
  s: EngineStrategy,
  main: IntentKind,
  deadlineMs: number | null,
  nowMs: number,
): Move {
  const lostBefore = r.intents.findLast((i) => i.kind !== 'create-secret' && i.settled !== 'not-sent');
  return lostBefore ? afterLoss(r, s, lostBefore, deadlineMs, nowMs) : { do: 'send', kind: main };
}

function afterLoss(
  r: CredentialRecord,
  s: EngineStrategy,
  last: IntentFacts,
  deadlineMs: number | null,
  nowMs: number,
): Move {
  if (deadlineMs !== null && nowMs + s.timing.skewMs >= deadlineMs) {
    return { do: 'give-up', because: 'the old key has died before a new one could be had', deadlineMs };
  }
  if (last.kind === 'rotate') {
    if (!s.intents.includes('create-key'))
      return { do: 'give-up', because: 'the answer to the rotation was lost', deadlineMs };
    return { do: 'send', kind: 'create-key' };
  }
  if (last.settled === 'unknown') {
    const replayable = s.intents.includes('create-key') && last.sends < MAX_SENDS;
    const windowMs = s.replayWindowMs > 0 ? replayUntilMs(last, s) : 0;
    if (replayable && nowMs < windowMs) return { do: 'replay', n: last.n };
    return { do: 'send', kind: last.kind };
  }
  // create-key was refused (no permission) or its key did not verify: one more rotation with the old secret, where there is one.
  const rotations = r.intents.filter((i) => i.kind === 'rotate' && i.settled !== 'not-sent').length;
  if (s.intents[0] === 'rotate' && rotations === 1 && last.settled === 'refused') return { do: 'send', kind: 'rotate' };
  return { do: 'give-up', because: 'no other way to make a key is permitted', deadlineMs };
}

function pendingMove(
  r: CredentialRecord,
  s: EngineStrategy,
  hasSecret: boolean,
  deadlineMs: number | null,
  nowMs: number,
): Move {
  if (!s.needsSecretKey || hasSecret) return { do: 'finish', secretKeyLost: false };
  const secrets = r.intents.filter((i) => i.kind === 'create-secret');
  const last = secrets.at(-1);
  const refused = last?.settled === 'refused';
  const tooLate = deadlineMs !== null && nowMs + s.timing.httpTimeoutMs + s.timing.skewMs >= deadlineMs;
  if (refused || tooLate || secrets.length >= MAX_SENDS || !s.intents.includes('create-secret')) {
    return { do: 'finish', secretKeyLost: true };
  }
  if (last?.settled === 'unknown' && s.replayWindowMs > 0 && last.sends < MAX_SENDS && nowMs < replayUntilMs(last, s)) {
    return { do: 'replay', n: last.n };
  }
  return { do: 'send', kind: 'create-secret' };
}

/**
 * The key of a create whose answer was lost, recognised without its value. Deleted only if all hold: the inventory was taken just before
 * sending; exactly one create is unknown; exactly one listed id is neither in that inventory nor ours. Otherwise the ids are only suspects.
 */
export function strangers(
  record: CredentialRecord,
  listed: readonly string[],
): { readonly certain: string | null; readonly suspects: readonly string[]; readonly uncertain: boolean } {
  const lost = record.intents.filter((i) => i.kind !== 'create-secret' && i.settled === 'unknown');
  if (lost.length === 0) return { certain: null, suspects: [], uncertain: false };
  const known = new Set([...record.versions.map((v) => v.keyId), ...record.debts.map((d) => d.keyId)]);
  const before = new Set(lost[0]?.inventory ?? []);
  const unknown = listed.filter((id) => !known.has(id) && !before.has(id));
  const inventoried = lost.every((i) => i.inventory !== null);
  if (lost.length === 1 && inventoried && unknown.length === 1) {
    return { certain: unknown[0] ?? null, suspects: [], uncertain: false };
  }
  return { certain: null, suspects: inventoried ? unknown : [], uncertain: !inventoried };
}
