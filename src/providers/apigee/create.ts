import { randomInt } from 'node:crypto';
import { z } from 'zod';
import { ProviderFailure } from '../../domain/failure.js';
import { Secret } from '../../domain/secret.js';
import { parseJson } from '../answers.js';
import type { Created, KeyInfo, PreparedIntent } from '../provider.js';
import { readKey } from './answers.js';
import { isSuccess, refusalOf, routeOf, unusable } from './errors.js';
import type { ApigeeKey } from './keys.js';
import type { Context, Management } from './management.js';
import { createKey } from './requests.js';
import type { ApigeeSettings } from './settings.js';

/** Lengths of what recent X organizations generate. */
const KEY_LENGTH = 48;
const SECRET_LENGTH = 64;

/** What both dialects take: X also has the underscore, an old page of Edge forbids it (keys.create; "Import existing consumer keys"). */
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-';

/** Begins with no hyphen: tools take that for an option. */
function randomText(length: number): string {
  const first = ALPHABET[randomInt(ALPHABET.length - 1)] ?? '';
  return first + Array.from({ length: length - 1 }, () => ALPHABET[randomInt(ALPHABET.length)]).join('');
}

const bodySchema = z.object({ consumerKey: z.string().min(1), consumerSecret: z.string().min(1) });

/**
 * Draws key and secret. The life is `keyTtl`, or what the old key had: it can never be changed later. On Edge a key that its client chooses
 * has none.
 */
export function prepare({ dialect, keyTtlMs }: ApigeeSettings, old: KeyInfo | null): Secret {
  const lifeMs = dialect === 'edge' ? null : (keyTtlMs ?? lifeOf(old));
  const pair = { consumerKey: randomText(KEY_LENGTH), consumerSecret: randomText(SECRET_LENGTH) };
  // An int64, which proto3 JSON writes as a string; 0 is refused.
  const life = lifeMs === null ? {} : { expiresInSeconds: String(Math.max(1, Math.round(lifeMs / 1_000))) };
  return new Secret(JSON.stringify({ ...pair, ...life }));
}

/** From its issue to its end; null: no end, or one of them is not known. */
export function lifeOf(key: Pick<KeyInfo, 'issuedAtMs' | 'expiresAtMs'> | null): number | null {
  if (key?.issuedAtMs === undefined || key.expiresAtMs === undefined || key.expiresAtMs === null) return null;
  return key.expiresAtMs - key.issuedAtMs;
}

function wantedBy({ body }: PreparedIntent): { readonly consumerKey: string; readonly consumerSecret: Secret } {
  const { data } = bodySchema.safeParse(parseJson(body?.reveal() ?? ''));
  if (data !== undefined) return { ...data, consumerSecret: new Secret(data.consumerSecret) };
  throw new ProviderFailure({ class: 'rejected', code: 'KT-INTERNAL', message: 'the sealed request names no key' });
}

export async function create(management: Management, context: Context, intent: PreparedIntent): Promise<Created> {
  const wanted = wantedBy(intent);
  const operation = createKey(context.settings, intent.body ?? new Secret(''));
  const answer = await management.send(context, operation);
  if (answer.status === 409) {
    // Also what a second sending of the same request gets. Elsewhere at Google 409 ABORTED means "retry": not here.
    const message = `Apigee answered 409 to ${routeOf(operation)}: the organization has this consumer key already`;
    throw new ProviderFailure({ class: 'unknown', code: 'KT-KEY-TAKEN', message, status: 409 });
  }
  if (!isSuccess(answer)) throw refusalOf(answer, operation, context.settings, context.now());
  const key = readKey(answer);
  if (key === undefined || !isSame(key, wanted)) throw unusable(answer, operation, 'the answer is not the new key');
  return createdOf(key);
}

/** Null: the app does not show it, which right after a write may be because reads lag behind. */
export async function find(management: Management, context: Context, intent: PreparedIntent): Promise<Created | null> {
  const wanted = wantedBy(intent);
  const key = await management.key(context, wanted.consumerKey);
  if (key === null) return null;
  if (isSame(key, wanted)) return createdOf(key);
  const message = 'the app has a key of the id that was drawn for the new one, with another secret: it is not ours';
  throw new ProviderFailure({ class: 'rejected', code: 'KT-KEY-TAKEN', message });
}

export const isSame = (
  key: ApigeeKey,
  wanted: { readonly consumerKey: string; readonly consumerSecret: Secret },
): boolean => key.consumerKey === wanted.consumerKey && key.consumerSecret.reveal() === wanted.consumerSecret.reveal();

const createdOf = ({ consumerKey, consumerSecret, expiresAtMs }: ApigeeKey): Created => ({
  keyId: consumerKey,
  fields: { consumerKey: new Secret(consumerKey), consumerSecret },
  expiresAtMs,
});
