/** What custody reads back is parsed once, here; a type-level check at the end keeps it in step with domain/record.ts. */
import { z } from 'zod';
import type { CredentialRecord } from '../domain/record.js';
import { Secret } from '../domain/secret.js';
import type { LateAnswer, Shelf } from './custody.js';

const ms = z.number();
const count = z.int().nonnegative();
const msOrNull = ms.nullable();

const stateError = z.strictObject({ code: z.string(), message: z.string() });
const reason = z.enum(['routine', 'compromise']);
const source = z.enum(['schedule', 'webhook', 'operator', 'workflow', 'expiry']);

const identity = z.strictObject({
  provider: z.string(),
  baseUrl: z.string(),
  account: z.string(),
  strategy: z.string(),
});

const retirement = z.strictObject({
  state: z.enum(['in-grace', 'held', 'revoking', 'debt']),
  supersededBy: count,
  supersededAtMs: ms,
  refreshWithinMs: ms,
  graceMs: ms,
  consumers: z.array(z.strictObject({ name: z.string(), ackByMs: ms, ackedAtMs: msOrNull })),
  killNow: z.boolean(),
  by: z.enum(['delete', 'provider']),
  notBeforeMs: msOrNull,
  deletedAtMs: msOrNull,
  suspendedAtMs: msOrNull,
  attempts: count,
  nextAttemptAtMs: msOrNull,
  lastError: stateError.nullable(),
});

const version = z.strictObject({
  version: z.int().positive(),
  stage: z.enum(['pending', 'current', 'previous']),
  keyId: z.string(),
  fingerprint: z.string(),
  operationId: z.string(),
  identity,
  createdAtMs: ms,
  publishedAtMs: msOrNull,
  verifiedAtMs: msOrNull,
  expiresAtMs: msOrNull,
  lifetime: z.strictObject({ atMs: ms, ttlMs: ms }).nullable(),
  providerDiesAtMs: msOrNull,
  secretKey: z.enum(['ok', 'lost']).nullable(),
  leaked: z.boolean(),
  retirement: retirement.nullable(),
});

const intentKind = z.enum(['rotate', 'create-key', 'create-secret']);

const intent = z.strictObject({
  n: z.int().positive(),
  operationId: z.string(),
  kind: intentKind,
  idempotencyKey: z.string(),
  epoch: count,
  createdAtMs: ms,
  sendBeforeMs: ms,
  settled: z.enum(['open', 'unknown', 'not-sent', 'answered', 'refused']),
  sends: count,
  keylessReplays: count.exactOptional(),
  taken: z.literal(true).exactOptional(),
  absent: z.boolean().exactOptional(),
  inventory: z.array(z.string()).nullable(),
});

const request = z.strictObject({
  requestId: z.string(),
  reason,
  source,
  leakedVersion: z.number().exactOptional(),
  replyTo: z.strictObject({ workflowId: z.string() }).exactOptional(),
});

const operation = z.strictObject({
  operationId: z.string(),
  request,
  startedAtMs: ms,
  fromVersion: count,
  toVersion: count.nullable(),
  policy: z.strictObject({
    graceMs: ms,
    refreshWithinMs: ms,
    minIntervalMs: ms,
    renewBeforeMs: ms,
    activationLagMs: ms,
    consumers: z.array(z.strictObject({ name: z.string(), ackWithinMs: ms })),
  }),
  strategy: z.strictObject({
    class: z.enum(['A', 'B', 'C', 'D', 'E']),
    replayWindowMs: ms,
    listable: z.boolean(),
    providerGraceMs: msOrNull,
    intents: z.array(intentKind),
    needsSecretKey: z.boolean(),
    equips: z.boolean(),
    restorable: z.boolean(),
    timing: z.strictObject({
      sendWithinMs: ms,
      httpTimeoutMs: ms,
      skewMs: ms,
      verifyAgainAfterMs: ms,
      propagationMs: ms,
      settleMs: ms,
      observeMs: ms,
    }),
  }),
  compensating: z.boolean(),
  refusedAtMs: msOrNull,
});

