import { currentOf, pendingOf, type RecordView } from '../domain/record.js';
import type { StepInput } from './api.js';
import { isMaking, type Engine } from './engine.js';
import { stop } from './failures.js';

/** Gives the new key the old one's scope; idempotent. `waitingFor` names what a human has to do first; `more`: it is not done yet. */
export async function equip(
  engine: Engine,
  input: StepInput,
): Promise<{ view: RecordView; waitingFor: readonly string[]; more?: true }> {
  const w = await engine.open(input);
  engine.operation(w.opened.record, input);
  const pending = pendingOf(w.opened.record);
  const current = currentOf(w.opened.record);
  if (!pending || !current) throw stop('transient', 'KT-CONFLICT', 'the pending version is gone');
  const view = await engine.view(w.config, w.opened.record);
  if (!w.provider.equip) return { view, waitingFor: [] };
  const fence = engine.fence(w.credentialId, (now) => isMaking(now, input.operationId, pending.version));
  const context = await engine.context(w, engine.values(w.opened, current.version), input.operationId, fence);
  const { waitingFor, more } = await w.provider.equip(context, engine.values(w.opened, pending.version), {
    keyId: engine.values(w.opened, current.version).keyId,
  });
  return { view, waitingFor, ...(more ? { more } : {}) };
}
