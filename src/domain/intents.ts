/** Transitions of the intents: what was written before each call to the provider, and what became of it. */
import { currentOf, type CredentialRecord, type IntentFacts } from './record.js';
import { fencedAtMs, MAX_KEYLESS_REPLAYS } from './recovery.js';
import { done, forward, lost, next, withIntent, withVersion, type Transition } from './transitions.js';

/** Ordinal of the next intent; those that were surely not sent are forgotten, so it is no count. */
export function nextIntentN(record: CredentialRecord): number {
  return Math.max(0, ...record.intents.map((i) => i.n)) + 1;
}

/**
 * Written before the call. Intents that were surely not sent make way: an outage of hours must not fill the record. With an intent to rotate in place the current key's end of life is set at once, from the earliest instant
 * at which the call may have been executed: whatever becomes of the answer, nobody counts on a longer life.
 */
export function intend(record: CredentialRecord, intent: IntentFacts): Transition {
  const stale = forward(record, intent.operationId);
  if (stale) return stale;
  const same = record.intents.find((i) => i.n === intent.n);
  if (same) return same.idempotencyKey === intent.idempotencyKey ? done : lost(`intent ${intent.n} exists already`);
  if (record.intents.some((i) => i.settled === 'open')) return lost('another attempt is open');
  if (intent.epoch !== record.epoch) return lost('the fencing epoch has moved on');
  const withIntents = { ...record, intents: [...record.intents.filter((i) => i.settled !== 'not-sent'), intent] };
  return next(intent.kind === 'rotate' ? boundCurrentLife(withIntents, intent.createdAtMs) : withIntents);
}

/** An earlier bound that the key has outlived was that of a rotation which never happened: the inventory of this intent was taken with it. */
function boundCurrentLife(record: CredentialRecord, sentFromMs: number): CredentialRecord {
  const { providerGraceMs: graceMs = null, timing } = record.operation?.strategy ?? {};
  const current = currentOf(record);
  if (graceMs === null || !current) return record;
  const earlierMs = current.providerDiesAtMs ?? Number.POSITIVE_INFINITY;
  const outlived = earlierMs + (timing?.skewMs ?? 0) <= sentFromMs;
  const dies = Math.min(sentFromMs + graceMs, outlived ? Number.POSITIVE_INFINITY : earlierMs);
  return withVersion(record, current.version, (v) => ({ ...v, providerDiesAtMs: dies }));
}

/** The stored bytes are about to be sent once more (class B): the intent is open again under the record's epoch. */
export function reopen(record: CredentialRecord, operationId: string, n: number, sendBeforeMs: number): Transition {
  const stale = forward(record, operationId);
  if (stale) return stale;
  if (record.intents.some((i) => i.settled === 'open')) return lost('another attempt is open');
  const intent = record.intents.find((i) => i.n === n);
  if (!intent) return lost(`intent ${n} is gone`);
  if (intent.settled !== 'unknown') return lost(`intent ${n} is ${intent.settled}`);
  return next(
    withIntent(record, n, (i) => ({
      ...i,
      settled: 'open',
      epoch: record.epoch,
      sendBeforeMs,
      sends: i.sends + 1,
      absent: false,
    })),
  );
}

/** What an answer told beside the outcome: a replay without a usable key, or that the value is in use. */
export type SettleHint = 'keyless' | 'taken' | null;

/**
 * What became of one attempt at an intent, told by its operation and epoch: an attempt that was given up says nothing of the one that has
 * taken over. A rotation in place that surely had no effect gives the current key its life back.
 */
export function settle(
  record: CredentialRecord,
  attempt: Pick<IntentFacts, 'operationId' | 'n' | 'epoch'>,
  settled: IntentFacts['settled'],
  hint: SettleHint = null,
): Transition {
  const { n } = attempt;
  const intent = record.intents.find((i) => i.n === n && i.operationId === attempt.operationId);
  if (!intent) return lost(`intent ${n} is gone`);
  if (intent.epoch !== attempt.epoch) return lost(`another attempt at intent ${n} has taken over`);
  if (intent.settled === settled) return done;
  if (intent.settled !== 'open') return lost(`intent ${n} is ${intent.settled}`);
  const settledRecord = withIntent(record, n, (i) => ({
    ...i,
    settled,
    ...(hint === 'keyless' ? { keylessReplays: (i.keylessReplays ?? 0) + 1 } : {}),
    ...(hint === 'taken' ? { taken: true as const } : {}),
  }));
  const noEffect = settled === 'not-sent' || settled === 'refused';
  const rotationPossible = settledRecord.intents.some(
    (i) => i.kind === 'rotate' && !['not-sent', 'refused'].includes(i.settled),
  );
  const current = currentOf(record);
  // A bound that an earlier operation has left behind stays.
  const bound = intent.createdAtMs + (record.operation?.strategy.providerGraceMs ?? 0);
  if (intent.kind !== 'rotate' || !noEffect || rotationPossible || current?.providerDiesAtMs !== bound)
    return next(settledRecord);
  return next(withVersion(settledRecord, current.version, (v) => ({ ...v, providerDiesAtMs: null })));
}

/** The key of an intent was looked for as long as the provider may take to show it, and does not exist. */
export function notFound(record: CredentialRecord, operationId: string, n: number, taken: boolean): Transition {
  const stale = forward(record, operationId);
  if (stale) return stale;
  if (!record.intents.some((i) => i.n === n && i.settled === 'unknown')) return lost(`intent ${n} is not unknown`);
  return next(withIntent(record, n, (i) => ({ ...i, absent: true, ...(taken ? { taken: true as const } : {}) })));
}

/** Recovery begins: an attempt that is still under way may not send any more. */
export function raiseEpoch(record: CredentialRecord): CredentialRecord {
  return { ...record, epoch: record.epoch + 1 };
}

/** An open intent whose attempt can no longer have any effect is unknown. */
export function expireOpenIntents(
  record: CredentialRecord,
  nowMs: number,
  strategy = record.operation?.strategy,
): CredentialRecord {
  if (!strategy) return record;
  const expired = (i: IntentFacts): boolean => i.settled === 'open' && fencedAtMs(i, strategy) <= nowMs;
  return { ...record, intents: record.intents.map((i) => (expired(i) ? { ...i, settled: 'unknown' } : i)) };
}

/** Taking back begins: nothing is made or published by this operation any more, and an attempt that has not sent yet will not. */
export function compensate(record: CredentialRecord, operationId: string, nowMs: number): CredentialRecord {
  if (record.operation?.operationId !== operationId) return record;
  const open = record.intents.some((i) => i.settled === 'open');
  if (record.operation.compensating && !open) return record;
  const compensating = { ...record, operation: { ...record.operation, compensating: true } };
  return open ? expireOpenIntents(raiseEpoch(compensating), nowMs) : compensating;
}

/**
 * The newest answer named a key that is not this account's: what was really made is as unknown as after a lost answer, and a replay would
 * say the same again.
 */
export function disown(record: CredentialRecord): CredentialRecord {
  const wrong = record.intents.findLast((i) => i.kind !== 'create-secret' && i.settled === 'answered');
  if (!wrong) return record;
  return withIntent(record, wrong.n, (i) => ({ ...i, settled: 'unknown', keylessReplays: MAX_KEYLESS_REPLAYS }));
}
