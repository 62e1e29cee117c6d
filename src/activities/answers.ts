/** Answers of the provider on their way into the record: at once, late, or after the store was down. */
import type { LateAnswer, Opened, Shelf } from '../custody/custody.js';
import { currentOf, type IntentFacts, type VersionFacts } from '../domain/record.js';
import { secretKeyGoesTo, stage, stageSecretKey } from '../domain/transitions.js';
import type { Engine, Working } from './engine.js';

/** Into the record while the intent is still this attempt's; else beside it, where recovery looks first. */
export async function keepAnswer(
  engine: Engine,
  w: Working,
  answer: LateAnswer,
  sentAs: Pick<IntentFacts, 'epoch'>,
): Promise<Opened> {
  const ids = await idsOf(engine, w, answer);
  const { opened, value } = await engine.deps.custody.update(w.credentialId, (now) => {
    const intent = now.record.intents.find((i) => i.n === answer.intent && i.operationId === answer.operationId);
    const mine = intent?.settled === 'open' && intent.epoch === now.record.epoch && sentAs.epoch === now.record.epoch;
    if (!intent || !mine) return { unchanged: 'late' as const };
    return folded(now, answer, intent, ids, w) ?? { unchanged: 'late' as const };
  });
  if (value === 'late') await engine.deps.custody.keepLate(w.credentialId, answer);
  return opened;
}

/** Answers that arrived after their attempt had been given up are as good as any, and are read first. */
export async function foldLateAnswers(engine: Engine, w: Working, operationId: string): Promise<Opened> {
  let opened = w.opened;
  for (const answer of await engine.deps.custody.readLate(w.credentialId, operationId)) {
    opened = await foldAnswer(engine, w, answer);
  }
  return opened;
}

/** Whatever became of the attempt, the answer says what was made. */
export async function foldAnswer(engine: Engine, w: Working, answer: LateAnswer): Promise<Opened> {
  const ids = await idsOf(engine, w, answer);
  const { opened } = await engine.deps.custody.update(w.credentialId, (now) => {
    const intent = now.record.intents.find((i) => i.n === answer.intent && i.operationId === answer.operationId);
    if (!intent || intent.settled === 'answered') return { unchanged: null };
    return folded(now, answer, intent, ids, w) ?? { unchanged: null };
  });
  return opened;
}

/** The record with an answer in it; null where another key has taken its place (then it stays a late answer, and becomes a debt). */
function folded(
  now: Opened,
  answer: LateAnswer,
  intent: IntentFacts,
  ids: Ids | null,
  w: Working,
): { next: Opened; value: null } | null {
  const { record, shelf } = now;
  if (intent.kind === 'create-secret') {
    const version = secretKeyGoesTo(record)?.version;
    const values = version === undefined ? undefined : shelf.versions[String(version)];
    const secretKey = answer.fields['secretKey'];
    if (version === undefined || !values || !secretKey) return null;
    const next = stageSecretKey(record, intent.n, 'ok');
    if (next.kind !== 'next') return null;
    const withSecret = { ...values, fields: { ...values.fields, secretKey } };
    return { next: { record: next.record, shelf: withVersionValues(shelf, version, withSecret) }, value: null };
  }
  if (answer.keyId === null || ids === null) return null;
  const fields = carriedFields(now, answer, w);
  const next = stage(record, answer.operationId, intent.n, {
    ...ids,
    createdAtMs: answer.receivedAtMs,
    expiresAtMs: answer.expiresAtMs,
    secretKey: fields['secretKey'] ? 'ok' : w.strategy.needsSecretKey ? 'lost' : null,
  });
  if (next.kind !== 'next') return null;
  const values = { keyId: answer.keyId, fields };
  return {
    next: { record: next.record, shelf: withVersionValues(shelf, next.record.highestVersion, values) },
    value: null,
  };
}

/** A secret key belongs to the account, not to the key: where the strategy does not renew it, it goes on with the new key. */
function carriedFields(now: Opened, answer: LateAnswer, w: Working): LateAnswer['fields'] {
  const current = currentOf(now.record);
  const old = current ? now.shelf.versions[String(current.version)]?.fields : undefined;
  const secretKey = w.strategy.needsSecretKey ? undefined : old?.['secretKey'];
  return { ...(secretKey ? { secretKey } : {}), ...answer.fields };
}

function withVersionValues(shelf: Shelf, version: number, values: Shelf['versions'][string]): Shelf {
  return { ...shelf, versions: { ...shelf.versions, [version]: values } };
}

/** What the facts show of a new key. */
type Ids = Pick<VersionFacts, 'keyId' | 'fingerprint'>;

async function idsOf(engine: Engine, w: Working, answer: LateAnswer): Promise<Ids | null> {
  const primary = Object.keys(w.provider.secretFields)[0];
  const value = primary === undefined ? undefined : answer.fields[primary];
  if (!value || answer.keyId === null) return null;
  return {
    keyId: await engine.publicId(w, answer.keyId),
    fingerprint: await engine.deps.custody.fingerprint(value),
  };
}
