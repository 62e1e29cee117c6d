import { debtDelayMs, retireDueMs, revokeAtMs } from '../domain/retirement.js';
import {
  currentOf,
  type CredentialRecord,
  type RecordView,
  type RetirementFacts,
  type VersionFacts,
} from '../domain/record.js';
import { destroy, owing, patchDebt, patchRetirement } from '../domain/transitions.js';
import type { Believed, CredentialActivities } from './api.js';
import type { Engine, Working } from './engine.js';
import { describe, stop } from './failures.js';
import { takeInventory } from './plan.js';

/** One attempt to end the life of a replaced version. A failure is a debt: visible, tried again with growing waits, never abandoned. */
export async function retire(
  engine: Engine,
  input: Parameters<CredentialActivities['retire']>[0],
): Promise<RecordView> {
  let w = await engine.openToRetire(input);
  const due = ({ versions }: CredentialRecord): VersionFacts | undefined =>
    versions.find((v) => v.version === input.version && retireDueMs(v, w.config.timing.skewMs) <= engine.now());
  const state = due(w.opened.record)?.retirement?.state;
  if (state === 'in-grace' || state === 'held') {
    // From here on it can no longer be rolled back to: a rollback between this read and the call would lose its key.
    const opened = await engine.change(w.credentialId, (record) =>
      due(record) ? patchRetirement(record, input.version, revoking) : record,
    );
    w = { ...w, opened };
  }
  const old = due(w.opened.record);
  const r = old?.retirement;
  if (!old || !r) return engine.view(w.config, w.opened.record);
  const patch = await oneAttempt(engine, w, old, r).catch((error: unknown): Partial<RetirementFacts> => {
    const { kind, code, message, retryAfterMs } = describe(error);
    if (kind === 'trouble' || code === 'KT-STORE-UNAVAILABLE' || code === 'KT-INTERNAL') throw error;
    const attempts = r.attempts + 1;
    const waitMs = Math.max(retryAfterMs ?? 0, debtDelayMs(attempts));
    return { state: 'debt', attempts, nextAttemptAtMs: engine.now() + waitMs, lastError: { code, message } };
  });
  const opened = await engine.change(w.credentialId, (record) => {
    if (!isAsLeft(record, old)) return record;
    return patch === 'listed' || patch === 'elapsed'
      ? destroy(record, old.version, patch, engine.now())
      : withOutcome(patchRetirement(record, old.version, patch), patch, input.operationId);
  });
  return engine.view(w.config, opened.record);
}

/** No other attempt has gone on with this version since, and nobody has rolled back to it. */
function isAsLeft(record: CredentialRecord, { version, retirement }: VersionFacts): boolean {
  const now = record.versions.find((v) => v.version === version && v.stage === 'previous')?.retirement;
  return (
    now?.state === retirement?.state &&
    now?.attempts === retirement?.attempts &&
    now?.suspendedAtMs === retirement?.suspendedAtMs &&
    now?.deletedAtMs === retirement?.deletedAtMs
  );
}

const revoking: Partial<RetirementFacts> = { state: 'revoking', nextAttemptAtMs: null };

/** A rotation to which this attempt belongs ends with it. */
function withOutcome(
  record: CredentialRecord,
  patch: Partial<RetirementFacts>,
  operationId: string | undefined,
): CredentialRecord {
  return operationId !== undefined && patch.state === 'debt' ? owing(record, operationId) : record;
}

type Progress = Partial<RetirementFacts> | 'listed' | 'elapsed';

