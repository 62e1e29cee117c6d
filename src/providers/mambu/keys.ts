import { z } from 'zod';
import { Secret } from '../../domain/secret.js';
import { parseJson } from '../answers.js';
import type { CredentialValues, Fields, KeyInfo, ProviderAnswer } from '../provider.js';

/** What a listing shows of a key's value (Mambu docs, API Consumers page); prefixes are not unique. */
const PREFIX_LENGTH = 6;

/** Opaque, but it has to fit into a header. What is no longer than a prefix is not a key: a replayed answer may show only that. */
const keySchema = z.string().regex(new RegExp(`^[\\x21-\\x7e]{${PREFIX_LENGTH + 1},}$`));

/** Opaque, but it becomes a path segment and is shown to people. */
const idSchema = z
  .string()
  .max(200)
  .regex(/^[^\p{Cc}\s]+$/u)
  .refine((id) => id !== '.' && id !== '..');

const secondsSchema = z.number().min(0).nullish();

const listedSchema = z.array(z.object({ id: idSchema, apiKey: z.string().nullish(), expirationTime: secondsSchema }));
const createdSchema = z.object({ id: idSchema, apiKey: keySchema, expirationTime: secondsSchema });
const rotatedSchema = z.object({ id: idSchema, apiKey: keySchema, secretKey: keySchema });
const secretSchema = z.object({ secretKey: keySchema });

export interface ReadKey {
  readonly keyId: string;
  readonly fields: Fields;
  readonly ttlMs: number | null;
}

/** Answer to POST /consumers/{id}/apikeys; undefined when it has no usable key. */
export function readCreatedKey(answer: ProviderAnswer): ReadKey | undefined {
  const { data } = createdSchema.safeParse(parseJson(answer.text));
  if (data === undefined) return undefined;
  return { keyId: data.id, fields: { apiKey: new Secret(data.apiKey) }, ttlMs: ttlOf(data.expirationTime) };
}

/** Answer to POST /apikey/rotation: all three fields are required, the end of life is not told (schema ApiKeyRotationResult). */
export function readRotatedKey(answer: ProviderAnswer): ReadKey | undefined {
  const { data } = rotatedSchema.safeParse(parseJson(answer.text));
  if (data === undefined) return undefined;
  const fields = { apiKey: new Secret(data.apiKey), secretKey: new Secret(data.secretKey) };
  return { keyId: data.id, fields, ttlMs: null };
}

export function readSecretKey(answer: ProviderAnswer): Secret | undefined {
  const { data } = secretSchema.safeParse(parseJson(answer.text));
  return data === undefined ? undefined : new Secret(data.secretKey);
}

/** Answer to GET /consumers/{id}/keys; undefined when it is none. A value longer than a prefix is cut: a listing never carries keys on. */
export function readListedKeys(answer: ProviderAnswer, nowMs: number): readonly KeyInfo[] | undefined {
  const { data } = listedSchema.safeParse(parseJson(answer.text));
  return data?.map(({ id, apiKey, expirationTime }) => {
    const ttlMs = ttlOf(expirationTime);
    return {
      keyId: id,
      ...(apiKey === null || apiKey === undefined ? {} : { prefix: apiKey.slice(0, PREFIX_LENGTH) }),
      ...(ttlMs === null ? {} : { lifetime: { atMs: nowMs, ttlMs } }),
    };
  });
}

/** Mambu does not say what a lifetime of 0 means: it is taken for none. */
function ttlOf(seconds: number | null | undefined): number | null {
  return seconds === null || seconds === undefined || seconds === 0 ? null : seconds * 1_000;
}

export const fitsPrefix = (key: KeyInfo, apiKey: Secret): boolean =>
  key.prefix !== undefined && apiKey.reveal().startsWith(key.prefix);

/**
 * Finds a key that has just authenticated in the listing of its consumer. `listed` is its entry. Where its id is missing, its prefix still shows
 * that it belongs to this consumer: `renamed` when exactly one other entry fits, so that the answer that named its id was wrong; `ambiguous`
 * when several fit. `absent`: it is the key of some other consumer.
 */
export function locate(
  fresh: CredentialValues,
  apiKey: Secret,
  listing: readonly KeyInfo[],
  old: KeyInfo | null,
): { readonly found: 'listed' | 'renamed'; readonly key: KeyInfo } | { readonly found: 'ambiguous' | 'absent' } {
  const named = listing.filter((key) => key.keyId === fresh.keyId);
  const listed = named.find((key) => key.prefix === undefined || fitsPrefix(key, apiKey));
  if (listed !== undefined) return { found: 'listed', key: listed };
  const fitting = listing.filter((key) => fitsPrefix(key, apiKey));
  const others = fitting.filter((key) => key.keyId !== old?.keyId);
  const [only] = others;
  if (only !== undefined && others.length === 1) return { found: 'renamed', key: only };
  return { found: fitting.length === 0 ? 'absent' : 'ambiguous' };
}
