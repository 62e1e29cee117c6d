/**
 * Transitions of the record: pure functions from a record and what happened to the next record. They decide by operation id and version,
 * never by the order of calls, so that a step repeated after a crash finds its own work (`done`) and a stale one finds it has `lost`.
 */
import { acknowledge, beginRetirement } from './retirement.js';
import {
  bounds,
  currentOf,
  pendingOf,
  type CapabilityLost,
  type CredentialRecord,
  type DebtFacts,
  type DestroyedFacts,
  type IntentFacts,
  type OperationFacts,
  type PauseFacts,
  type RetirementFacts,
  type RotationFacts,
  type RotationPolicy,
  type VersionFacts,
} from './record.js';
import { fencedAtMs } from './recovery.js';
import { remember } from './seen.js';

export type Transition =
  | { readonly kind: 'next'; readonly record: CredentialRecord }
  | { readonly kind: 'done' }
  | { readonly kind: 'lost'; readonly because: string };

const next = (record: CredentialRecord): Transition => ({ kind: 'next', record });
const done: Transition = { kind: 'done' };
const lost = (because: string): Transition => ({ kind: 'lost', because });

export function withVersion(
  record: CredentialRecord,
  version: number,
  change: (v: VersionFacts) => VersionFacts,
): CredentialRecord {
  return { ...record, versions: record.versions.map((v) => (v.version === version ? change(v) : v)) };
}

function withIntent(record: CredentialRecord, n: number, change: (i: IntentFacts) => IntentFacts): CredentialRecord {
  return { ...record, intents: record.intents.map((i) => (i.n === n ? change(i) : i)) };
}

/** Another operation owns the record, or this one has ended. */
function ownership(record: CredentialRecord, operationId: string): Transition | null {
  if (record.operation?.operationId === operationId) return null;
  if (record.operation !== null) return lost(`operation ${record.operation.operationId} is at work`);
  return lost('the operation has ended');
}

export function begin(record: CredentialRecord, operation: OperationFacts): Transition {
  if (record.operation?.operationId === operation.operationId) return done;
  if (record.operation !== null) return lost(`operation ${record.operation.operationId} is at work`);
  const current = currentOf(record);
  if (current?.version !== operation.fromVersion)
    return lost(`version ${operation.fromVersion} is not current any more`);
  return next({ ...record, operation, intents: [] });
}

/**
 * Written before the call. With an intent to rotate in place the current key's end of life is set at once, from the earliest instant
 * at which the call may have been executed: whatever becomes of the answer, nobody counts on a longer life.
 */
export function intend(record: CredentialRecord, intent: IntentFacts): Transition {
  const stale = ownership(record, intent.operationId);
  if (stale) return stale;
  if (record.intents.some((i) => i.n === intent.n)) return lost(`intent ${intent.n} exists already`);
  if (record.intents.some((i) => i.settled === 'open')) return lost('another attempt is open');
  if (intent.epoch !== record.epoch) return lost('the fencing epoch has moved on');
  const withIntents = { ...record, intents: [...record.intents, intent] };
  return next(intent.kind === 'rotate' ? boundCurrentLife(withIntents, intent.createdAtMs) : withIntents);
}

function boundCurrentLife(record: CredentialRecord, sentFromMs: number): CredentialRecord {
  const graceMs = record.operation?.strategy.providerGraceMs ?? null;
  const current = currentOf(record);
  if (graceMs === null || !current) return record;
  const dies = Math.min(sentFromMs + graceMs, current.providerDiesAtMs ?? Number.POSITIVE_INFINITY);
  return withVersion(record, current.version, (v) => ({ ...v, providerDiesAtMs: dies }));
}

/** The stored bytes are about to be sent once more (class B): the intent is open again under the record's epoch. */
export function reopen(record: CredentialRecord, n: number, sendBeforeMs: number): Transition {
  const intent = record.intents.find((i) => i.n === n);
  if (!intent) return lost(`intent ${n} is gone`);
  if (intent.settled !== 'unknown') return lost(`intent ${n} is ${intent.settled}`);
  return next(
    withIntent(record, n, (i) => ({ ...i, settled: 'open', epoch: record.epoch, sendBeforeMs, sends: i.sends + 1 })),
  );
}

