import type { Opened } from '../custody/custody.js';
import { currentOf, type CredentialRecord, type DebtFacts } from '../domain/record.js';
import { strangers } from '../domain/recovery.js';
import { addDebt, newDebt } from '../domain/transitions.js';
import type { Engine, Working } from './engine.js';
import { takeInventory } from './plan.js';

/**
 * Keys that may have come from lost answers become debts: of `orphan` where the rule is certain, else `suspected-orphan` for an operator.
 * A late answer names its key for certain.
 */
export async function settleStrangers(engine: Engine, w: Working, operationId: string): Promise<Opened> {
  const late = await engine.deps.custody.readLate(w.credentialId, operationId);
  const lost = w.opened.record.intents.some(
    (i) => i.kind !== 'create-secret' && ['unknown', 'open'].includes(i.settled),
  );
  if (late.length === 0 && !lost) return w.opened;
  const inventory = lost ? await takeInventory(engine, w, operationId) : null;
  const keyTtlMs = w.provider.capability(w.config.settings).keyTtlMs ?? null;
  const nowMs = engine.now();
  const opened = await engine.change(w.credentialId, (record) => {
    const ids = new Set(record.versions.map((v) => v.keyId));
    let next = record;
    for (const answer of late) {
      if (answer.keyId !== null && !ids.has(answer.keyId)) next = withDebt(next, 'orphan', answer.keyId, nowMs);
    }
    if (!inventory) return next;
    const found = strangers(next, inventory.keys ?? [], keyTtlMs);
    if (found.certain !== null) next = withDebt(next, 'orphan', found.certain, nowMs);
    for (const id of found.suspects) next = withDebt(next, 'suspected-orphan', id, nowMs);
    if (found.uncertain || inventory.keys === null) next = withDebt(next, 'suspected-orphan', 'unlisted', nowMs);
    return next;
  });
  await engine.deps.custody.dropLate(w.credentialId, operationId);
  return opened;
}

export function withDebt(
  record: CredentialRecord,
  kind: DebtFacts['kind'],
  keyId: string,
  nowMs: number,
): CredentialRecord {
  const identity = currentOf(record)?.identity;
  if (!identity) return record;
  return { ...record, debts: addDebt(record.debts, newDebt(kind, keyId, identity, nowMs)) };
}
