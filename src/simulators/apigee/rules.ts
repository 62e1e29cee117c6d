import { z } from 'zod';
import { changedRules, choice, durationMs, flag } from '../shared/rules.js';

/**
 * The knobs of a simulated organization. The defaults are what Google documents or published tools assert; where neither
 * says anything, the default is the answer that is harder on a client, and the other answers are one knob away. All but
 * `dialect` can be turned while it runs.
 */
export const apigeeRulesSchema = z.strictObject({
  dialect: z
    .enum(['x', 'edge'])
    .default('x')
    .describe('`x`: Apigee X and hybrid. `edge`: classic Edge, public or private cloud. Chosen at the start.'),

  auth: z
    .enum(['dialect', 'bearer', 'basic', 'none'])
    .default('dialect')
    .describe(
      'What the management API accepts. `dialect`: bearer on X, bearer or Basic on Edge. `none`: every request, also a bare one.',
    ),
  tokenTtlSeconds: z
    .int()
    .min(1)
    .default(1_799)
    .describe('`expires_in` of new tokens (Edge, older management-api-tokens page: 1799).'),
  callsPerToken: z
    .int()
    .min(1)
    .nullable()
    .default(null)
    .describe(
      'After so many calls a token is expired, however young it is: it ends in the middle of something. null: never.',
    ),
  refreshTokenTtlSeconds: z.int().min(1).default(2_592_000).describe('Life of a refresh token of Edge.'),

  quotaPerMinute: z
    .int()
    .min(1)
    .default(6_000)
    .describe('Apigee API calls per minute and organization (Apigee limits page: 6000).'),
  edgeQuotaStatus: z
    .union([z.literal(429), z.literal(403)])
    .default(429)
    .describe('Answer beyond the quota on Edge, which documents none; X is always 429.'),
  quotaRetryAfterSeconds: z
    .int()
    .min(0)
    .nullable()
    .default(null)
    .describe('Retry-After of the answer beyond the quota; null: it has none.'),

  consistencyDelayMs: durationMs(0).describe(
    'How long the management plane shows the organization as it was before a write.',
  ),

  errorFormat: z
    .enum(['dialect', 'fault', 'xml'])
    .default('dialect')
    .describe('Shape of every refusal. `dialect`: `error{}` of Google on X, `{code,message,contexts}` on Edge.'),
  underscoreInKeys: flag(true).describe('An underscore in a consumer key or secret; an old Edge page forbids it.'),
  keysPerApp: z.int().min(1).nullable().default(null).describe('Keys that an app may have; null: any number.'),
  edgeBareKeysCreate: flag(false).describe('POST …/keys on Edge, which documents only …/keys/create.'),
  absentInUpdate: z
    .enum(['wipe', 'keep'])
    .default('wipe')
    .describe(
      'What an update of a key does to scopes and attributes that it does not name; the documentation only says "replaced".',
    ),
  unknownProductStatus: z
    .union([z.literal(400), z.literal(404)])
    .default(400)
    .describe('Answer to the grant of a product that the organization does not have.'),
  actionContentType: z
    .enum(['strict', 'any'])
    .default('strict')
    .describe(
      '`strict`: an action needs Content-Type application/octet-stream and no body, as the documentation says.',
    ),
  productActionAnswer: choice(['dialect', '200', '204'], 'dialect').describe(
    'Answer to the approval or revocation of a product. `dialect`: 200 `{}` on X, 204 on Edge.',
  ),
  appGroupActionInQuery: flag(false).describe(
    '`?action=` on a key of an AppGroup app, where the documentation has the action in the body.',
  ),
  appFamilyOnX: flag(false).describe(
    '`appFamily` in an app of a developer on X, where answers have been seen with it and without. Off, so that answers fit published descriptions that do not know it; Edge always has it.',
  ),

  messageProcessors: z
    .int()
    .min(1)
    .max(64)
    .default(2)
    .describe('Message processors of the runtime plane; requests go to them in turn.'),
  runtimeCacheMs: durationMs(180_000).describe(
    'How long each remembers what it looked up for a key (Google: 180 s, and no way to make it smaller).',
  ),
  negativeCacheMs: durationMs(0).describe('How long each remembers that a key was unknown.'),
  propagationDelayMs: durationMs(0).describe(
    "How long after a write the runtime's store still has the state before it.",
  ),
  apiKeyHeader: z
    .string()
    .regex(/^[a-z0-9-]+$/)
    .default('x-apikey')
    .describe('Header in which the proxies look for the key.'),
  apiKeyQuery: z.string().min(1).default('apikey').describe('Query parameter in which they look next.'),
  keyWithoutProducts: z
    .enum(['missing-association', 'invalid-key'])
    .default('missing-association')
    .describe('Fault of a key that has no products.'),
  expiredKeyStatus: z
    .union([z.literal(401), z.literal(403)])
    .default(401)
    .describe('Status of the fault of an expired key.'),
});

export type ApigeeRules = z.output<typeof apigeeRulesSchema>;
export type Dialect = ApigeeRules['dialect'];

/** Overwrites some rules in place. @throws ZodError on an unknown knob or a value out of range; then nothing changes */
export function changeApigeeRules(rules: ApigeeRules, changes: unknown): ApigeeRules {
  const changed = changedRules(apigeeRulesSchema, rules, changes);
  if (changed.dialect !== rules.dialect) throw new Error('the dialect is chosen at the start');
  return Object.assign(rules, changed);
}