async function oneAttempt(engine: Engine, w: Working, old: VersionFacts, r: RetirementFacts): Promise<Progress> {
  const { record } = w.opened;
  const current = currentOf(record);
  if (!current) throw stop('failed', 'KT-CONFLICT', 'there is no current key to vouch for the removal of an old one');
  const { skewMs, propagationMs } = w.config.timing;
  const ownEndMs = old.providerDiesAtMs === null ? null : old.providerDiesAtMs + skewMs;
  const ended = ownEndMs !== null && engine.now() >= ownEndMs;
  const namesNewer = record.versions.some((v) => v.version > old.version && v.keyId === old.keyId);
  if (namesNewer || r.by === 'provider') {
    // The id is not ours to delete; the provider's own grace ends the old value.
    if (ended || ownEndMs === null) return 'elapsed';
    return { state: 'revoking', by: 'provider', nextAttemptAtMs: ownEndMs };
  }
  const elderUntilMs = elderGraceMs(record, old);
  if (!r.killNow && r.deletedAtMs === null && engine.now() < elderUntilMs)
    return { state: 'revoking', nextAttemptAtMs: elderUntilMs };
  const fence = engine.fence(w.credentialId, (now) => isAsLeft(now, old));
  const context = await engine.context(w, engine.values(w.opened, current.version), `retire/${old.version}`, fence);
  if (w.strategy.restorable && !r.killNow && r.suspendedAtMs === null && w.config.timing.observeMs > 0) {
    await w.provider.retire(context, engine.values(w.opened, old.version).keyId, 'suspend');
    const suspendedAtMs = engine.now();
    const observedAtMs = suspendedAtMs + propagationMs + w.config.timing.observeMs;
    return { state: 'held', suspendedAtMs, nextAttemptAtMs: observedAtMs, attempts: 0, lastError: null };
  }
  let deletedAtMs = r.deletedAtMs;
  if (deletedAtMs === null) {
    const result = await w.provider.retire(context, engine.values(w.opened, old.version).keyId, 'destroy');
    // During the provider's own grace a missing id proves nothing: the value may still be accepted.
    if (result === 'absent' && ownEndMs !== null && !ended) return { state: 'revoking', nextAttemptAtMs: ownEndMs };
    deletedAtMs = engine.now();
  }
  const provableAtMs = deletedAtMs + propagationMs;
  if (engine.now() < provableAtMs) return { state: 'revoking', deletedAtMs, nextAttemptAtMs: provableAtMs };
  const inventory = await takeInventory(engine, w, `retire/${old.version}`);
  if (inventory.keys === null) return 'elapsed';
  const listed = inventory.keys.find((k) => k.keyId === old.keyId);
  if (!listed || listed.revoked) return 'listed';
  throw stop('failed', 'KT-DEBT', `key ${old.keyId} is still listed after its removal`);
}

/** A rotation in place may keep the id: to remove by it would end the value before, too, whose consumers have until then. */
function elderGraceMs({ versions }: CredentialRecord, old: VersionFacts): number {
  const elders = versions.filter((v) => v.version < old.version && v.keyId === old.keyId);
  return Math.max(0, ...elders.flatMap(({ retirement }) => (retirement ? [revokeAtMs(retirement)] : [])));
}

/** The provider's own id behind the one that the record shows. */
const idOf = ({ opened: { shelf } }: Working, keyId: string): string => shelf.debts?.[keyId]?.reveal() ?? keyId;

/** One attempt to remove a key that is ours beyond doubt but no version. */
export async function settleDebt(engine: Engine, input: Believed & { readonly keyId: string }): Promise<RecordView> {
  const w = await engine.openToRetire(input);
  const debt = w.opened.record.debts.find((d) => d.keyId === input.keyId && d.kind === 'orphan');
  const current = currentOf(w.opened.record);
  if (!debt || !current || (debt.nextAttemptAtMs ?? 0) > engine.now()) return engine.view(w.config, w.opened.record);
  const isLiving = ({ versions }: CredentialRecord): boolean => versions.some((v) => v.keyId === debt.keyId);
  const fence = engine.fence(w.credentialId, (now) => !isLiving(now));
  const failure = isLiving(w.opened.record)
    ? null
    : await engine
        .context(w, engine.values(w.opened, current.version), `debt/${debt.keyId}`, fence)
        .then((context) => w.provider.retire(context, idOf(w, debt.keyId), 'destroy'))
        .then(() => null)
        .catch((error: unknown) => describe(error));
  if (failure?.kind === 'trouble' || failure?.code === 'KT-STORE-UNAVAILABLE')
    throw stop(failure.kind, failure.code, failure.message);
  const opened = await engine.change(w.credentialId, (record) => {
    if (failure === null) return patchDebt(record, debt.keyId, null);
    const attempts = debt.attempts + 1;
    const waitMs = Math.max(failure.retryAfterMs ?? 0, debtDelayMs(attempts));
    const { code, message } = failure;
    return patchDebt(record, debt.keyId, {
      attempts,
      nextAttemptAtMs: engine.now() + waitMs,
      lastError: { code, message },
    });
  });
  return engine.view(w.config, opened.record);
}