/** What became of an intent; a rotation in place that surely had no effect gives the current key its life back. */
export function settle(record: CredentialRecord, n: number, settled: IntentFacts['settled']): Transition {
  const intent = record.intents.find((i) => i.n === n);
  if (!intent) return lost(`intent ${n} is gone`);
  if (intent.settled === settled) return done;
  if (intent.settled !== 'open') return lost(`intent ${n} is ${intent.settled}`);
  const settledRecord = withIntent(record, n, (i) => ({ ...i, settled }));
  const noEffect = settled === 'not-sent' || settled === 'refused';
  const rotationPossible = settledRecord.intents.some(
    (i) => i.kind === 'rotate' && !['not-sent', 'refused'].includes(i.settled),
  );
  const current = currentOf(record);
  if (intent.kind !== 'rotate' || !noEffect || rotationPossible || !current) return next(settledRecord);
  return next(withVersion(settledRecord, current.version, (v) => ({ ...v, providerDiesAtMs: null })));
}

/** Recovery begins: an attempt that is still under way may not send any more. */
export function raiseEpoch(record: CredentialRecord): CredentialRecord {
  return { ...record, epoch: record.epoch + 1 };
}

/** An open intent whose attempt can no longer have any effect is unknown. */
export function expireOpenIntents(record: CredentialRecord, nowMs: number): CredentialRecord {
  const strategy = record.operation?.strategy;
  if (!strategy) return record;
  const expired = (i: IntentFacts): boolean => i.settled === 'open' && fencedAtMs(i, strategy) <= nowMs;
  return { ...record, intents: record.intents.map((i) => (expired(i) ? { ...i, settled: 'unknown' } : i)) };
}

/** Seals an answer as the pending version. */
export function stage(
  record: CredentialRecord,
  operationId: string,
  n: number,
  fresh: Pick<VersionFacts, 'keyId' | 'fingerprint' | 'expiresAtMs' | 'secretKey' | 'createdAtMs'>,
): Transition {
  const stale = ownership(record, operationId);
  if (stale) return stale;
  const pending = pendingOf(record);
  if (pending) return pending.fingerprint === fresh.fingerprint ? done : lost('another pending version exists');
  const current = currentOf(record);
  if (!current || !record.operation) return lost('there is no current version');
  const version = record.highestVersion + 1;
  const answered = withIntent(record, n, (i) => ({ ...i, settled: 'answered' }));
  return next({
    ...answered,
    highestVersion: version,
    operation: { ...record.operation, toVersion: version, refusedAtMs: null },
    versions: [
      ...answered.versions,
      {
        ...fresh,
        version,
        stage: 'pending',
        operationId,
        identity: current.identity,
        publishedAtMs: null,
        verifiedAtMs: null,
        lifetime: null,
        providerDiesAtMs: null,
        leaked: false,
        retirement: null,
      },
    ],
  });
}

/** A secret key made for the pending version, or the knowledge that none can be had. */
export function stageSecretKey(record: CredentialRecord, n: number | null, secretKey: 'ok' | 'lost'): Transition {
  const pending = pendingOf(record);
  if (!pending) return lost('there is no pending version');
  const answered = n === null ? record : withIntent(record, n, (i) => ({ ...i, settled: 'answered' }));
  return next(withVersion(answered, pending.version, (v) => ({ ...v, secretKey })));
}

/**
 * The rotation ends: pending becomes current, current becomes previous, in one write. A version that leaked while it was pending is not
 * published where the class can go back; where it cannot (`force`), the next rotation replaces it.
 */
