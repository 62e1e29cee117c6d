import { currentOf, pendingOf, type CapabilityLost, type RecordView, type RotationFacts } from '../domain/record.js';
import { compensate } from '../domain/intents.js';
import { fencedAtMs } from '../domain/recovery.js';
import { abandonPending, close as closeTransition, dropPending } from '../domain/transitions.js';
import type { CredentialActivities, StepInput } from './api.js';
import { isMaking, type Engine, type Working } from './engine.js';
import { describe, StepFailure } from './failures.js';
import { foldLateAnswers } from './answers.js';
import { rememberStrangers, settleStrangers, withDebt } from './strangers.js';

/** Undo of `rotate`: the new key dies, or becomes a debt; what a lost answer may have left is settled. Idempotent. */
export async function takeBack(engine: Engine, input: StepInput): Promise<RecordView> {
  let w = await engine.open(input);
  if (w.opened.record.operation?.operationId !== input.operationId) return engine.view(w.config, w.opened.record);
  w = { ...w, opened: await engine.change(w.credentialId, (r) => compensate(r, input.operationId, engine.now())) };
  const open = w.opened.record.intents.find((i) => i.settled === 'open');
  if (open) {
    const retryAfterMs = Math.max(0, fencedAtMs(open, w.strategy) - engine.now());
    const message = 'an attempt to make a key may still be under way';
    throw new StepFailure({ kind: 'transient', code: 'KT-OUTCOME-UNKNOWN', message, retryAfterMs });
  }
  w = { ...w, opened: await foldLateAnswers(engine, w, input.operationId) };
  const pending = pendingOf(w.opened.record);
  if (pending) {
    const removed = await tryToRemove(engine, w, pending.version, input.operationId);
    const opened = await engine.changeOwn(w.credentialId, { ...input, making: pending.version }, (record) => {
      const dropped = dropPending(record, null);
      return removed ? dropped : withDebt(dropped, 'orphan', pending.keyId, engine.now());
    });
    w = { ...w, opened };
  }
  const opened = await settleStrangers(engine, w, input.operationId);
  return engine.view(w.config, opened.record);
}

async function tryToRemove(engine: Engine, w: Working, version: number, operationId: string): Promise<boolean> {
  const current = currentOf(w.opened.record);
  if (!current) return false;
  const fence = engine.fence(w.credentialId, (now) => isMaking(now, operationId, version));
  const context = await engine.context(w, engine.values(w.opened, current.version), operationId, fence);
  try {
    await w.provider.retire(context, engine.values(w.opened, version).keyId, 'destroy');
    return true;
  } catch (error) {
    if (describe(error).code === 'KT-INTERNAL') throw error;
    return false;
  }
}

/** A rotation in place whose new key is refused for good: forget the key, so that another one is made while the old one lives. */
export async function giveUpKey(
  engine: Engine,
  input: Parameters<CredentialActivities['giveUpKey']>[0],
): Promise<RecordView> {
  const w = await engine.open(input);
  const opened = await engine.change(w.credentialId, (record) =>
    isMaking(record, input.operationId, input.version) ? abandonPending(record, engine.now()) : record,
  );
  return engine.view(w.config, opened.record);
}

/** The operation ends without a new current version. Needs no provider and no configuration entry. */
export async function close(
  engine: Engine,
  input: StepInput & {
    readonly rotation: Omit<RotationFacts, 'version' | 'endedAtMs'>;
    readonly deadlineMs: number | null;
  },
): Promise<RecordView | null> {
  const opened = await engine.read(input);
  if (!opened) return null;
  const nowMs = engine.now();
  const { outcome, error } = input.rotation;
  const mine = opened.record.operation?.operationId === input.operationId;
  const lost: CapabilityLost | null =
    outcome === 'needs-operator' && error?.code === 'KT-CAPABILITY-LOST'
      ? {
          sinceMs: opened.record.capabilityLost?.sinceMs ?? nowMs,
          message: error.message,
          deadlineMs: input.deadlineMs,
          retryAtMs: null,
          attempts: 0,
        }
      : null;
  if (mine && outcome !== 'rolled-back') {
    const config = (await engine.deps.config()).credentials.get(input.credentialId);
    if (config) await rememberStrangers(engine, await engine.open(input), input.operationId, { waits: false });
  }
  const closed = await engine.apply(input.credentialId, (record) =>
    closeTransition(
      mine ? abandonPending(record, nowMs) : record,
      { ...input.rotation, version: currentOf(record)?.version ?? null, endedAtMs: nowMs },
      lost,
    ),
  );
  return engine.viewWithout(input.credentialId, closed.record);
}
