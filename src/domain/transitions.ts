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
  type ProviderIdentity,
  type RetirementFacts,
  type RotationFacts,
  type VersionFacts,
} from './record.js';
import type { RotationRequest } from './request.js';
import { remember } from './seen.js';

/** A record, or the view of one. */
type Versions = Pick<CredentialRecord, 'versions'>;

export type Transition =
  | { readonly kind: 'next'; readonly record: CredentialRecord }
  | { readonly kind: 'done' }
  | { readonly kind: 'lost'; readonly because: string };

export const next = (record: CredentialRecord): Transition => ({ kind: 'next', record });
export const done: Transition = { kind: 'done' };
export const lost = (because: string): Transition => ({ kind: 'lost', because });

export function withVersion(
  record: CredentialRecord,
  version: number,
  change: (v: VersionFacts) => VersionFacts,
): CredentialRecord {
  return { ...record, versions: record.versions.map((v) => (v.version === version ? change(v) : v)) };
}

export function withIntent(
  record: CredentialRecord,
  n: number,
  change: (i: IntentFacts) => IntentFacts,
): CredentialRecord {
  return { ...record, intents: record.intents.map((i) => (i.n === n ? change(i) : i)) };
}

/** What a published version does to get the secret key that it lacks; between rotations only. */
export const completionId = (version: number): string => `complete/${version}`;

function completingOf(record: CredentialRecord, operationId: string): VersionFacts | undefined {
  const current = currentOf(record);
  const isIncomplete = record.operation === null && current?.secretKey === 'lost';
  return isIncomplete && completionId(current.version) === operationId ? current : undefined;
}

/** Another operation owns the record, or this one has ended: whoever slept until then writes nothing any more. */
export function ownership(record: CredentialRecord, operationId: string): Transition | null {
  if (record.operation?.operationId === operationId) return null;
  if (completingOf(record, operationId)) return null;
  if (record.operation !== null) return lost(`operation ${record.operation.operationId} is at work`);
  return lost('the operation has ended');
}

/** As `ownership`, and nothing is made or published once compensation has begun. */
export function forward(record: CredentialRecord, operationId: string): Transition | null {
  const stale = ownership(record, operationId);
  if (stale) return stale;
  return record.operation?.compensating ? lost('the rotation is being taken back') : null;
}

const hasEnded = (record: CredentialRecord, operationId: string): boolean =>
  record.history.some((h) => h.operationId === operationId);

/**
 * @param after the rotation that had ended last when this one was decided upon (null: none): a call that was held up until another one has
 *   come and gone begins nothing, because its request may have been served meanwhile. Undefined: not known.
 */
export function begin(record: CredentialRecord, operation: OperationFacts, after?: string | null): Transition {
  if (record.operation?.operationId === operation.operationId) return done;
  if (hasEnded(record, operation.operationId)) return lost('the operation has ended');
  if (record.operation !== null) return lost(`operation ${record.operation.operationId} is at work`);
  if (after !== undefined && (record.history[0]?.operationId ?? null) !== after)
    return lost('another operation has ended since this one was decided upon');
  const current = currentOf(record);
  if (current?.version !== operation.fromVersion)
    return lost(`version ${operation.fromVersion} is not current any more`);
  return next(dropWaiting({ ...record, operation, intents: [] }, operation.request.requestId));
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

/** The version that a secret key is made for: the pending one, or between rotations the current one that was published without. */
export function secretKeyGoesTo(record: CredentialRecord): VersionFacts | undefined {
  const current = currentOf(record);
  return pendingOf(record) ?? (current && completingOf(record, completionId(current.version)));
}

/** A secret key made for a version, or the knowledge that none can be had. */
export function stageSecretKey(record: CredentialRecord, n: number | null, secretKey: 'ok' | 'lost'): Transition {
  const version = secretKeyGoesTo(record);
  if (!version) return lost('there is no version that a secret key could go to');
  const told = n === null || record.intents.some((i) => i.n === n && i.settled === 'answered');
  if (told && version.secretKey === secretKey) return done;
  const answered = n === null ? record : withIntent(record, n, (i) => ({ ...i, settled: 'answered' }));
  const staged = withVersion(answered, version.version, (v) => ({ ...v, secretKey }));
  return next(version.stage === 'current' ? { ...staged, intents: [], capabilityLost: null } : staged);
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
  const stale = forward(record, operationId);
  if (stale) return hasEnded(record, operationId) ? done : stale;
  const operation = record.operation;
  const pending = pendingOf(record);
  const current = currentOf(record);
  if (!operation || !pending || !current) return lost('there is no pending version');
  if (current.version !== operation.fromVersion || pending.version < current.version)
    return lost(`version ${operation.fromVersion} is not current any more`);
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
        retirement: { ...retirement, notBeforeMs: recoveredBound(record) },
      };
    }
    return v;
  });
  const published = killLeaked({ ...record, versions });
  const ended = closeOperation(published, { ...input.rotation, version: pending.version }, input.nowMs);
  return next({
    ...ended,
    capabilityLost:
      promoted.secretKey === 'lost'
        ? {
            sinceMs: input.nowMs,
            message: 'the new key has no secret key: the next rotation is not possible',
            deadlineMs: promoted.expiresAtMs,
            retryAtMs: operation.strategy.intents.includes('create-secret') && input.verified ? input.nowMs : null,
            attempts: 0,
          }
        : null,
  });
}