export function publish(
  record: CredentialRecord,
  operationId: string,
  input: {
    readonly nowMs: number;
    readonly verified: boolean;
    readonly force: boolean;
    readonly rotation: RotationFacts;
  },
): Transition {
  const stale = ownership(record, operationId);
  if (stale) return record.history.some((h) => h.operationId === operationId) ? done : stale;
  const operation = record.operation;
  const pending = pendingOf(record);
  const current = currentOf(record);
  if (!operation || !pending || !current) return lost('there is no pending version');
  if (pending.leaked && !input.force) return lost('the pending version has leaked');
  const promoted: VersionFacts = {
    ...pending,
    stage: 'current',
    publishedAtMs: input.nowMs,
    verifiedAtMs: input.verified ? (pending.verifiedAtMs ?? input.nowMs) : null,
  };
  const by = { version: pending.version, keyId: pending.keyId, verified: input.verified };
  const versions = record.versions.map((v): VersionFacts => {
    if (v.version === pending.version) return promoted;
    if (v.version === current.version) {
      const retirement = beginRetirement(v, by, operation.policy, record.acknowledged, input.nowMs);
      return {
        ...v,
        stage: 'previous',
        retirement: { ...retirement, notBeforeMs: recoveredBound(record, v, pending) },
      };
    }
    return v;
  });
  const ended = closeOperation({ ...record, versions }, input.rotation, input.nowMs);
  return next({
    ...ended,
    capabilityLost:
      promoted.secretKey === 'lost'
        ? {
            sinceMs: input.nowMs,
            message: 'the new key has no secret key: the next rotation is not possible',
            deadlineMs: null,
          }
        : null,
  });
}

/** The old id may name the lost key of a rotation in place that was recovered by another key. */
function recoveredBound(record: CredentialRecord, old: VersionFacts, fresh: VersionFacts): number | null {
  const lostRotation = record.intents.find((i) => i.kind === 'rotate' && i.settled === 'unknown');
  const timing = record.operation?.strategy.timing;
  if (!lostRotation || !timing || old.keyId === fresh.keyId) return null;
  const graceMs = record.operation?.strategy.providerGraceMs ?? 0;
  return lostRotation.sendBeforeMs + graceMs + timing.skewMs;
}

/** The pending version is given up (compensated, or refused for good). */
export function dropPending(record: CredentialRecord, debt: DebtFacts | null): CredentialRecord {
  return {
    ...record,
    versions: record.versions.filter((v) => v.stage !== 'pending'),
    operation: record.operation ? { ...record.operation, toVersion: null, refusedAtMs: null } : null,
    debts: debt ? addDebt(record.debts, debt) : record.debts,
  };
}

/** The operation ends without a new current version. */
export function close(
  record: CredentialRecord,
  rotation: RotationFacts,
  capabilityLost: CapabilityLost | null,
): Transition {
  if (record.operation?.operationId !== rotation.operationId) {
    const known = record.history.some((h) => h.operationId === rotation.operationId);
    if (known || record.operation !== null) return known ? done : lost('another operation is at work');
  }
  const ended = closeOperation(record, rotation, rotation.endedAtMs);
  return next({ ...ended, capabilityLost: capabilityLost ?? record.capabilityLost });
}

function closeOperation(record: CredentialRecord, rotation: RotationFacts, nowMs: number): CredentialRecord {
  const history = [rotation, ...record.history]
    .slice(0, bounds.history)
    .map((h, i) => (i < bounds.historySteps ? h : { ...h, steps: [] }));
  return { ...record, operation: null, intents: [], history, seen: remember(record.seen, rotation.requestId, nowMs) };
}

export function patchRetirement(
  record: CredentialRecord,
  version: number,
  patch: Partial<RetirementFacts>,
): CredentialRecord {
  return withVersion(record, version, (v) => (v.retirement ? { ...v, retirement: { ...v.retirement, ...patch } } : v));
}

export function destroy(
  record: CredentialRecord,
  version: number,
  proof: DestroyedFacts['proof'],
  nowMs: number,
): CredentialRecord {
  const dead = record.versions.find((v) => v.version === version);
  if (!dead || dead.stage !== 'previous') return record;
  const { keyId, fingerprint } = dead;
  return {
    ...record,
    versions: record.versions.filter((v) => v.version !== version),
    destroyed: [{ version, keyId, fingerprint, destroyedAtMs: nowMs, proof }, ...record.destroyed].slice(
      0,
      bounds.history,
    ),
  };
}

export function addDebt(debts: readonly DebtFacts[], debt: DebtFacts): readonly DebtFacts[] {
  if (debts.some((d) => d.keyId === debt.keyId && d.kind === debt.kind)) return debts;
  return [...debts.filter((d) => d.keyId !== debt.keyId || d.kind === 'mirror'), debt];
}

