/** Reading what a provider has answered, without trusting any of it. */
import type { ProviderAnswer } from './provider.js';

/** Undefined when the text is no JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const MAX_RETRY_AFTER_MS = 86_400_000;

/** Retry-After (RFC 9110: seconds or a date) in milliseconds, at most a day; undefined where it is absent or unreadable. */
export function retryAfterMs(answer: ProviderAnswer, nowMs: number): number | undefined {
  const text = answer.headers['retry-after']?.trim();
  if (text === undefined || text === '') return undefined;
  const ms = /^\d{1,9}$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - nowMs;
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), MAX_RETRY_AFTER_MS);
}

/**
 * A vendor's reason as it may appear in messages and logs: capital letters and underscores only. Anything else is dropped and not quoted:
 * it may hold terminal escapes, or echo a credential.
 */
export function vendorReason(value: unknown): string | undefined {
  return typeof value === 'string' && value.length <= 64 && /^[A-Z]+(?:_[A-Z]+)*$/.test(value) ? value : undefined;
}
