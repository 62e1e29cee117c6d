import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CircuitBreaker } from './circuit-breaker.js';
import { type EodValues, renderEodTemplate } from './webhook-template.js';

/** Legacy circuit breaker: a delivery slower than this counts as a bad one. */
const SLOW_MS = 500;
const IDEMPOTENCY_HEADER = 'x-notifications-idempotency-key';
const MAX_ANSWER_CHARS = 4_096;
/** Custom headers that Mambu strips; its list is not published, these would break the request. */
const reservedHeaders = new Set(['host', 'content-length', 'transfer-encoding', 'connection', IDEMPOTENCY_HEADER]);

export interface WebhookOptions {
  to: string;
  /** Value of the static custom header `apiConsumerId`; null: the tenant did not configure one. */
  consumerId: string | null;
  /** More static custom headers. Their values never show up in a report. */
  headers?: Readonly<Record<string, string>>;
  method?: 'POST' | 'PUT' | 'PATCH';
  contentType?: 'application/json' | 'text/plain' | 'application/xml';
  /** A literal body, sent as it is. */
  body?: string;
  /** A template with the placeholders of an end-of-day notification; ignored where `body` is given. */
  template?: string;
  values?: Partial<EodValues>;
  /** How many different notifications, one after the other. */
  times?: number;
  /** How often each is delivered again although it was accepted: at-least-once delivery. */
  duplicates?: number;
  /** Tries per delivery; Mambu documented five, then only a manual resend. */
  attempts?: number;
  /** Wait before the second try; it doubles from try to try. */
  backoffMs?: number;
  timeoutMs?: number;
  /** `x-notifications-idempotency-key` is there only where the tenant has that feature. */
  idempotencyHeader?: boolean;
  /** After each notification, an administrator resends the stored payload: same body, new idempotency key. */
  manualResend?: boolean;
  circuitBreaker?: CircuitBreaker;
}

export interface DeliveryAttempt {
  at: number;
  status: number | null;
  error: 'timeout' | 'connection' | 'circuit-open' | null;
  durationMs: number;
  slow: boolean;
}

export interface DeliveryReport {
  kind: 'first' | 'duplicate' | 'manual-resend';
  idempotencyKey: string | null;
  delivered: boolean;
  status: number | null;
  attempts: DeliveryAttempt[];
  /** The last answer's body, cut, with the values of the custom headers blotted out. */
  answer: string;
}

/** Delivers end-of-day notifications as Mambu does: only 2xx counts, redirects are not followed, failures are retried. */
export async function sendWebhook(options: WebhookOptions): Promise<DeliveryReport[]> {
  const { times = 1, duplicates = 0, idempotencyHeader = true, manualResend = false } = options;
  const newKey = (): string | null => (idempotencyHeader ? randomUUID() : null);
  const reports: DeliveryReport[] = [];
  for (let sent = 0; sent < times; sent += 1) {
    const body = options.body ?? renderEodTemplate(options.template, options.values);
    const key = newKey();
    reports.push(await deliver(options, 'first', body, key));
    for (let again = 0; again < duplicates; again += 1) reports.push(await deliver(options, 'duplicate', body, key));
    if (manualResend) reports.push(await deliver(options, 'manual-resend', body, newKey()));
  }
  return reports;
}

async function deliver(
  options: WebhookOptions,
  kind: DeliveryReport['kind'],
  body: string,
  idempotencyKey: string | null,
): Promise<DeliveryReport> {
  const { attempts: limit = 5, backoffMs = 1_000, circuitBreaker } = options;
  const attempts: DeliveryAttempt[] = [];
  let answer = '';
  for (let tries = 1; tries <= limit; tries += 1) {
    const { text, ...attempt } = await attemptOnce(options, body, idempotencyKey);
    attempts.push(attempt);
    answer = text;
    const isDelivered = isSuccess(attempt.status);
    if (attempt.error !== 'circuit-open') circuitBreaker?.record(isDelivered && !attempt.slow);
    if (isDelivered) return { kind, idempotencyKey, delivered: true, status: attempt.status, attempts, answer };
    if (tries < limit) await sleep(backoffMs * 2 ** (tries - 1));
  }
  return { kind, idempotencyKey, delivered: false, status: attempts.at(-1)?.status ?? null, attempts, answer };
}

const isSuccess = (status: number | null): boolean => status !== null && status >= 200 && status < 300;

async function attemptOnce(
  options: WebhookOptions,
  body: string,
  idempotencyKey: string | null,
): Promise<DeliveryAttempt & { text: string }> {
  const { to, method = 'POST', timeoutMs = 5_000, circuitBreaker } = options;
  const at = Date.now();
  if (circuitBreaker?.isOpen() === true) {
    return { at, status: null, error: 'circuit-open', durationMs: 0, slow: false, text: '' };
  }
  const headers = headersOf(options, idempotencyKey);
  const timed = () => ({ at, durationMs: Date.now() - at, slow: Date.now() - at > SLOW_MS });
  try {
    const signal = AbortSignal.timeout(timeoutMs);
    const response = await fetch(to, { method, headers, body, redirect: 'manual', signal });
    const text = await response.text();
    return { ...timed(), status: response.status, error: null, text: blotted(text, options) };
  } catch (error) {
    const isTimeout = error instanceof Error && error.name === 'TimeoutError';
    return { ...timed(), status: null, error: isTimeout ? 'timeout' : 'connection', text: '' };
  }
}

function headersOf(options: WebhookOptions, idempotencyKey: string | null): Record<string, string> {
  const { contentType = 'application/json', consumerId, headers: custom = {} } = options;
  const allowed = Object.entries(custom).filter(([name]) => !reservedHeaders.has(name.toLowerCase()));
  return {
    'content-type': contentType,
    ...(consumerId === null ? {} : { apiConsumerId: consumerId }),
    ...Object.fromEntries(allowed),
    ...(idempotencyKey === null ? {} : { [IDEMPOTENCY_HEADER]: idempotencyKey }),
  };
}

function blotted(text: string, { headers = {} }: WebhookOptions): string {
  const values = Object.values(headers).filter((value) => value !== '');
  return values.reduce((shown, value) => shown.replaceAll(value, '[header]'), text).slice(0, MAX_ANSWER_CHARS);
}
