import { z } from 'zod';
import type { Authorization } from '../authorization.js';
import { authorizationSchema, sendsInClear } from '../authorization-schema.js';
import { isPlainAndRemote } from '../base-url.js';
import { baseUrlSchema, durationSchema, strictShape } from '../schemas.js';

/** Who owns the app. Apigee X and hybrid have AppGroups as well as developers; classic Edge has developers only. */
export type Owner =
  { readonly kind: 'developer'; readonly email: string } | { readonly kind: 'appGroup'; readonly name: string };

/** A call of an API proxy that shows whether VerifyAPIKey lets a key pass. */
export interface ProbeSettings {
  readonly url: string;
  readonly in: 'header' | 'query';
  /** Of the header or query parameter in which the proxy looks for the key. */
  readonly name: string;
  /** Calls that all have to pass: several message processors have a cache each. */
  readonly times: number;
  /** How old a key must be before a refusal counts. */
  readonly patienceMs: number;
}

/** The `apigee:` block of keyturn.yaml, parsed. Times in milliseconds; null where the file says nothing. */
export interface ApigeeSettings {
  /** Of the management API, without a slash at its end. */
  readonly baseUrl: string;
  readonly dialect: 'x' | 'edge';
  readonly organization: string;
  readonly owner: Owner;
  /** By its name. */
  readonly app: string;
  readonly auth: Authorization;
  readonly probe: ProbeSettings | null;
  /** How long access tokens live that consumers get with the key. */
  readonly tokenTtlMs: number | null;
  /** Life of new keys; null: that of the old key. */
  readonly keyTtlMs: number | null;
  readonly insecure: boolean;
  /** Rebuilt from a key's identity, since its entry is gone from the configuration: `auth` is a guess. */
  readonly isRebuilt: boolean;
}

/** Google: key lookups are cached for 180 s and nobody can make it less; a little more lets writes arrive. */
export const PROPAGATION_MS = 200_000;

/** A name that becomes one segment of a path. */
const nameSchema = z
  .string()
  .min(1, { error: 'must not be empty' })
  .max(255)
  .regex(/^\P{Cc}*$/u, { error: 'must not hold control characters' })
  .refine((name) => name !== '.' && name !== '..', { error: 'must not be a dot' });

/** Discovery document, Developer.email: lower case only. */
const developerSchema = nameSchema.refine((email) => email === email.toLowerCase(), {
  error: 'must be in lower case: Apigee keeps e-mail addresses of developers so',
});

const probeUrlSchema = z.string().refine(
  (text) => {
    if (!URL.canParse(text) || text.includes('#')) return false;
    const { protocol, username, password } = new URL(text);
    return /^https?:$/.test(protocol) && username === '' && password === '';
  },
  { error: 'must be an absolute URL of an API proxy, without user name, password or fragment' },
);

const probeSchema = strictShape({
  url: probeUrlSchema,
  in: z.enum(['header', 'query'], { error: 'must be header or query: where the proxy looks for the key' }),
  name: z.string().regex(/^[A-Za-z0-9_.~-]+$/, { error: 'must be the name of a header or query parameter' }),
  times: z.int().min(1).max(20).default(3),
  patience: durationSchema.optional(),
}).transform(({ patience, ...probe }): ProbeSettings => ({ ...probe, patienceMs: patience ?? PROPAGATION_MS }));

const keyTtlSchema = durationSchema.refine((ms) => ms % 1_000 === 0 && ms >= 1_000, {
  error: 'must be whole seconds, at least 1s',
});

const blockSchema = strictShape({
  baseUrl: baseUrlSchema,
  dialect: z.enum(['x', 'edge'], { error: 'must be x (Apigee X and hybrid) or edge (classic Edge)' }),
  organization: nameSchema,
  developer: developerSchema.optional(),
  appGroup: nameSchema.optional(),
  app: nameSchema,
  auth: authorizationSchema,
  probe: probeSchema.optional(),
  tokenTtl: durationSchema.optional(),
  keyTtl: keyTtlSchema.optional(),
  insecure: z.boolean().default(false),
});

type Block = z.output<typeof blockSchema>;

interface Rule {
  readonly path: readonly string[];
  readonly error: string;
  /** Also asked when another part of the block is wrong: then some fields are not what their type says. */
  readonly holds: (block: Partial<Block>) => boolean;
}

const inClear = 'http: is for loopback addresses only; write `insecure: true` to send secrets in clear all the same';

const rules: readonly Rule[] = [
  {
    path: ['baseUrl'],
    error: inClear,
    holds: ({ baseUrl, insecure }) => insecure === true || !isPlainAndRemote(String(baseUrl)),
  },
  {
    path: ['probe', 'url'],
    error: inClear,
    holds: ({ probe, insecure }) => insecure === true || !isPlainAndRemote(String(probe?.url)),
  },
  {
    path: ['auth', 'tokenUrl'],
    error: inClear,
    holds: ({ auth, insecure }) => insecure === true || auth?.kind === undefined || !sendsInClear(auth),
  },
  {
    path: ['developer'],
    error: 'is needed, or `appGroup`: exactly one of them owns the app',
    holds: ({ developer, appGroup }) => (developer === undefined) !== (appGroup === undefined),
  },
  {
    path: ['appGroup'],
    error: 'needs `dialect: x`: classic Edge has no AppGroups',
    holds: ({ appGroup, dialect }) => appGroup === undefined || dialect !== 'edge',
  },
  {
    path: ['keyTtl'],
    error: 'needs `dialect: x`: on classic Edge a key that its client chooses cannot expire',
    holds: ({ keyTtl, dialect }) => keyTtl === undefined || dialect !== 'edge',
  },
];

const checkedSchema = rules.reduce(
  (schema, { path, error, holds }) =>
    schema.refine(holds, { path: [...path], error, when: ({ value }) => typeof value === 'object' && value !== null }),
  blockSchema,
);

export const apigeeSettingsSchema = checkedSchema.transform(
  ({ developer, appGroup, probe, tokenTtl, keyTtl, ...rest }): ApigeeSettings => ({
    ...rest,
    owner:
      appGroup === undefined ? { kind: 'developer', email: developer ?? '' } : { kind: 'appGroup', name: appGroup },
    probe: probe ?? null,
    tokenTtlMs: tokenTtl ?? null,
    keyTtlMs: keyTtl ?? null,
    isRebuilt: false,
  }),
);

export interface SettingsWarning {
  readonly path: readonly string[];
  readonly message: string;
}

/** What is allowed, and probably not meant. */
export function apigeeWarnings({ dialect, keyTtlMs, tokenTtlMs, auth }: ApigeeSettings): readonly SettingsWarning[] {
  const warnings: SettingsWarning[] = [];
  if (tokenTtlMs === null) {
    warnings.push({
      path: ['tokenTtl'],
      message:
        'how long do access tokens live that consumers get with the key? The old key is kept that much longer; write 0s if they send the key itself',
    });
  }
  if (keyTtlMs === null) {
    const life = 'a new key lives as long as the one before it, for ever if that never expires';
    const message = dialect === 'x' ? life : 'keys of classic Edge never expire: a forgotten key stays valid';
    warnings.push({ path: ['keyTtl'], message });
  }
  if (dialect === 'x' && (auth.kind === 'basic' || auth.kind === 'edge-oauth')) {
    warnings.push({
      path: ['auth'],
      message: `${auth.kind} is for classic Edge; Apigee X and hybrid take google or bearer`,
    });
  }
  return warnings;
}
