import { z } from 'zod';
import { formatDuration } from '../../domain/duration.js';
import type { SecretRef } from '../../domain/secret-ref.js';
import { isPlainAndRemote } from '../base-url.js';
import { baseUrlSchema, durationSchema, secretRefSchema, strictShape } from '../schemas.js';

/** The `mambu:` block of keyturn.yaml, parsed. Times in milliseconds; null where the file says nothing. */
export interface MambuSettings {
  /** Without a slash at its end. */
  readonly baseUrl: string;
  readonly consumerId: string;
  readonly consumerIdAliases: readonly string[];
  readonly strategy: 'create-and-delete' | 'rotation';
  /** The tenant's own "API key rotation grace" (Mambu's UI, not readable over the API). */
  readonly tenantGraceMs: number | null;
  readonly keyTtlMs: number | null;
  readonly management: { readonly kind: 'basic'; readonly username: string; readonly password: SecretRef } | null;
  readonly managedBy: string | null;
  /** Path below the base URL that verify reads, `{consumerId}` in it stands for the consumer. */
  readonly verifyPath: string;
  readonly acceptGap: boolean;
  readonly insecure: boolean;
  /** `default`: reached by the shared route when no other credential has the same consumer id. */
  readonly webhook: 'default' | 'shared' | 'own-path' | 'off';
  readonly allowRequests: readonly { readonly method: AllowedMethod; readonly pathPrefix: string }[];
}

const allowedMethods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;
type AllowedMethod = (typeof allowedMethods)[number];

/** Of a key whose configuration is gone: what its identity tells, and nothing beyond. */
export function settingsFrom(baseUrl: string, consumerId: string, strategy: string): MambuSettings {
  return {
    baseUrl,
    consumerId,
    consumerIdAliases: [],
    strategy: strategy === 'rotation' ? 'rotation' : 'create-and-delete',
    tenantGraceMs: null,
    keyTtlMs: null,
    management: null,
    managedBy: null,
    verifyPath: keysPath,
    acceptGap: false,
    insecure: false,
    webhook: 'off',
    allowRequests: [],
  };
}

export const keysPath = '/consumers/{consumerId}/keys';

/** Mambu docs, schema ApiKey: `expirationTime` is an int32 of seconds, at most 100000000. */
const MAX_TTL_SECONDS = 100_000_000;

/** Opaque to keyturn, but it becomes a path segment. */
const idSchema = z
  .string()
  .max(200)
  .regex(/^[^\p{Cc}\s]+$/u, { error: 'must not be empty or hold spaces or control characters' })
  .refine((id) => id !== '.' && id !== '..', { error: 'must not be a dot' });

const pathSchema = z
  .string()
  .regex(/^\/(?!\/)[\x21-\x7e]*$/, { error: 'must be a path below the base URL, starting with exactly one /' })
  .refine((path) => !/\\|(^|\/)\.{1,2}(\/|\?|$)|%2e|%2f|%5c/i.test(path), {
    error: 'must not hold dot segments, backslashes or encoded slashes',
  });

const keyTtlSchema = durationSchema.refine((ms) => ms % 1_000 === 0 && ms >= 1_000 && ms <= MAX_TTL_SECONDS * 1_000, {
  error: `must be whole seconds between 1s and ${formatDuration(MAX_TTL_SECONDS * 1_000)}`,
});

const managementSchema = strictShape({
  kind: z.literal('basic', { error: 'must be basic' }),
  username: z.string().regex(/^[^:\p{Cc}]+$/u, { error: 'must not be empty or hold a colon' }),
  password: secretRefSchema,
});

const blockSchema = strictShape({
  baseUrl: baseUrlSchema,
  consumerId: idSchema,
  consumerIdAliases: z.array(idSchema).default([]),
  strategy: z.enum(['create-and-delete', 'rotation'], { error: 'must be create-and-delete or rotation' }),
  tenantGrace: durationSchema.optional(),
  keyTtl: keyTtlSchema.optional(),
  management: managementSchema.optional(),
  managedBy: z.string().min(1).optional(),
  verify: strictShape({ path: pathSchema }).optional(),
  acceptGap: z.boolean().default(false),
  insecure: z.boolean().default(false),
  webhook: z
    .union([z.literal('shared'), z.literal('own-path'), z.literal(false)], {
      error: 'must be shared, own-path or false',
    })
    .optional(),
  allowRequests: z.array(strictShape({ method: z.enum(allowedMethods), pathPrefix: pathSchema })).default([]),
});

type Block = z.output<typeof blockSchema>;

interface Rule {
  readonly path: readonly [string];
  readonly error: string;
  /** Also asked when another part of the block is wrong: then some fields are not what their type says. */
  readonly holds: (block: Partial<Block>) => boolean;
}

const rules: readonly Rule[] = [
  {
    path: ['baseUrl'],
    error: 'http: is for loopback addresses only; write `insecure: true` to send keys in clear all the same',
    holds: ({ baseUrl, insecure }) => insecure === true || !isPlainAndRemote(baseUrl ?? ''),
  },
  {
    path: ['tenantGrace'],
    error: "is needed for `strategy: rotation`: the tenant's API key rotation grace (Mambu's default is 30m)",
    holds: ({ strategy, tenantGrace }) => strategy !== 'rotation' || tenantGrace !== undefined,
  },
  {
    path: ['tenantGrace'],
    error:
      'without a grace the old key dies before anyone has the new one: use `strategy: create-and-delete`, set a grace ' +
      'at the tenant, or write `acceptGap: true`',
    holds: ({ strategy, tenantGrace, acceptGap }) => strategy !== 'rotation' || tenantGrace !== 0 || acceptGap === true,
  },
  {
    path: ['managedBy'],
    error: 'cannot stand beside `management`: one of them manages the keys',
    holds: ({ management, managedBy }) => management === undefined || managedBy === undefined,
  },
];

const checkedSchema = rules.reduce(
  (schema, { path, error, holds }) =>
    schema.refine(holds, { path: [...path], error, when: ({ value }) => typeof value === 'object' && value !== null }),
  blockSchema,
);

export const mambuSettingsSchema = checkedSchema.transform(
  ({ tenantGrace, keyTtl, management, managedBy, verify, webhook, ...rest }): MambuSettings => ({
    ...rest,
    tenantGraceMs: tenantGrace ?? null,
    keyTtlMs: keyTtl ?? null,
    management: management ?? null,
    managedBy: managedBy ?? null,
    verifyPath: verify?.path ?? keysPath,
    webhook: webhook === false ? 'off' : (webhook ?? 'default'),
  }),
);

export interface SettingsWarning {
  readonly path: readonly string[];
  readonly message: string;
}

/** What is allowed, and probably not meant. */
export function mambuWarnings(settings: MambuSettings): readonly SettingsWarning[] {
  const warnings: SettingsWarning[] = [];
  if (!new URL(settings.baseUrl).pathname.endsWith('/api')) {
    warnings.push({ path: ['baseUrl'], message: "Mambu's API is below /api: is this URL complete?" });
  }
  if (settings.keyTtlMs === null) {
    warnings.push({
      path: ['keyTtl'],
      message: 'new keys never expire unless the tenant sets an automatic expiry: a forgotten key stays valid',
    });
  }
  return warnings;
}