/**
 * After a lost rotation in place the old id may name the old key or the lost one, and the old value lives until the grace of the last
 * rotation that may have been executed.
 */
function recoveredBound(record: CredentialRecord): number | null {
  const strategy = record.operation?.strategy;
  const rotations = record.intents.filter(
    (i) => i.kind === 'rotate' && (i.settled === 'unknown' || i.settled === 'answered'),
  );
  if (!strategy || !rotations.some((i) => i.settled === 'unknown')) return null;
  const lastSentMs = Math.max(...rotations.map((i) => i.sendBeforeMs));
  return lastSentMs + (strategy.providerGraceMs ?? 0) + strategy.timing.skewMs;
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

/** A pending version that an ended operation has left behind makes way; its key becomes a debt, unless a living version has the same id. */
export function abandonPending(record: CredentialRecord, nowMs: number): CredentialRecord {
  const pending = pendingOf(record);
  if (!pending) return record;
  const { version, keyId, identity } = pending;
  const shared = record.versions.some((v) => v !== pending && v.keyId === keyId);
  return dropPending(record, shared ? null : newDebt('orphan', keyId, identity, nowMs, version));
}

/** The operation ends without a new current version. */
export function close(
  record: CredentialRecord,
  rotation: RotationFacts,
  capabilityLost: CapabilityLost | null,
): Transition {
  if (record.operation?.operationId !== rotation.operationId) {
    if (hasEnded(record, rotation.operationId)) return done;
    if (record.operation !== null) return lost('another operation is at work');
  }
  const ended = closeOperation(record, rotation, rotation.endedAtMs);
  return next({ ...ended, capabilityLost: capabilityLost ?? record.capabilityLost });
}

/** The operation, if there was one, has ended: history, and its request is remembered. */
export function closeOperation(record: CredentialRecord, rotation: RotationFacts, nowMs: number): CredentialRecord {
  const history = [rotation, ...record.history]
    .slice(0, bounds.history)
    .map((h, i) => (i < bounds.historySteps ? h : { ...h, steps: [] }));
  const seen = remember(record.seen, rotation.requestId, nowMs);
  return dropWaiting({ ...record, operation: null, intents: [], history, seen }, rotation.requestId);
}

/** The attempt to kill what leaked, which belongs to this rotation, has failed. */
export function owing(record: CredentialRecord, operationId: string): CredentialRecord {
  const owes = (h: RotationFacts): boolean => h.operationId === operationId && h.outcome === 'rotated';
  return {
    ...record,
    history: record.history.map((h) => (owes(h) ? { ...h, outcome: 'rotated-with-debt' } : h)),
  };
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

/** A debt that is due at once. */
export function newDebt(
  kind: DebtFacts['kind'],
  keyId: string,
  identity: ProviderIdentity,
  nowMs: number,
  version: number | null = null,
): DebtFacts {
  return { kind, version, keyId, sinceMs: nowMs, attempts: 0, nextAttemptAtMs: nowMs, lastError: null, identity };
}

/** One debt per key and kind; certainty replaces suspicion, never the other way round. */
export function addDebt(debts: readonly DebtFacts[], debt: DebtFacts): readonly DebtFacts[] {
  const sameKey = debts.filter((d) => d.keyId === debt.keyId);
  const suspicion = debt.kind === 'suspected-orphan';
  if (sameKey.some((d) => d.kind === debt.kind || (suspicion && d.kind === 'orphan'))) return debts;
  const settled = debt.kind === 'orphan' ? sameKey.filter((d) => d.kind === 'suspected-orphan') : [];
  return [...debts.filter((d) => !settled.includes(d)), debt];
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
export function markLeaked<R extends Versions>(record: R, versions: readonly number[]): R {
  return killLeaked({
    ...record,
    versions: record.versions.map((v) => (versions.includes(v.version) ? { ...v, leaked: true } : v)),
  });
}

/** Replaced versions that leaked die now, if the current one was seen to work; to be called whenever that becomes true. */
export function killLeaked<R extends Versions>(record: R): R {
  if ((currentOf(record)?.verifiedAtMs ?? null) === null) return record;
  return {
    ...record,
    versions: record.versions.map((v) =>
      v.leaked && v.retirement ? { ...v, retirement: { ...v.retirement, killNow: true } } : v,
    ),
  };
}

/** When there are too many, a routine request gives way before one that reports a leak. */
export function keepWaiting(record: CredentialRecord, request: RotationRequest): CredentialRecord {
  if (record.waiting.some((w) => w.requestId === request.requestId)) return record;
  const waiting = [...record.waiting, request];
  if (waiting.length <= bounds.waitingRequests) return { ...record, waiting };
  const routine = waiting.findIndex((w) => w.reason === 'routine');
  return { ...record, waiting: waiting.toSpliced(Math.max(0, routine), 1) };
}

export function dropWaiting(record: CredentialRecord, requestId: string): CredentialRecord {
  if (!record.waiting.some((w) => w.requestId === requestId)) return record;
  return { ...record, waiting: record.waiting.filter((w) => w.requestId !== requestId) };
}

export function setPaused(record: CredentialRecord, paused: PauseFacts | null): CredentialRecord {
  return { ...record, paused };
}
