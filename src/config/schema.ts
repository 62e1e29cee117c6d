import { z } from 'zod';
import { CronError, parseCron, timezoneProblem } from '../domain/cron.js';
import { isRefusedHost } from '../domain/addresses.js';
import { authorizationSchema, sendsInClear } from '../providers/authorization-schema.js';
import { isPlainAndRemote } from '../providers/base-url.js';
import { baseUrlSchema, durationSchema, secretRefSchema, strictShape } from '../providers/schemas.js';
import type { Endpoint, ScheduleSpec, ServerAuth, WebhookAuth } from './types.js';

/** The sections of keyturn.yaml, one schema each: they are read one by one, so that a mistake in one hides none in another. */

const name = z.string().min(1);
const idPattern = /^[a-z0-9][a-z0-9._-]{0,62}$/;
export const idRule = 'must start with a-z or 0-9 and hold only a-z 0-9 . _ - (at most 63 characters)';
export const idSchema = z.string().regex(idPattern, { error: idRule });

/** `HOST:PORT`, an IPv6 address in brackets. */
const endpointSchema = z.string().transform((text, context): Endpoint => {
  const [, bracketed, plain, portText] = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]/\s]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  const port = Number(portText);
  if (host !== undefined && port <= 65_535) return { host, port };
  context.addIssue({ code: 'custom', message: 'must be HOST:PORT, for example 127.0.0.1:8377' });
  return z.NEVER;
});

export const temporalSchema = strictShape({
  address: name.regex(/^[^\s/]+:\d{1,5}$/, { error: 'must be HOST:PORT, for example 127.0.0.1:7233' }).optional(),
  namespace: name.optional(),
  taskQueue: name.default('keyturn'),
  searchAttributes: z.enum(['auto', 'off']).default('auto'),
});

export const sealingKeySchema = strictShape({ kind: z.literal('file'), path: name });

export const storeSchema = strictShape({
  kind: z.literal('file').default('file'),
  path: name.default('.keyturn/store'),
  keyFile: name.optional(),
  sealingKey: sealingKeySchema.optional(),
});

const wrongKind = (kinds: string) => ({ error: `must be a mapping with \`kind\`: ${kinds}` });

const serverAuthSchema: z.ZodType<ServerAuth> = z.discriminatedUnion(
  'kind',
  [strictShape({ kind: z.literal('none') }), strictShape({ kind: z.literal('bearer'), token: secretRefSchema })],
  wrongKind('bearer or none'),
);

export const serverSchema = strictShape({
  listen: endpointSchema.default({ host: '127.0.0.1', port: 8377 }),
  webhookListen: endpointSchema.optional(),
  auth: serverAuthSchema.default({ kind: 'none' }),
});

export const workerSchema = strictShape({
  listen: endpointSchema.optional(),
  egress: idSchema.default('default'),
  // Temporal writes both as `name.buildId`, or `name:buildId`.
  deployment: strictShape({
    name: z.string().regex(/^[A-Za-z0-9_-]{1,63}$/, { error: 'must hold only letters, digits _ - (at most 63)' }),
    buildId: z
      .string()
      .regex(/^[A-Za-z0-9._+-]{1,63}$/, { error: 'must hold only letters, digits . _ + - (at most 63)' }),
  }).optional(),
});

/** Mambu blocks an IP at 10 invalid-credential calls, so 9 is the most that can be risked (Mambu docs, API Consumers page). */
export const lockoutSchema = strictShape({
  limit: z.int().min(1).max(9, { error: 'must be at most 9: Mambu blocks the IP for good at 10' }).default(4),
});

const positiveDuration = durationSchema.refine((ms) => ms > 0, { error: 'must be longer than 0' });

export const timingSchema = strictShape({
  sendWithin: positiveDuration.optional(),
  httpTimeout: positiveDuration.optional(),
  skew: durationSchema.optional(),
  verifyAgainAfter: durationSchema.optional(),
  propagation: durationSchema.optional(),
  settle: durationSchema.optional(),
  observe: durationSchema.optional(),
});
export type TimingBlock = z.output<typeof timingSchema>;

const headerName = z.string().regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, { error: 'must be the name of an HTTP header' });

const headerAuthSchema = strictShape({
  kind: z.literal('header'),
  name: headerName.refine((header) => header.toLowerCase() !== 'apiconsumerid', {
    error: 'apiConsumerId names the consumer and proves nothing: use another header',
  }),
  value: z.union([secretRefSchema, z.array(secretRefSchema).min(1)]),
}).transform(({ kind, name: header, value }): WebhookAuth => ({
  kind,
  name: header.toLowerCase(),
  values: Array.isArray(value) ? value : [value],
}));

