import { z } from 'zod';
import { choice, durationMs, flag } from '../shared/rules.js';

const status = z.int().min(400).max(599);

/**
 * The knobs of a simulated tenant. The defaults are what Mambu documents; where Mambu documents nothing, the default is
 * the answer that is harder on a client, and the other answers are one knob away. All can be turned while it runs.
 */
export const tenantRulesSchema = z.strictObject({
  graceMs: durationMs(1_800_000).describe(
    'Life of the old key and the old secret key after a rotation (Mambu docs, API Consumers: 1800 s by default).',
  ),
  automaticExpirySeconds: z
    .int()
    .min(1)
    .max(100_000_000)
    .nullable()
    .default(null)
    .describe('UI setting "Automatic Expiry of API Consumer Keys": overrides expirationTime, on rotation only.'),
  secretLifeAfterUseMs: z
    .int()
    .min(0)
    .nullable()
    .default(null)
    .describe(
      'Life of a secret key after it was used; null: as long as the grace. The documentation says 0 in one place, 300 s in another.',
    ),
  secondRotationInGrace: flag(true).describe(
    'A second rotation by the old secret key, or of the old key, during the grace.',
  ),
  rotationNeeds: z.enum(['both', 'id', 'either']).default('both').describe('What the body of a rotation must name.'),
  rotationKeepsId: flag(false).describe('The new key of a rotation has the id of the old one.'),
  unknownRotationTargetStatus: z
    .union([z.literal(400), z.literal(403)])
    .default(400)
    .describe('Answer to the rotation of a key that the consumer does not have.'),
  badSecretStatus: z
    .union([z.literal(400), z.literal(401), z.literal(403)])
    .default(401)
    .describe('Answer to a secret key that is wrong or used up.'),
  zeroExpiration: z
    .enum(['never', 'immediately', 'reject'])
    .default('never')
    .describe('What an expirationTime of 0 means.'),
  listedExpiration: z
    .enum(['remaining', 'original'])
    .default('remaining')
    .describe('What the listing shows as expirationTime.'),
  listShowsGraceKeys: flag(true).describe('The listing shows a rotated key during its grace.'),
  sharedPrefix: z
    .string()
    .regex(/^[A-Za-z0-9]{6}$/)
    .nullable()
    .default(null)
    .describe('Every new key starts with these six characters, so that prefixes collide.'),

  freshKeyRefusedMs: durationMs(0).describe('Credential cache: how long a new key is refused.'),
  deletedKeyAcceptedMs: durationMs(0).describe('Credential cache: how long a deleted key is still accepted.'),
  refusalRememberedMs: durationMs(0).describe(
    'A fresh key that was refused once stays refused this long from then on.',
  ),

  idempotencyWindowMs: durationMs(21_600_000).describe('How long an Idempotency-Key is remembered.'),
  idempotencyReplaysSecrets: flag(true).describe(
    'A replay shows the key or secret key in clear again; otherwise the prefix only.',
  ),
  idempotencyRemembersErrors: flag(true).describe('Answers other than 2xx and 400 are remembered too; 400 never is.'),
  idempotencyDifferentBody: z
    .enum(['replay', 'reject'])
    .default('reject')
    .describe('Another request under a known Idempotency-Key.'),
  idempotencyInProgress: choice(['102-then-silence', '102-then-replay', '409'], '102-then-silence').describe(
    'A duplicate of a request that is in progress.',
  ),
  idempotencyOnRotation: z.enum(['ignore', 'replay']).default('ignore').describe('An Idempotency-Key on a rotation.'),

  strikeLimit: z.int().min(1).default(10).describe('Invalid-credential calls, ever, after which the IP is blocked.'),
  blockedStatus: status.default(403).describe('Answer to a blocked IP.'),
  blockedReason: z
    .enum(['EXCESSIVE_INVALID_REQUESTS', 'INVALID_IP_ADDRESS'])
    .default('EXCESSIVE_INVALID_REQUESTS')
    .describe('Reason in the answer to a blocked IP.'),

  apiConsumersFeature: flag(true).describe(
    'The Early Access feature "API consumers"; a tenant without it answers 403 FEATURE_DISABLED.',
  ),
  maintenance: flag(false).describe(
    'Maintenance window: no new consumers, keys or secret keys, while everything else works.',
  ),
  maintenanceStatus: status.default(403).describe('Answer to what the maintenance window forbids.'),

  withoutV2Accept: z
    .enum(['v1-error', 'accept'])
    .default('v1-error')
    .describe('A request without `Accept: application/vnd.mambu.v2+json`.'),
  errorFormat: z
    .enum(['envelope', 'bare-string-code', 'gateway-html'])
    .default('envelope')
    .describe('Shape of every refusal.'),
  invalidKeyReason: z
    .enum(['INVALID_CREDENTIALS', 'INVALID_API_KEY'])
    .default('INVALID_CREDENTIALS')
    .describe('Reason in the answer to a wrong key.'),

  cloneKeepsConsumerIds: flag(true).describe(
    'A sandbox cloned from this tenant has the same consumer ids; it never has its keys.',
  ),
});

export type TenantRules = z.output<typeof tenantRulesSchema>;
