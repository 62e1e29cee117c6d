import { z } from 'zod';
import { changedRules, durationMs, flag } from '../shared/rules.js';

/**
 * The knobs of a simulated organization. The defaults are what Google documents or published tools assert; where neither
 * says anything, the default is the answer that is harder on a client, and the other answers are one knob away. All but
 * `dialect` can be turned while it runs.
 */
export const apigeeRulesSchema = z.strictObject({
  /** `x`: Apigee X and hybrid. `edge`: classic Edge, public or private cloud. */
  dialect: z.enum(['x', 'edge']).default('x'),

  /** What the management API accepts. `dialect`: bearer on X, bearer or Basic on Edge. `none`: every request, also a bare one. */
  auth: z.enum(['dialect', 'bearer', 'basic', 'none']).default('dialect'),
  /** `expires_in` of new tokens (Edge, older management-api-tokens page: 1799). */
  tokenTtlSeconds: z.int().min(1).default(1_799),
  /** After so many calls a token is expired, however young it is: so that it ends in the middle of something. Null: never. */
  callsPerToken: z.int().min(1).nullable().default(null),
  refreshTokenTtlSeconds: z.int().min(1).default(2_592_000),

  /** Apigee API calls per minute and organization (Apigee limits page: 6000). */
  quotaPerMinute: z.int().min(1).default(6_000),
  /** Edge documents no status; X is always 429. */
  edgeQuotaStatus: z.union([z.literal(429), z.literal(403)]).default(429),
  quotaRetryAfterSeconds: z.int().min(0).nullable().default(null),

  /** How long the management plane shows the organization as it was before a write. */
  consistencyDelayMs: durationMs(0),

  errorFormat: z.enum(['dialect', 'fault', 'xml']).default('dialect'),
  /** An underscore in a consumer key or secret; an old Edge page forbids it. */
  underscoreInKeys: flag(true),
  keysPerApp: z.int().min(1).nullable().default(null),
  /** POST …/keys on Edge, which documents only …/keys/create. */
  edgeBareKeysCreate: flag(false),
  /** What an update of a key does to scopes and attributes that it does not name; the documentation only says "replaced". */
  absentInUpdate: z.enum(['wipe', 'keep']).default('wipe'),
  unknownProductStatus: z.union([z.literal(400), z.literal(404)]).default(400),
  /** `strict`: an action needs Content-Type application/octet-stream and no body, as the documentation says. */
  actionContentType: z.enum(['strict', 'any']).default('strict'),
  /** `dialect`: 200 `{}` on X, 204 on Edge. */
  productActionAnswer: z.enum(['dialect', '200', '204']).default('dialect'),
  /** `?action=` on a key of an AppGroup app, where the documentation has the action in the body. */
  appGroupActionInQuery: flag(false),

  /**
   * `appFamily` in an app of a developer on X, where answers have been seen with it and without. Off, so that answers fit
   * published descriptions that do not know it; Edge always has it.
   */
  appFamilyOnX: flag(false),

  /** Message processors of the runtime plane; requests go to them in turn. */
  messageProcessors: z.int().min(1).max(64).default(2),
  /** How long each remembers what it looked up for a key (Google: 180 s, and no way to make it smaller). */
  runtimeCacheMs: durationMs(180_000),
  /** How long each remembers that a key was unknown. */
  negativeCacheMs: durationMs(0),
  /** How long after a write the runtime's store still has the state before it. */
  propagationDelayMs: durationMs(0),
  /** Where the proxies look for the key: this header, then this query parameter. */
  apiKeyHeader: z
    .string()
    .regex(/^[a-z0-9-]+$/)
    .default('x-apikey'),
  apiKeyQuery: z.string().min(1).default('apikey'),
  keyWithoutProducts: z.enum(['missing-association', 'invalid-key']).default('missing-association'),
  expiredKeyStatus: z.union([z.literal(401), z.literal(403)]).default(401),
});

export type ApigeeRules = z.output<typeof apigeeRulesSchema>;
export type Dialect = ApigeeRules['dialect'];

/** Overwrites some rules in place. @throws ZodError on an unknown knob or a value out of range; then nothing changes */
export function changeApigeeRules(rules: ApigeeRules, changes: unknown): ApigeeRules {
  const changed = changedRules(apigeeRulesSchema, rules, changes);
  if (changed.dialect !== rules.dialect) throw new Error('the dialect is chosen at the start');
  return Object.assign(rules, changed);
}
