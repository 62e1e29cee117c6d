/** The one place where sealed values become text and text becomes sealed values again. */
import type { Secret } from '../domain/secret.js';
import type { LateAnswer, Shelf } from './custody.js';

type Wire = Readonly<Record<string, unknown>>;

export function shelfToWire(shelf: Shelf): Wire {
  return {
    versions: mapValues(shelf.versions, ({ keyId, fields }) => ({ keyId, fields: reveal(fields) })),
    intents: mapValues(shelf.intents, ({ oneTimeKey, body, actingVersion }) => ({
      oneTimeKey: oneTimeKey.reveal(),
      body: body?.reveal() ?? null,
      actingVersion,
    })),
    ...(shelf.debts ? { debts: reveal(shelf.debts) } : {}),
  };
}

export function answerToWire(answer: LateAnswer): Wire {
  const { operationId, intent, keyId, fields, expiresAtMs, receivedAtMs } = answer;
  return { operationId, intent, keyId, fields: reveal(fields), expiresAtMs, receivedAtMs };
}

function reveal(fields: Readonly<Record<string, Secret>>): Wire {
  return mapValues(fields, (value) => value.reveal());
}

function mapValues<V, W>(map: Readonly<Record<string, V>>, change: (value: V) => W): Readonly<Record<string, W>> {
  return Object.fromEntries(Object.entries(map).map(([key, value]) => [key, change(value)]));
}
