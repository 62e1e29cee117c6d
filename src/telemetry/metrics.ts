/** Metrics of `serve`. Those of the worker stand beside Temporal's own, see credential-metrics.ts. */
import { createRegistry } from './prometheus.js';

export { startCredentialGauges } from './credential-metrics.js';
export type { GaugedCredential } from './credential-metrics.js';

/** What can become of a webhook: the reason by which it is counted and logged, and the HTTP status of its answer. */
export const webhookReasons = {
  accepted: 202,
  'consumer-missing': 400,
  'body-unread': 400,
  'auth-not-configured': 401,
  unauthenticated: 401,
  'unknown-consumer': 404,
  'method-not-allowed': 405,
  'too-large': 413,
  'unsupported-type': 415,
  'rate-limited': 429,
  'rate-limited-unauthenticated': 429,
  backlog: 429,
  internal: 500,
  'foreign-workflow': 503,
  'temporal-unreachable': 503,
} as const;

export type WebhookReason = keyof typeof webhookReasons;

export interface ServerMetrics {
  webhook(reason: WebhookReason, seconds: number): void;
  /** Prometheus text. */
  text(): string;
}

/** Mambu's circuit breaker counts answers slower than 0.5 s (Mambu support, webhook circuit breaker): a bound stands there. */
const latencyBounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

export function createServerMetrics(): ServerMetrics {
  const registry = createRegistry();
  const requests = registry.counter('keyturn_webhook_requests_total', 'Webhook requests by answer and reason.');
  const labels = (reason: WebhookReason) => ({ answer: String(webhookReasons[reason]), reason });
  for (const reason of Object.keys(webhookReasons)) requests.add(labels(reason as WebhookReason), 0);
  const latency = registry.histogram('keyturn_webhook_seconds', 'Time to answer a webhook.', latencyBounds);
  registry
    .gauge('process_start_time_seconds', 'Start time of the process since unix epoch in seconds.')
    .set({}, Math.round(Date.now() - process.uptime() * 1_000) / 1_000);
  return {
    webhook: (reason, seconds) => {
      requests.add(labels(reason));
      latency.observe(seconds);
    },
    text: () => registry.text(),
  };
}
