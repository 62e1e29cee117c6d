import { z } from 'zod';
import { Secret } from '../../domain/secret.js';
import { parseJson } from '../answers.js';
import type { ProviderAnswer } from '../provider.js';
import type { ApigeeKey } from './keys.js';

/** X follows proto3 JSON, where an int64 is a string; Edge has numbers. */
const int64Schema = z.union([z.number(), z.string().regex(/^-?\d{1,18}$/)]).transform(Number);

/** X leaves out empty lists and texts, Edge has them. */
const listOf = <T extends z.ZodType>(item: T) =>
  z
    .array(item)
    .nullish()
    .transform((list) => list ?? []);
const textSchema = z
  .string()
  .nullish()
  .transform((text) => text ?? '');

const keySchema = z
  .object({
    consumerKey: z.string().min(1),
    consumerSecret: textSchema,
    status: z.string(),
    apiProducts: listOf(z.object({ apiproduct: z.string(), status: textSchema })),
    scopes: listOf(z.string()),
    attributes: listOf(z.object({ name: z.string(), value: textSchema })),
    issuedAt: int64Schema.nullish(),
    expiresAt: int64Schema.nullish(),
  })
  .transform(({ apiProducts, issuedAt, expiresAt, consumerSecret, scopes, ...rest }): ApigeeKey => ({
    ...rest,
    consumerSecret: new Secret(consumerSecret),
    products: apiProducts.map(({ apiproduct, status }) => ({ name: apiproduct, status })),
    scopes: scopes.filter((scope) => scope !== ''),
    issuedAtMs: issuedAt ?? null,
    expiresAtMs: expiresAt === undefined || expiresAt === null || expiresAt < 0 ? null : expiresAt,
  }));

const appSchema = z.object({ credentials: listOf(keySchema), createdAt: z.unknown() });

export interface ApigeeApp {
  readonly keys: readonly ApigeeKey[];
  /** By how the answer writes its int64s; null where it has none. */
  readonly looksLike: 'x' | 'edge' | null;
}

/** Undefined when the answer is no key. */
export function readKey(answer: ProviderAnswer): ApigeeKey | undefined {
  return keySchema.safeParse(parseJson(answer.text)).data;
}

/** Undefined when the answer is no app. */
export function readApp(answer: ProviderAnswer): ApigeeApp | undefined {
  const body = parseJson(answer.text);
  const { data } = appSchema.safeParse(body);
  if (data === undefined || !isApp(body)) return undefined;
  const { credentials, createdAt } = data;
  const looksLike = typeof createdAt === 'string' ? 'x' : typeof createdAt === 'number' ? 'edge' : null;
  return { keys: credentials, looksLike };
}

/** An empty object would be an app without any key, which is a proof that one is dead. */
const isApp = (body: unknown): boolean => z.object({ name: z.string().min(1) }).safeParse(body).success;
