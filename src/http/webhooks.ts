/** `POST /webhooks/mambu` and `/webhooks/mambu/:credentialId`: 202 once Temporal has the signal. */
import { type Context, Hono } from 'hono';
import type { KeyturnClient } from '../client.js';
import type { Config, CredentialConfig } from '../config.js';
import { type ErrorCode, KeyturnError } from '../domain/errors.js';
import type { Logger } from '../telemetry/log.js';
import { type ServerMetrics, webhookReasons } from '../telemetry/metrics.js';
import { type IsAuthentic, type ResolveSecret, webhookAuthenticator } from './auth.js';
import { answered, refused } from './envelope.js';
import { createBrake } from './brake.js';
import { createBucket, createBuckets, type TokenBucket } from './rate.js';
import { type RefusalReason, refusalLog, refusals } from './webhook-refusals.js';
import { isAcceptedType, readBody, requestIdFor } from './webhook-request.js';
import { webhookTargets } from './webhook-targets.js';
import { within } from './within.js';

export interface WebhookDeps {
  readonly config: Config;
  readonly resolveSecret: ResolveSecret;
  readonly client: Pick<KeyturnClient, 'requestRotation' | 'backlog'>;
  readonly log: Logger;
  readonly metrics: ServerMetrics;
}

/** Senders without the secret share one bucket, so they cannot starve those that have it. */
const unauthenticatedRate = { burst: 60, perSecond: 2 };
/** What one Temporal server takes in; a deluge beyond it is the sender's to hold back. */
const authenticatedRate = { burst: 2_000, perSecond: 300 };
/** What one workflow works off beside those of the others. A deluge for one credential leaves room for the others. */
const credentialRate = { burst: 600, perSecond: 50 };

/** Mambu waits a few seconds; a request that Temporal takes later is the same one as its retry. */
const ACCEPT_WITHIN_MS = 3_000;
const RETRY_AFTER_SECONDS = 5;

interface Accepted {
  readonly credentialId: string;
  readonly requestId: string;
  readonly workflowId: string;
}

type Verdict =
  | { readonly reason: 'accepted'; readonly requests: readonly [Accepted, ...Accepted[]] }
  | { readonly reason: RefusalReason; readonly code?: ErrorCode; readonly retryAfterSeconds?: number };

