import type { LateAnswer, Opened } from '../custody/custody.js';
import { currentOf, type CredentialRecord, type DebtFacts } from '../domain/record.js';
import { strangers } from '../domain/recovery.js';
import { Secret } from '../domain/secret.js';
import { addDebt, newDebt } from '../domain/transitions.js';
import type { KeyInfo } from '../providers/provider.js';
import { isProviderFailure, mustOwn, type Engine, type Working } from './engine.js';
import { takeInventory } from './plan.js';

/**
 * Keys that may have come from lost answers become debts: of `orphan` where the rule is certain, else `suspected-orphan` for an operator.
 * A late answer names its key for certain, and so does an intent whose value was chosen here.
 * @param lister version whose key lists; default: the current one
 */
export async function settleStrangers(
  engine: Engine,
  w: Working,
  operationId: string,
  lister?: number,
): Promise<Opened> {
  const late = await engine.deps.custody.readLate(w.credentialId, operationId);
  const unsettled = w.opened.record.intents.filter(
    (i) => i.kind !== 'create-secret' && ['unknown', 'open'].includes(i.settled) && !i.absent,
  );
  if (late.length === 0 && unsettled.length === 0) return w.opened;
  const chooses = w.strategy.class === 'A';
  const named = [...lateIds(late), ...(chooses ? unsettled.flatMap(({ n }) => chosenId(w, n)) : [])];
  const certain = await Promise.all(named.map(async (id) => ({ id, shown: await engine.publicId(w, id) })));
  const inventory = unsettled.length > 0 && !chooses ? await takeInventory(engine, w, operationId, lister) : null;
  const keyTtlMs = w.provider.capability(w.config.settings).keyTtlMs ?? null;
  const nowMs = engine.now();
  const { opened } = await engine.deps.custody.update(w.credentialId, ({ record, shelf }) => {
    mustOwn(record, { operationId });
    const living = new Set(record.versions.map((v) => v.keyId));
    const orphans = certain.filter(({ shown }) => !living.has(shown));
    const dueMs = nowMs + w.config.timing.settleMs;
    let next = orphans.reduce((r, { shown }) => withDebt(r, 'orphan', shown, nowMs, dueMs), record);
    if (inventory?.keys && !showsLister(record, inventory.keys, lister)) {
      next = withDebt(next, 'suspected-orphan', 'unlisted', nowMs);
    } else if (inventory) {
      const found = strangers(next, inventory.keys ?? [], keyTtlMs);
      if (found.certain !== null) next = withDebt(next, 'orphan', found.certain, nowMs);
      for (const id of found.suspects) next = withDebt(next, 'suspected-orphan', id, nowMs);
      if (found.uncertain || inventory.keys === null) next = withDebt(next, 'suspected-orphan', 'unlisted', nowMs);
    }
    if (next === record) return { unchanged: null };
    const secretIds = orphans.filter(({ id, shown }) => id !== shown).map(({ id, shown }) => [shown, new Secret(id)]);
    return {
      next: { record: next, shelf: { ...shelf, debts: { ...shelf.debts, ...Object.fromEntries(secretIds) } } },
      value: null,
    };
  });
  await engine.deps.custody.dropLate(w.credentialId, operationId);
  return opened;
}

/** Before the intents go: where the provider does not list now, a suspicion is left, which says so. */
export async function rememberStrangers(
  engine: Engine,
  w: Working,
  operationId: string,
  { lister, waits }: { readonly lister?: number; readonly waits: boolean },
): Promise<void> {
  try {
    await settleStrangers(engine, w, operationId, lister);
  } catch (error) {
    const passes = isProviderFailure(error, 'outage', 'not-sent', 'busy');
    const stays = isProviderFailure(error, 'blocked', 'credential-refused', 'absent', 'rejected');
    if (!stays && !(passes && !waits)) throw error;
    await engine.changeOwn(w.credentialId, { operationId }, (record) =>
      withDebt(record, 'suspected-orphan', 'unlisted', engine.now()),
    );
  }
}

/** A listing that does not show the very key that was used for it is about something else. */
function showsLister(record: CredentialRecord, keys: readonly KeyInfo[], lister: number | undefined): boolean {
  const own = record.versions.find((v) => v.version === lister);
  return own === undefined || keys.some(({ keyId }) => keyId === own.keyId);
}

const lateIds = (late: readonly LateAnswer[]): readonly string[] => late.flatMap(({ keyId }) => keyId ?? []);

function chosenId(w: Working, n: number): readonly string[] {
  const shelved = w.opened.shelf.intents[String(n)];
  const intent = w.opened.record.intents.find((i) => i.n === n);
  if (!shelved || !intent || !w.provider.chosen) return [];
  const { kind, idempotencyKey } = intent;
  return [w.provider.chosen({ kind, idempotencyKey, body: shelved.body }).keyId];
}

/** @param dueMs when it is worked on first */
export function withDebt(
  record: CredentialRecord,
  kind: DebtFacts['kind'],
  keyId: string,
  nowMs: number,
  dueMs = nowMs,
): CredentialRecord {
  const identity = currentOf(record)?.identity;
  if (!identity) return record;
  const debt = { ...newDebt(kind, keyId, identity, nowMs), nextAttemptAtMs: dueMs };
  const debts = addDebt(record.debts, debt);
  return debts === record.debts ? record : { ...record, debts };
}
