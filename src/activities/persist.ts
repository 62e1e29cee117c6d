import { KeyturnError } from '../domain/errors.js';
import { pendingOf, type RecordView } from '../domain/record.js';
import type { ActiveRotation } from '../domain/lane.js';
import type { StepInput } from './api.js';
import type { Engine } from './engine.js';
import { stop } from './failures.js';
import { keepAnswer } from './answers.js';

/** Reads the pending version back from the store and compares; writes an answer first that the store could not take when it came. */
export async function persist(
  engine: Engine,
  input: StepInput & { readonly unsaved: ActiveRotation['unsaved'] },
): Promise<{ view: RecordView; usableAtMs: number }> {
  let w = await engine.open(input);
  if (input.unsaved) {
    const { intent, sealed } = input.unsaved;
    const shelved = w.opened.shelf.intents[String(intent)];
    const facts = w.opened.record.intents.find((i) => i.n === intent);
    if (shelved && facts) {
      const answer = engine.deps.custody.openAnswer(w.credentialId, shelved.oneTimeKey, sealed);
      w = { ...w, opened: await keepAnswer(engine, w, answer, facts) };
    }
  }
  const operation = engine.operation(w.opened.record, input);
  const pending = pendingOf(w.opened.record);
  const view = await engine.view(w.config, w.opened.record);
  if (!pending) {
    if (input.unsaved) return { view, usableAtMs: engine.now() };
    throw stop('transient', 'KT-CONFLICT', 'the pending version is gone');
  }
  const primary = Object.keys(w.provider.secretFields)[0] ?? '';
  const value = engine.values(w.opened, pending.version).fields[primary];
  if (!value || (await engine.deps.custody.fingerprint(value)) !== pending.fingerprint) {
    throw new KeyturnError('KT-STORE-CORRUPT', `version ${pending.version} does not read back as it was sealed`);
  }
  return { view, usableAtMs: pending.createdAtMs + operation.policy.activationLagMs };
}