const debt = z.strictObject({
  kind: z.enum(['orphan', 'suspected-orphan', 'mirror']),
  version: count.nullable(),
  keyId: z.string(),
  sinceMs: ms,
  attempts: count,
  nextAttemptAtMs: msOrNull,
  lastError: stateError.nullable(),
  identity,
});

const step = z.enum(['plan', 'rotate', 'persist', 'equip', 'verify', 'publish']);

const rotation = z.strictObject({
  operationId: z.string(),
  requestId: z.string(),
  reason: z.enum([...reason.options, 'rollback']),
  source,
  outcome: z.enum(['rotated', 'rotated-with-debt', 'rolled-back', 'failed', 'needs-operator']),
  version: count.nullable(),
  startedAtMs: ms,
  endedAtMs: ms,
  steps: z.array(z.strictObject({ step, startedAtMs: ms, endedAtMs: ms, attempts: count })),
  error: stateError.nullable(),
});

const destroyed = z.strictObject({
  version: count,
  keyId: z.string(),
  fingerprint: z.string(),
  destroyedAtMs: ms,
  proof: z.enum(['listed', 'elapsed', 'operator']),
});

const drift = z.strictObject({
  checkedAtMs: ms,
  findings: z.array(
    z.strictObject({
      kind: z.string(),
      code: z.string(),
      version: count,
      keyId: z.string().nullable(),
      sinceMs: ms,
      message: z.string(),
      command: z.string(),
    }),
  ),
});

export const recordSchema = z.strictObject({
  schemaVersion: z.literal(1),
  installationId: z.string(),
  credentialId: z.string(),
  provider: z.string(),
  seq: z.int().positive(),
  epoch: count,
  highestVersion: count,
  versions: z.array(version),
  operation: operation.nullable(),
  intents: z.array(intent),
  debts: z.array(debt),
  acknowledged: z.array(z.strictObject({ consumer: z.string(), version: z.number() })),
  paused: z.strictObject({ sinceMs: ms, by: z.string().nullable(), reason: z.string().nullable() }).nullable(),
  waiting: z.array(request),
  capabilityLost: z
    .strictObject({
      sinceMs: ms,
      message: z.string(),
      deadlineMs: msOrNull,
      retryAtMs: msOrNull,
      attempts: count,
    })
    .nullable(),
  lostProofs: z.strictObject({ sinceMs: ms, message: z.string() }).nullable(),
  drift: drift.exactOptional(),
  noted: z.strictObject({ runStartedAtMs: ms, runId: z.string(), n: count }).exactOptional(),
  seen: z.array(z.string()),
  history: z.array(rotation),
  destroyed: z.array(destroyed),
});

const secret = z.string().transform((value) => new Secret(value));
const fields = z.record(z.string(), secret);

export const shelfSchema: z.ZodType<Shelf> = z.strictObject({
  versions: z.record(z.string(), z.strictObject({ keyId: z.string(), fields })),
  intents: z.record(
    z.string(),
    z.strictObject({ oneTimeKey: secret, body: secret.nullable(), actingVersion: z.int() }),
  ),
  debts: fields.exactOptional(),
});

export const lateAnswerSchema: z.ZodType<LateAnswer> = z.strictObject({
  operationId: z.string(),
  intent: z.int(),
  keyId: z.string().nullable(),
  fields,
  expiresAtMs: msOrNull,
  receivedAtMs: ms,
});

/** `true` when both sides have the same keys and values, read-only or not; else the compiler stops at the line below. */
type Plain<T> = T extends readonly (infer E)[]
  ? Plain<E>[]
  : T extends object
    ? { -readonly [K in keyof T]-?: Plain<T[K]> }
    : T;
type Same<A, B> = [Plain<A>, Plain<B>] extends [Plain<B>, Plain<A>] ? true : never;
true satisfies Same<CredentialRecord, z.infer<typeof recordSchema>>;
