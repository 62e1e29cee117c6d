/**
 * What can go wrong with a call to a provider or a store, in classes that decide what the engine does next.
 * `not-sent` and `unknown` make the difference on which everything rests: after `unknown` a write is never repeated blindly.
 */
export const failureClasses = {
  /** Surely not sent: connection refused, DNS failure, connect time-out, TLS failure, fence refused. */
  'not-sent': { transient: true },
  /** A write that was perhaps executed: socket closed, time-out, unreadable body, 3xx or 5xx after sending. */
  unknown: { transient: false },
  /** A read that did not succeed: unreachable, time-out, 5xx, unreadable body. Nothing was changed. */
  outage: { transient: true },
  /** 429, maintenance, a conflict with work in progress: refused without effect, later it may succeed. */
  busy: { transient: true },
  /** The presented credential is not accepted (401). Costs a strike where the provider counts them. */
  'credential-refused': { transient: false },
  /** The credential is accepted, a permission is missing (403). */
  forbidden: { transient: false },
  /** The provider has locked us out. */
  blocked: { transient: false },
  /** What the call names does not exist (404). */
  absent: { transient: false },
  /** Refused for good, without effect (any other 4xx). */
  rejected: { transient: false },
} as const satisfies Record<string, { transient: boolean }>;

export type FailureClass = keyof typeof failureClasses;

export interface FailureFacts {
  readonly class: FailureClass;
  /** A code of the table in errors.ts. */
  readonly code: string;
  /** Built from an allow-list (status, provider's code), never from a body or an error object of an HTTP client. */
  readonly message: string;
  readonly status?: number;
  /** The provider's own reason, e.g. Mambu's `INVALID_CREDENTIALS`, already cleaned of control characters; of `blocked`, why nothing was sent. */
  readonly reason?: string;
  /** From Retry-After. */
  readonly retryAfterMs?: number;
}

const brand = Symbol.for('keyturn.ProviderFailure');

/** Thrown by providers and by the HTTP client below them. Its message is secret-free by construction. */
export class ProviderFailure extends Error {
  /** Also for one that a plug-in throws which brings along a copy of keyturn: taken for a defect, a refusal would count as unknown. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === 'object' && value !== null && brand in value;
  }
  readonly [brand] = true;
  override readonly name = 'ProviderFailure';
  readonly facts: FailureFacts;
  constructor(facts: FailureFacts) {
    super(facts.message);
    this.facts = facts;
  }
  get class(): FailureClass {
    return this.facts.class;
  }
}