/** @throws KeyturnError KT-SECRET-MISSING */
export async function webhookRoutes(deps: WebhookDeps): Promise<Hono> {
  const { config, client, log, metrics } = deps;
  const isAuthentic = await webhookAuthenticator(config.webhooks.mambu, deps.resolveSecret);
  const targets = webhookTargets(config);
  const unauthenticated = createBucket(unauthenticatedRate);
  const authenticated = createBucket(authenticatedRate);
  const perCredential = createBuckets(credentialRate);
  const brake = createBrake((credentialId, most) => client.backlog(credentialId, most));
  const logRefusal = refusalLog(log);

  async function decide(request: Request, credentialId: string | undefined): Promise<Verdict> {
    if (request.method !== 'POST') return { reason: 'method-not-allowed' };
    const stranger = strangerReason(isAuthentic, request.headers);
    if (stranger !== null) return tooMany('rate-limited-unauthenticated', unauthenticated) ?? { reason: stranger };
    const consumerId = consumerOf(request);
    const meant =
      credentialId === undefined ? targets.byConsumer(consumerId ?? '') : targets.byPath(credentialId, consumerId);
    const buckets = [...meant.map((one) => perCredential(one.credentialId)), authenticated];
    const refusal = tooMany('rate-limited', ...buckets);
    if (refusal !== null) return refusal;
    if (!isAcceptedType(request.headers.get('content-type'))) return { reason: 'unsupported-type' };
    const body = await readBody(request);
    if (typeof body === 'string') return { reason: body };
    if (credentialId === undefined && consumerId === null) return { reason: 'consumer-missing' };
    const idempotencyKey = request.headers.get('x-notifications-idempotency-key');
    return ask(meant.map((one) => ({ one, requestId: requestIdFor(one, idempotencyKey, body) })));
  }

  /** All or none: where Temporal has taken some only, the retry has the same ids. */
  async function ask(wanted: readonly { one: CredentialConfig; requestId: string }[]): Promise<Verdict> {
    const requests = wanted.map(async ({ one: { credentialId }, requestId }): Promise<Accepted> => {
      const request = { requestId, reason: 'routine', source: 'webhook' } as const;
      const { workflowId } = await within(pass(credentialId, request), ACCEPT_WITHIN_MS, tooLate);
      log.info({ credentialId, requestId, workflowId }, 'a webhook asks for a rotation');
      return { credentialId, requestId, workflowId };
    });
    const settled = await Promise.allSettled(requests);
    for (const one of settled) {
      if (one.status === 'fulfilled') continue;
      if (one.reason === heldBack) return { reason: 'backlog', retryAfterSeconds: RETRY_AFTER_SECONDS };
      if (!(one.reason instanceof KeyturnError)) throw one.reason;
      const { code } = one.reason;
      const reason = code === 'KT-STORE-FOREIGN' ? 'foreign-workflow' : 'temporal-unreachable';
      return { reason, code, retryAfterSeconds: RETRY_AFTER_SECONDS };
    }
    const [first, ...rest] = settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    return first === undefined ? { reason: 'unknown-consumer' } : { reason: 'accepted', requests: [first, ...rest] };
  }

  async function pass(...asked: Parameters<typeof client.requestRotation>): Promise<{ workflowId: string }> {
    if (!(await brake.allows(asked[0]))) throw heldBack;
    return client.requestRotation(...asked);
  }

  async function handle(c: Context): Promise<Response> {
    const startedAtMs = performance.now();
    const count = (reason: Parameters<ServerMetrics['webhook']>[0]) =>
      metrics.webhook(reason, (performance.now() - startedAtMs) / 1_000);
    try {
      const verdict = await decide(c.req.raw, c.req.param('credentialId'));
      count(verdict.reason);
      if (verdict.reason !== 'accepted') {
        const { reason, code } = verdict;
        logRefusal(reason, { consumerId: consumerOf(c.req.raw), from: senderOf(c), code });
      }
      return answer(c, verdict, config);
    } catch (error) {
      count('internal');
      throw error;
    }
  }

  return new Hono().all('/webhooks/mambu', handle).all('/webhooks/mambu/:credentialId', handle);
}

function strangerReason(
  isAuthentic: IsAuthentic | null,
  headers: Headers,
): 'auth-not-configured' | 'unauthenticated' | null {
  if (isAuthentic === null) return 'auth-not-configured';
  return isAuthentic(headers) ? null : 'unauthenticated';
}

function answer(c: Context, verdict: Verdict, config: Config): Response {
  if (verdict.reason === 'accepted') {
    const { requests } = verdict;
    return answered(c, { ...requests[0], requests }, webhookReasons.accepted);
  }
  const { reason, retryAfterSeconds } = verdict;
  if (retryAfterSeconds !== undefined) c.header('Retry-After', String(retryAfterSeconds));
  if (reason === 'method-not-allowed') c.header('Allow', 'POST');
  if (reason === 'unauthenticated' && config.webhooks.mambu?.kind === 'basic') {
    c.header('WWW-Authenticate', 'Basic realm="keyturn"');
  }
  return refused(c, webhookReasons[reason], refusals[reason]);
}

/** An empty header says as much as none. */
const consumerOf = ({ headers }: Request): string | null => headers.get('apiConsumerId') || null;

const heldBack = new KeyturnError('KT-NO-WORKER', 'too many requests wait');

/** Takes from each bucket until one is empty. */
function tooMany(reason: RefusalReason, ...buckets: readonly TokenBucket[]): Verdict | null {
  for (const bucket of buckets) {
    const waitMs = bucket.take();
    if (waitMs > 0) return { reason, retryAfterSeconds: Math.ceil(waitMs / 1_000) };
  }
  return null;
}

const tooLate = (): KeyturnError =>
  new KeyturnError('KT-TEMPORAL-UNREACHABLE', `Temporal has not answered within ${ACCEPT_WITHIN_MS} ms`);

/** Null where there is no socket. */
function senderOf(c: Context<{ Bindings: { incoming?: { socket: { remoteAddress?: string } } } }>): string | null {
  return c.env?.incoming?.socket.remoteAddress ?? null;
}
