import { z } from 'zod';
import { durationMs, flag } from '../shared/rules.js';

/**
 * The knobs of a simulated tenant. The defaults are what Mambu documents; where Mambu documents nothing, the default is
 * the answer that is harder on a client, and the other answers are one knob away. All can be turned while it runs.
 */
export const tenantRulesSchema = z.strictObject({
  /** Life of the old key and the old secret key after a rotation (Mambu docs, API Consumers: 1800 s by default). */
  graceMs: durationMs(1_800_000),
  /** UI setting "Automatic Expiry of API Consumer Keys": overrides expirationTime, on rotation only. */
  automaticExpirySeconds: z.int().min(1).max(100_000_000).nullable().default(null),
  /** Life of a secret key after it was used; null: as long as the grace. The documentation says 0 in one place, 300 s in another. */
  secretLifeAfterUseMs: z.int().min(0).nullable().default(null),
  /** A second rotation by the old secret key, or of the old key, during the grace. */
  secondRotationInGrace: flag(true),
  /** What the body of a rotation must name. */
  rotationNeeds: z.enum(['both', 'id', 'either']).default('both'),
  rotationKeepsId: flag(false),
  unknownRotationTargetStatus: z.union([z.literal(400), z.literal(403)]).default(400),
  badSecretStatus: z.union([z.literal(400), z.literal(401), z.literal(403)]).default(401),
  zeroExpiration: z.enum(['never', 'immediately', 'reject']).default('never'),
  listedExpiration: z.enum(['remaining', 'original']).default('remaining'),
  listShowsGraceKeys: flag(true),
  /** Every new key starts with these six characters, so that prefixes collide. */
  sharedPrefix: z
    .string()
    .regex(/^[A-Za-z0-9]{6}$/)
    .nullable()
    .default(null),

  /** Credential cache: how long a new key is refused, and how long a deleted one is still accepted. */
  freshKeyRefusedMs: durationMs(0),
  deletedKeyAcceptedMs: durationMs(0),
  /** A fresh key that was refused once stays refused this long from then on. */
  refusalRememberedMs: durationMs(0),

  idempotencyWindowMs: durationMs(21_600_000),
  /** A replay shows the key or secret key in clear again; otherwise the prefix only. */
  idempotencyReplaysSecrets: flag(true),
  /** Answers other than 2xx and 400 are remembered too; 400 never is. */
  idempotencyRemembersErrors: flag(true),
  idempotencyDifferentBody: z.enum(['replay', 'reject']).default('reject'),
  idempotencyInProgress: z.enum(['102-then-silence', '102-then-replay', '409']).default('102-then-silence'),
  idempotencyOnRotation: z.enum(['ignore', 'replay']).default('ignore'),

  /** Invalid-credential calls, ever, after which the IP is blocked. */
  strikeLimit: z.int().min(1).default(10),
  blockedStatus: z.int().min(400).max(599).default(403),
  blockedReason: z.enum(['EXCESSIVE_INVALID_REQUESTS', 'INVALID_IP_ADDRESS']).default('EXCESSIVE_INVALID_REQUESTS'),

  /** The Early Access feature "API consumers"; a tenant without it answers 403 FEATURE_DISABLED. */
  apiConsumersFeature: flag(true),
  /** Maintenance window: no new consumers, keys or secret keys, while everything else works. */
  maintenance: flag(false),
  maintenanceStatus: z.int().min(400).max(599).default(403),

  /** Without `Accept: application/vnd.mambu.v2+json`. */
  withoutV2Accept: z.enum(['v1-error', 'accept']).default('v1-error'),
  errorFormat: z.enum(['envelope', 'bare-string-code', 'gateway-html']).default('envelope'),
  invalidKeyReason: z.enum(['INVALID_CREDENTIALS', 'INVALID_API_KEY']).default('INVALID_CREDENTIALS'),

  /** A sandbox cloned from this tenant has the same consumer ids; it never has its keys. */
  cloneKeepsConsumerIds: flag(true),
});

export type TenantRules = z.output<typeof tenantRulesSchema>;