export function patchDebt(record: CredentialRecord, keyId: string, patch: Partial<DebtFacts> | null): CredentialRecord {
  const debts = record.debts.flatMap((d) => (d.keyId !== keyId ? [d] : patch === null ? [] : [{ ...d, ...patch }]));
  return { ...record, debts };
}

/** Remembers the newest version each consumer has confirmed; covers that version and older ones. */
export function acknowledged(
  record: CredentialRecord,
  consumer: string,
  version: number,
  nowMs: number,
): CredentialRecord {
  const known = record.acknowledged.find((a) => a.consumer === consumer);
  if (known && known.version >= version) return record;
  return {
    ...record,
    acknowledged: [...record.acknowledged.filter((a) => a.consumer !== consumer), { consumer, version }],
    versions: record.versions.map((v) =>
      v.retirement ? { ...v, retirement: acknowledge(v.retirement, consumer, version, nowMs) } : v,
    ),
  };
}

/**
 * These versions leaked: they never come back. Those in grace die at once where a newer verified version is current; the current one dies
 * as soon as there is one.
 */
export function markLeaked(record: CredentialRecord, versions: readonly number[]): CredentialRecord {
  const current = currentOf(record);
  return {
    ...record,
    versions: record.versions.map((v) => {
      if (!versions.includes(v.version)) return v;
      const kill = v.retirement !== null && current !== undefined && current.verifiedAtMs !== null;
      return {
        ...v,
        leaked: true,
        retirement: v.retirement && kill ? { ...v.retirement, killNow: true } : v.retirement,
      };
    }),
  };
}

export function setPaused(record: CredentialRecord, paused: PauseFacts | null): CredentialRecord {
  return { ...record, paused };
}

/** Why a rollback to this version is refused, or null. `nowMs` matters for keys with an end of life of their own. */
export function rollbackRefusal(
  record: Pick<CredentialRecord, 'versions' | 'operation'>,
  toVersion: number,
  policy: RotationPolicy,
  providerGrace: boolean,
  restorable: boolean,
  nowMs: number,
): string | null {
  const target = record.versions.find((v) => v.version === toVersion);
  if (record.operation !== null) return 'a rotation is in progress';
  if (!target) return `version ${toVersion} does not exist any more`;
  if (target.stage === 'current') return `version ${toVersion} is current already`;
  const r = target.retirement;
  if (!r) return `version ${toVersion} was never published`;
  if (providerGrace || target.providerDiesAtMs !== null) {
    return 'the provider ends the old key by itself: a rotation in place cannot be taken back';
  }
  if (target.leaked) return `version ${toVersion} has leaked`;
  if (r.state === 'held' && restorable) return null;
  if (r.state !== 'in-grace') return `version ${toVersion} is ${r.state}`;
  const ends = target.expiresAtMs;
  if (ends !== null && ends - nowMs < policy.refreshWithinMs + policy.graceMs) {
    return `version ${toVersion} expires too soon at the provider`;
  }
  return null;
}

/** Republishes the value of an older version as a new version; the version that was current goes into grace, the older facts are dropped. */
export function rollBack(
  record: CredentialRecord,
  toVersion: number,
  policy: RotationPolicy,
  rotation: Omit<RotationFacts, 'version'>,
): Transition {
  if (record.history.some((h) => h.operationId === rotation.operationId)) return done;
  const target = record.versions.find((v) => v.version === toVersion);
  const current = currentOf(record);
  if (!target || !current || target.stage !== 'previous' || record.operation) return lost('the versions have moved on');
  const version = record.highestVersion + 1;
  const nowMs = rotation.endedAtMs;
  const restored: VersionFacts = {
    ...target,
    version,
    stage: 'current',
    publishedAtMs: nowMs,
    retirement: null,
    operationId: rotation.operationId,
  };
  const by = { version, keyId: target.keyId, verified: target.verifiedAtMs !== null };
  const versions = record.versions.flatMap((v): VersionFacts[] => {
    if (v.version === toVersion) return [];
    if (v.version !== current.version) return [v];
    return [{ ...v, stage: 'previous', retirement: beginRetirement(v, by, policy, record.acknowledged, nowMs) }];
  });
  return next(
    closeOperation(
      { ...record, highestVersion: version, versions: [...versions, restored] },
      { ...rotation, version },
      nowMs,
    ),
  );
}
