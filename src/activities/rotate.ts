/**
 * The step that makes a key: at most one write at the provider. Before it: intent with fence and one-time key, durable. After it: the whole
 * answer sealed as `pending`, in the same attempt. Whatever is lost in between is settled by domain/recovery.ts at the next call.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { Context } from '@temporalio/activity';
import type { LateAnswer, Opened, ShelvedIntent } from '../custody/custody.js';
import { canGoBack } from '../domain/capability.js';
import { KeyturnError } from '../domain/errors.js';
import { ProviderFailure } from '../domain/failure.js';
import {
  currentOf,
  pendingOf,
  type CredentialRecord,
  type IntentFacts,
  type IntentKind,
  type OperationFacts,
} from '../domain/record.js';
import { nextMove, surelyAbsentAtMs } from '../domain/recovery.js';
import { Secret } from '../domain/secret.js';
import {
  expireOpenIntents,
  intend,
  nextIntentN,
  notFound,
  raiseEpoch,
  reopen,
  settle,
  type SettleHint,
} from '../domain/intents.js';
import { stageSecretKey, type Transition } from '../domain/transitions.js';
import type { Created, PreparedIntent } from '../providers/provider.js';
import { foldAnswer, foldLateAnswers, keepAnswer } from './answers.js';
import type { Rotated, StepInput } from './api.js';
import { isProviderFailure, mustOwn, type Engine, type Working } from './engine.js';
import { stop } from './failures.js';
import { takeInventory } from './plan.js';
import { settleStrangers } from './strangers.js';

/** Between two sendings of the same intent, so that a provider in trouble is not hammered. */
const replayPauseMs = (intent: IntentFacts): number => Math.min(60_000, 2_000 * (intent.sends - 1));

export async function rotate(engine: Engine, input: StepInput): Promise<Rotated> {
  let w = await engine.open(input);
  w = { ...w, opened: await foldLateAnswers(engine, w, input.operationId) };
  if (w.opened.record.intents.some((i) => i.settled === 'open')) {
    const fenced = await engine.changeOwn(w.credentialId, input, (r) => expireOpenIntents(raiseEpoch(r), engine.now()));
    w = { ...w, opened: fenced };
  }
  const { record } = w.opened;
  const operation = engine.operation(record, input);
  const move = nextMove(record, operation, engine.now());
  switch (move.do) {
    case 'wait':
      return again(engine, w, move.untilMs);
    case 'finish':
      return finish(engine, w, move.secretKeyLost, input.operationId);
    case 'give-up':
      if (canGoBack(operation.strategy)) throw stop('failed', 'KT-OUTCOME-UNKNOWN', move.because);
      throw stop('needs-operator', 'KT-CAPABILITY-LOST', move.because, move.deadlineMs);
    case 'send':
      return send(engine, w, await writeIntent(engine, w, operation, move.kind), input.operationId);
    case 'look':
      return look(engine, w, operation, move.n);
    case 'replay':
      return send(engine, w, await reopenIntent(engine, w, operation, move.n), input.operationId);
    default:
      return move satisfies never;
  }
}

async function again(engine: Engine, w: Working, atMs: number): Promise<Rotated> {
  return { state: 'again', atMs, view: await engine.view(w.config, w.opened.record) };
}

async function finish(engine: Engine, w: Working, secretKeyLost: boolean, operationId: string): Promise<Rotated> {
  let opened = w.opened;
  const making = pendingOf(opened.record)?.version;
  if (secretKeyLost && making !== undefined)
    opened = await engine.apply(w.credentialId, (record) => {
      mustOwn(record, { operationId, making });
      return stageSecretKey(record, null, 'lost');
    });
  try {
    opened = await settleStrangers(engine, { ...w, opened }, operationId);
  } catch (error) {
    // A key is sealed that may be the only one with a future: publish asks once more for what lost answers have left, with that one.
    if (!(error instanceof ProviderFailure)) throw error;
  }
  return { state: 'sealed', view: await engine.view(w.config, opened.record) };
}

