import { canGoBack } from '../domain/capability.js';
import { currentOf, pendingOf, type RecordView, type RotationFacts } from '../domain/record.js';
import { publish as publishTransition } from '../domain/transitions.js';
import type { StepInput } from './api.js';
import type { Engine, Working } from './engine.js';
import { stop } from './failures.js';
import { rememberStrangers } from './strangers.js';

/** One compare-and-set: pending becomes current, current becomes previous, the operation ends. */
export async function publish(
  engine: Engine,
  input: StepInput & {
    readonly verified: boolean;
    readonly rotation: Omit<RotationFacts, 'outcome' | 'version' | 'endedAtMs' | 'error'>;
  },
): Promise<RecordView> {
  const w = await engine.open(input);
  if (w.opened.record.operation?.operationId === input.operationId) await account(engine, w, input);
  const force = !canGoBack(w.strategy);
  const opened = await engine.apply(w.credentialId, (record) => {
    const nowMs = engine.now();
    const owed = record.debts.length > 0;
    const rotation: RotationFacts = {
      ...input.rotation,
      steps: input.rotation.steps.map((s) => (s.step === 'publish' ? { ...s, endedAtMs: nowMs } : s)),
      outcome: owed ? 'rotated-with-debt' : 'rotated',
      version: record.operation?.toVersion ?? null,
      endedAtMs: nowMs,
      error: null,
    };
    const pending = record.versions.find((v) => v.stage === 'pending');
    if (pending?.leaked && !force && record.operation?.operationId === input.operationId) {
      throw stop('taken-back', 'KT-SUPERSEDED', 'the new key leaked before it was published');
    }
    return publishTransition(record, input.operationId, { nowMs, verified: input.verified, force, rotation });
  });
  return engine.view(w.config, opened.record);
}

/** What lost answers have left. Asked with the key that has just proven itself, and never so long that the old one dies before the new one is published. */
async function account(
  engine: Engine,
  w: Working,
  { operationId, verified }: { readonly operationId: string; readonly verified: boolean },
): Promise<void> {
  const { record } = w.opened;
  const lister = verified ? pendingOf(record)?.version : undefined;
  const waits = currentOf(record)?.providerDiesAtMs === null;
  await rememberStrangers(engine, w, operationId, { waits, ...(lister === undefined ? {} : { lister }) });
}
