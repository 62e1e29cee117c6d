import type { ErrorCode } from '../domain/errors.js';
import type { FailureClass } from '../domain/failure.js';

/** What an answer that is not the one hoped for means, and in which words. */
export interface Verdict {
  readonly class: FailureClass;
  readonly code: ErrorCode;
  readonly means: string;
}

/**
 * Of a 3xx, a 408 or a 5xx, whoever the vendor: a read is an outage, a write may have been executed.
 * @param setting in the words of the configuration, e.g. the base URL
 */
export function undecided(status: number, effect: 'read' | 'write', vendor: string, setting: string): Verdict {
  const isRedirect = status >= 300 && status < 400;
  if (effect === 'write') {
    const means = `${isRedirect ? 'a redirect, which is not followed; ' : ''}whether it was executed is unknown`;
    return { class: 'unknown', code: 'KT-OUTCOME-UNKNOWN', means };
  }
  return isRedirect
    ? { class: 'outage', code: 'KT-PROVIDER-ANSWER', means: `a redirect, which is not followed: check ${setting}` }
    : { class: 'outage', code: 'KT-PROVIDER-ERROR', means: `${vendor} or a gateway before it failed` };
}