/** The inventory is taken right before: without it a lost key could not be told from a stranger's. */
export async function writeIntent(
  engine: Engine,
  w: Working,
  operation: Pick<OperationFacts, 'operationId' | 'strategy'>,
  kind: IntentKind,
): Promise<{ opened: Opened; n: number }> {
  // Also for the new key's secret key: a key that nobody has proven yet may be refused for some minutes, and that would cost a strike.
  const acting = currentOf(w.opened.record);
  if (!acting) throw new KeyturnError('KT-INTERNAL', `no version can authenticate ${kind}`);
  const inventory = kind === 'create-secret' ? null : await takeInventory(engine, w, operation.operationId);
  const context = await engine.context(w, engine.values(w.opened, acting.version), operation.operationId);
  const old = inventory?.keys?.find((k) => k.keyId === acting.keyId) ?? null;
  const body = w.provider.prepare(context, kind, old);
  const nowMs = engine.now();
  const n = nextIntentN(w.opened.record);
  const intent: IntentFacts = {
    n,
    operationId: operation.operationId,
    kind,
    idempotencyKey: randomUUID(),
    epoch: w.opened.record.epoch,
    createdAtMs: nowMs,
    sendBeforeMs: nowMs + operation.strategy.timing.sendWithinMs,
    settled: 'open',
    sends: 1,
    inventory: inventory?.keys?.map((k) => k.keyId) ?? null,
  };
  const shelved = { oneTimeKey: new Secret(randomBytes(32).toString('base64')), body, actingVersion: acting.version };
  const { opened } = await engine.deps.custody.update(w.credentialId, ({ record, shelf }) => {
    const next = must(intend(record, intent), record);
    return { next: { record: next, shelf: { ...shelf, intents: { ...shelf.intents, [n]: shelved } } }, value: null };
  });
  return { opened, n };
}

export async function reopenIntent(
  engine: Engine,
  w: Working,
  { operationId, strategy }: Pick<OperationFacts, 'operationId' | 'strategy'>,
  n: number,
): Promise<{ opened: Opened; n: number }> {
  const sendBeforeMs = engine.now() + strategy.timing.sendWithinMs;
  return { opened: await engine.apply(w.credentialId, (r) => reopen(r, operationId, n, sendBeforeMs)), n };
}

/** Whether the key with the value that was chosen exists. A read may lag behind the write: it is repeated until it cannot any more. */
async function look(engine: Engine, w: Working, operation: OperationFacts, n: number): Promise<Rotated> {
  const { intent, shelved, prepared } = intentOf(w.opened, n);
  if (!w.provider.find)
    throw new KeyturnError('KT-INTERNAL', `provider ${w.provider.name} cannot look for a key it has chosen`);
  const { operationId } = operation;
  const context = await engine.context(w, engine.values(w.opened, shelved.actingVersion), operationId);
  const found = await w.provider.find(context, prepared).catch((error: unknown): 'taken' => {
    if (isProviderFailure(error, 'rejected') && error.facts.code === 'KT-KEY-TAKEN') return 'taken';
    throw error;
  });
  if (found !== null && found !== 'taken') {
    const answer: LateAnswer = { ...found, operationId, intent: n, receivedAtMs: engine.now() };
    return again(engine, { ...w, opened: await foldAnswer(engine, w, answer) }, engine.now());
  }
  const surelyAtMs = surelyAbsentAtMs(intent, operation.strategy);
  if (found === null && engine.now() < surelyAtMs) {
    return again(engine, w, Math.min(surelyAtMs, engine.now() + operation.strategy.timing.settleMs / 8));
  }
  const opened = await engine.apply(w.credentialId, (r) => notFound(r, operationId, n, found === 'taken'));
  return again(engine, { ...w, opened }, engine.now());
}

function intentOf(
  { record, shelf }: Opened,
  n: number,
): { intent: IntentFacts; shelved: ShelvedIntent; prepared: PreparedIntent } {
  const intent = record.intents.find((i) => i.n === n);
  const shelved = shelf.intents[String(n)];
  if (!intent || !shelved) throw new KeyturnError('KT-STORE-CORRUPT', `intent ${n} has no values in the record`);
  const prepared = { kind: intent.kind, idempotencyKey: intent.idempotencyKey, body: shelved.body };
  return { intent, shelved, prepared };
}

/** The one write. Nothing between the provider's answer and its sealing may throw the answer away. */
export async function send(
  engine: Engine,
  w: Working,
  at: { opened: Opened; n: number },
  operationId: string,
): Promise<Rotated> {
  const { intent, shelved, prepared } = intentOf(at.opened, at.n);
  const acting = engine.values(at.opened, shelved.actingVersion);
  const context = await engine.context(w, acting, operationId, () => fence(engine, w.credentialId, intent));
  let created: Created;
  try {
    created = await w.provider.create(context, prepared);
  } catch (error) {
    return settleFailure(engine, { ...w, opened: at.opened }, intent, error);
  }
  const answer: LateAnswer = { ...created, operationId, intent: intent.n, receivedAtMs: engine.now() };
  return seal(engine, w, intent, shelved.oneTimeKey, answer);
}

