import type { Opened } from '../custody/custody.js';
import { attemptFailed, completionMove, retryCompletion } from '../domain/completion.js';
import { expireOpenIntents, raiseEpoch } from '../domain/intents.js';
import { currentOf, type CredentialRecord, type RecordView } from '../domain/record.js';
import { completionId } from '../domain/transitions.js';
import type { Believed } from './api.js';
import type { Engine, Working } from './engine.js';
import { describe } from './failures.js';
import { reopenIntent, send, writeIntent } from './rotate.js';

/** One attempt to get the secret key that the current version was published without, made with that version's own key. */
export async function completeKey(engine: Engine, input: Believed): Promise<RecordView> {
  let w = await engine.open(input);
  if (w.opened.record.operation === null && w.opened.record.intents.some((i) => i.settled === 'open')) {
    const fenced = await engine.change(w.credentialId, (r) =>
      r.operation === null ? expireOpenIntents(raiseEpoch(r), engine.now(), w.strategy) : r,
    );
    w = { ...w, opened: fenced };
  }
  const move = completionMove(w.opened.record, w.strategy, engine.now());
  switch (move.do) {
    case 'nothing':
      return engine.view(w.config, w.opened.record);
    case 'wait':
      return retryAt(engine, w, move.untilMs);
    case 'give-up':
      return retryAt(engine, w, null);
    case 'send':
    case 'replay':
      return attempt(engine, w, move.do === 'send' ? null : move.n);
    default:
      return move satisfies never;
  }
}

async function retryAt(engine: Engine, w: Working, atMs: number | null): Promise<RecordView> {
  const opened = await changeOf(engine, w, (record) => retryCompletion(record, atMs));
  return engine.view(w.config, opened.record);
}

/** @param n of the intent whose stored bytes are sent again; null: a new one */
async function attempt(engine: Engine, w: Working, n: number | null): Promise<RecordView> {
  const operationId = completionId(currentOf(w.opened.record)?.version ?? 0);
  const operation = { operationId, strategy: w.strategy };
  let retryAfterMs: number | null = 0;
  try {
    const at =
      n === null
        ? await writeIntent(engine, w, operation, 'create-secret')
        : await reopenIntent(engine, w, operation, n);
    await send(engine, w, at, operationId);
  } catch (error) {
    const failure = describe(error);
    if (failure.kind === 'trouble' || failure.code === 'KT-STORE-UNAVAILABLE' || failure.code === 'KT-INTERNAL')
      throw error;
    // A refusal stays one; what is out comes back.
    retryAfterMs = failure.kind === 'transient' ? (failure.retryAfterMs ?? 0) : null;
  }
  const opened = await changeOf(engine, w, (record) => attemptFailed(record, engine.now(), retryAfterMs));
  return engine.view(w.config, opened.record);
}

/** While the version that this attempt was about is current, and still goes without. */
async function changeOf(
  engine: Engine,
  w: Working,
  change: (record: CredentialRecord) => CredentialRecord,
): Promise<Opened> {
  const version = currentOf(w.opened.record)?.version;
  return engine.change(w.credentialId, (record) => {
    const current = currentOf(record);
    return current?.version === version && current?.secretKey === 'lost' ? change(record) : record;
  });
}