const webhookAuthSchema: z.ZodType<WebhookAuth> = z.discriminatedUnion(
  'kind',
  [
    strictShape({ kind: z.literal('none') }),
    headerAuthSchema,
    strictShape({ kind: z.literal('basic'), username: name, password: secretRefSchema }),
  ],
  wrongKind('header, basic or none'),
);

export const webhooksSchema = strictShape({ mambu: strictShape({ auth: webhookAuthSchema }).optional() });

const cronSchema = z.string().superRefine((text, context) => {
  try {
    parseCron(text);
  } catch (error) {
    if (!(error instanceof CronError)) throw error;
    context.addIssue({ code: 'custom', message: error.message });
  }
});

const timezoneSchema = z.string().superRefine((text, context) => {
  const message = timezoneProblem(text);
  if (message !== null) context.addIssue({ code: 'custom', message });
});

const scheduleSchema = strictShape({
  cron: cronSchema,
  timezone: timezoneSchema.default('UTC'),
  jitter: durationSchema.default(0),
}).transform(({ jitter, ...schedule }): ScheduleSpec => ({ ...schedule, jitterMs: jitter }));

const consumerSchema = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, {
  error: 'must start with a letter or digit and hold only letters, digits . _ - (at most 63 characters)',
});

const consumersSchema = z
  .array(strictShape({ name: consumerSchema, ackWithin: durationSchema }))
  .refine((consumers) => new Set(consumers.map((one) => one.name)).size === consumers.length, {
    error: 'must not name a consumer twice',
  })
  .transform((consumers) => consumers.map((one) => ({ name: one.name, ackWithinMs: one.ackWithin })));

const minuteMs = 60_000;

export const policySchema = strictShape({
  schedule: scheduleSchema.optional(),
  grace: durationSchema.default(20 * minuteMs),
  refreshWithin: durationSchema.default(5 * minuteMs),
  consumers: consumersSchema.default([]),
  minInterval: durationSchema.default(60 * minuteMs),
  renewBefore: durationSchema.default(1_440 * minuteMs),
  activationLag: durationSchema.default(0),
  reconcile: z.boolean().default(true),
});
export type PolicyBlock = z.output<typeof policySchema>;

/** All but the provider's own block, whose key is the provider's name, and for a plug-in `settings`. */
export const credentialShape = {
  provider: z
    .union([name, strictShape({ module: name })], { error: 'must be a name, or { module: PACKAGE } for a plug-in' })
    .optional(),
  connection: name.optional(),
  policy: z.union([name, policySchema], { error: 'must be a mapping or a name from `policies`' }).optional(),
  timing: timingSchema.optional(),
  labels: z.record(z.string(), z.string()).default({}),
};

const inClear = 'http: is for loopback addresses only; write `insecure: true` to send in clear all the same';

const arazzoSourceSchema = strictShape({
  url: baseUrlSchema.refine((url) => !URL.canParse(url) || !isRefusedHost(new URL(url).hostname), {
    error: 'is a link-local or metadata address, which is never called',
  }),
  auth: authorizationSchema.default({ kind: 'none' }),
  insecure: z.boolean().default(false),
}).superRefine(({ url, auth, insecure }, context) => {
  if (insecure) return;
  if (isPlainAndRemote(url)) context.addIssue({ code: 'custom', path: ['url'], message: inClear });
  if (sendsInClear(auth)) context.addIssue({ code: 'custom', path: ['auth', 'tokenUrl'], message: inClear });
});

/** Sources of Arazzo documents by their names there, as expressions can name them. */
export const arazzoSchema = strictShape({
  sources: z
    .record(
      z.string().regex(/^[A-Za-z0-9_-]+$/, { error: 'the name of a source has letters, digits, _ and - only' }),
      arazzoSourceSchema,
    )
    .default({}),
});

/** What stands at the top of the file; the sections are read by their own schemas. */
export const fileSchema = strictShape({
  version: z.literal(1, { error: 'must be 1' }),
  temporal: z.unknown().optional(),
  store: z.unknown().optional(),
  sealingKey: z.unknown().optional(),
  server: z.unknown().optional(),
  worker: z.unknown().optional(),
  lockout: z.unknown().optional(),
  timing: z.unknown().optional(),
  webhooks: z.unknown().optional(),
  connections: z.unknown().optional(),
  policies: z.unknown().optional(),
  plugins: z.unknown().optional(),
  credentials: z.unknown().optional(),
  arazzo: z.unknown().optional(),
});