/** Right before sending: the clock, cancellation, and that no recovery has begun. A worker that slept through this does not send. */
async function fence(engine: Engine, credentialId: string, intent: IntentFacts): Promise<void> {
  const refuse = (why: string): ProviderFailure =>
    new ProviderFailure({ class: 'not-sent', code: 'KT-CONFLICT', message: `not sent: ${why}` });
  const opened = await engine.deps.custody.read(credentialId);
  const now = opened?.record.intents.find((i) => i.n === intent.n && i.operationId === intent.operationId);
  if (!opened || now?.settled !== 'open' || opened.record.epoch !== intent.epoch)
    throw refuse('another attempt has taken over');
  if (Context.current().cancellationSignal.aborted) throw refuse('the worker is shutting down');
  if (engine.now() >= intent.sendBeforeMs) throw refuse('the time to send it has passed');
}

async function seal(
  engine: Engine,
  w: Working,
  intent: IntentFacts,
  oneTimeKey: Secret,
  answer: LateAnswer,
): Promise<Rotated> {
  let opened: Opened;
  try {
    opened = await keepAnswer(engine, w, answer, intent);
  } catch {
    // Whatever the store has: the answer exists nowhere else. It travels sealed, and the step that writes it meets the error again.
    const sealed = engine.deps.custody.sealAnswer(w.credentialId, oneTimeKey, answer);
    return { state: 'unsaved', unsaved: { intent: intent.n, sealed } };
  }
  const operation = opened.record.operation;
  if (operation?.operationId !== answer.operationId) return again(engine, { ...w, opened }, engine.now());
  const move = nextMove(opened.record, operation, engine.now());
  if (move.do === 'finish') return finish(engine, { ...w, opened }, move.secretKeyLost, answer.operationId);
  return again(engine, { ...w, opened }, engine.now());
}

/** What a failed write means for its intent, and whether the operation goes on. */
async function settleFailure(engine: Engine, w: Working, intent: IntentFacts, error: unknown): Promise<Rotated> {
  if (!(error instanceof ProviderFailure)) {
    // Not from the provider's side: nothing is known of the call.
    await markSettled(engine, w, intent, 'unknown');
    throw error;
  }
  const resent = intent.sends > 1;
  switch (error.class) {
    case 'not-sent':
      // Of a re-sent intent the earlier sending stays unknown.
      await markSettled(engine, w, intent, resent ? 'unknown' : 'not-sent');
      throw error;
    case 'unknown':
    case 'outage': {
      const { code } = error.facts;
      const hint = code === 'KT-KEY-TAKEN' ? 'taken' : resent && code === 'KT-PROVIDER-ANSWER' ? 'keyless' : null;
      const opened = await markSettled(engine, w, intent, 'unknown', hint);
      return again(engine, { ...w, opened }, engine.now() + (resent ? replayPauseMs(intent) : 0));
    }
    case 'busy': {
      const opened = await markSettled(engine, w, intent, resent ? 'unknown' : 'not-sent');
      if (!resent) throw error;
      return again(
        engine,
        { ...w, opened },
        engine.now() + Math.max(error.facts.retryAfterMs ?? 0, replayPauseMs(intent)),
      );
    }
    case 'credential-refused':
    case 'forbidden':
    case 'blocked':
    case 'absent':
    case 'rejected': {
      const opened = await markSettled(engine, w, intent, resent ? 'unknown' : 'refused');
      const recovering = resent || opened.record.intents.length > 1;
      const operation = opened.record.operation;
      if (operation && !canGoBack(operation.strategy) && (recovering || mayMakeAnother(operation, intent, error)))
        return again(engine, { ...w, opened }, engine.now());
      throw error;
    }
    default:
      return error.class satisfies never;
  }
}

/**
 * The proof that a rotation in place needs is not that of consumers: where it alone is refused, another key is made with the key itself. A proof
 * can be wrong without anybody's mistake: an answer that brings a secret key alone names no consumer.
 */
function mayMakeAnother({ strategy }: OperationFacts, { kind }: IntentFacts, error: ProviderFailure): boolean {
  const isRefused = error.class === 'credential-refused' || error.facts.reason === 'refused-before';
  return kind === 'rotate' && isRefused && strategy.intents.includes('create-key');
}

async function markSettled(
  engine: Engine,
  w: Working,
  intent: IntentFacts,
  settled: IntentFacts['settled'],
  hint: SettleHint = null,
): Promise<Opened> {
  return engine.apply(w.credentialId, (r) => {
    const t = settle(r, intent, settled, hint);
    return t.kind === 'lost' ? { kind: 'done' } : t;
  });
}

function must(t: Transition, record: CredentialRecord): CredentialRecord {
  if (t.kind === 'lost') throw stop('transient', 'KT-CONFLICT', t.because);
  return t.kind === 'done' ? record : t.record;
}
