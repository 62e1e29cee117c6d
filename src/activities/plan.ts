import { canGoBack } from '../domain/capability.js';
import { expiresAtMs } from '../domain/expiry.js';
import { incompleteOf } from '../domain/completion.js';
import { currentOf, type CredentialRecord, type OperationFacts } from '../domain/record.js';
import type { RotationRequest } from '../domain/request.js';
import { repointing } from '../domain/identity.js';
import { hasSeen } from '../domain/seen.js';
import { begin, keepWaiting, killLeaked, withVersion } from '../domain/transitions.js';
import type { KeyInfo } from '../providers/provider.js';
import type { Planned, PlanInput } from './api.js';
import { isProviderFailure, type Engine, type Working } from './engine.js';
import { stop } from './failures.js';

/** Everything that can be known to be wrong is found here, before anything is made: settings, permissions, store, drift. */
export async function plan(engine: Engine, input: PlanInput): Promise<Planned> {
  const w = await engine.open(input);
  const { record } = w.opened;
  const { nextMs: scheduledNextMs } = await engine.deps.schedule(input.credentialId);
  const planned = async (
    record: CredentialRecord,
    operation: OperationFacts,
    instead: Planned['instead'],
  ): Promise<Planned> => ({
    view: await engine.view(w.config, record),
    operation,
    policy: w.config.policy,
    capability: w.strategy.class,
    canGoBack: canGoBack(operation.strategy),
    scheduledNextMs,
    instead,
  });
  const fresh = newOperation(w, input);
  const ended = record.history.find((h) => h.operationId === input.operationId);
  if (ended) return planned(record, fresh, { ended });
  if (record.operation?.operationId === input.operationId) return planned(record, record.operation, null);
  if (record.operation) return planned(record, record.operation, { adopt: record.operation });

  const elsewhere = repointing(record, w.provider.identity(w.config.settings));
  if (elsewhere !== null) throw stop('failed', 'KT-REPOINTED', elsewhere);
  if (incompleteOf(record))
    throw stop('transient', 'KT-CAPABILITY-LOST', 'the secret key of the current key is being made');
  if (w.strategy.needsSecretKey && currentOf(record)?.secretKey !== 'ok') {
    throw stop(
      'needs-operator',
      'KT-CAPABILITY-LOST',
      'the current key has no secret key, which a rotation in place needs',
      record.capabilityLost?.deadlineMs,
    );
  }
  await engine.deps.custody.check();
  // The provider may hang: from here on an entity that is terminated does not lose what it has accepted.
  await engine.change(input.credentialId, (r) =>
    hasSeen(r.seen, input.request.requestId, engine.now()) ? r : keepWaiting(r, input.request),
  );
  const inventory = await takeInventory(engine, w, input.operationId);
  const old = inventory.keys?.find((k) => k.keyId === currentOf(record)?.keyId);
  const incurable = old ? w.provider.incurable?.(w.config.settings, old) : null;
  if (incurable) throw stop('failed', 'KT-SCOPE-DIFFERS', incurable);
  const opened = await engine.apply(input.credentialId, (r) =>
    begin(withInventory(r, inventory, engine.now()), fresh, input.after),
  );
  return planned(opened.record, fresh, null);
}

function newOperation(
  w: Working,
  input: { operationId: string; request: RotationRequest; startedAtMs: number },
): OperationFacts {
  return {
    operationId: input.operationId,
    request: input.request,
    startedAtMs: input.startedAtMs,
    fromVersion: currentOf(w.opened.record)?.version ?? 0,
    toVersion: null,
    policy: w.config.policy,
    strategy: w.strategy,
    compensating: false,
    refusedAtMs: null,
  };
}

export interface Inventory {
  readonly keys: readonly KeyInfo[] | null;
  /** Why there is none. */
  readonly lostProof: string | null;
}

/**
 * Ids as the record shows them; without permission to list the rotation goes on with fewer proofs.
 * @param version whose key is used, which this proves to work; default: the current one
 */
export async function takeInventory(
  engine: Engine,
  w: Working,
  operationId: string,
  version = currentOf(w.opened.record)?.version,
): Promise<Inventory> {
  if (version === undefined) throw stop('failed', 'KT-NOT-IMPORTED', 'there is no current key');
  const context = await engine.context(w, engine.values(w.opened, version), operationId);
  try {
    const listed = await w.provider.inventory(context);
    const keys = await Promise.all(listed.map(async (k) => ({ ...k, keyId: await engine.publicId(w, k.keyId) })));
    return { keys, lostProof: null };
  } catch (error) {
    if (!isProviderFailure(error, 'forbidden')) throw error;
    return {
      keys: null,
      lostProof: `${error.facts.message}: a key whose creation got lost cannot be recognised, and the death of an old key is proven by elapsed time only`,
    };
  }
}

/** Facts that the listing tells: lifetime and proof of the current key; what could not be proven. */
export function withInventory(record: CredentialRecord, inventory: Inventory, nowMs: number): CredentialRecord {
  const since = record.lostProofs?.sinceMs ?? nowMs;
  const lostProofs = inventory.lostProof === null ? null : { sinceMs: since, message: inventory.lostProof };
  const current = currentOf(record);
  const listed = inventory.keys?.find((k) => k.keyId === current?.keyId);
  const changed = { ...record, lostProofs };
  if (!current || !listed) return changed;
  const latest = listed.lifetime ?? null;
  const imported = current.operationId.startsWith('import/');
  const ends = expiresAtMs({ earlier: current.lifetime, latest }, imported ? null : current.createdAtMs);
  const proven = withVersion(changed, current.version, (v) => ({
    ...v,
    lifetime: current.lifetime ?? latest,
    expiresAtMs: listed.expiresAtMs ?? (sameEnd(ends, v.expiresAtMs) ? v.expiresAtMs : ends),
    verifiedAtMs: v.verifiedAtMs ?? nowMs,
  }));
  return killLeaked(proven);
}

/** Listings count whole seconds: an end that moves by less has not moved. */
function sameEnd(read: number | null, known: number | null): boolean {
  return read === null || (known !== null && Math.abs(read - known) < 2_000);
}
