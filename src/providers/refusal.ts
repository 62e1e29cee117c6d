import type { ErrorCode } from '../domain/errors.js';
import { type FailureClass, ProviderFailure } from '../domain/failure.js';
import { retryAfterMs } from './answers.js';
import type { ProviderAnswer, ProviderRequest } from './provider.js';

type Verdict = readonly [FailureClass, ErrorCode, string];

const byStatus: ReadonlyMap<number, Verdict> = new Map<number, Verdict>([
  [401, ['credential-refused', 'KT-CREDENTIAL-REFUSED', 'the credential is not accepted']],
  [403, ['forbidden', 'KT-FORBIDDEN', 'a permission is missing']],
  [404, ['absent', 'KT-PROVIDER-REJECTED', 'there is no such thing']],
  [429, ['busy', 'KT-PROVIDER-BUSY', 'it asks to wait']],
]);

const rejected: Verdict = ['rejected', 'KT-PROVIDER-REJECTED', 'refused'];
const unknown: Verdict = ['unknown', 'KT-OUTCOME-UNKNOWN', 'whether it was executed is unknown'];
const outage: Verdict = ['outage', 'KT-PROVIDER-ERROR', 'it or a gateway before it failed'];
const unreadable = {
  write: ['unknown', 'KT-PROVIDER-ANSWER', 'the answer cannot be used, whether it was executed is unknown'],
  read: ['outage', 'KT-PROVIDER-ANSWER', 'the answer cannot be used'],
} as const satisfies Record<string, Verdict>;

/**
 * What an answer means that is not the one hoped for, by HTTP's own rules: for a plug-in whose vendor has none of its own. A 2xx that cannot
 * be used, a 3xx and a 5xx leave a write `unknown` and make a read an `outage`. Nothing of the body is quoted.
 */
export function refusal(
  answer: ProviderAnswer,
  { method, route, effect }: Pick<ProviderRequest, 'method' | 'route' | 'effect'>,
  nowMs: number,
): ProviderFailure {
  const { status } = answer;
  const [failureClass, code, means] = verdictOf(status, effect);
  const waitMs = failureClass === 'busy' || failureClass === 'outage' ? retryAfterMs(answer, nowMs) : undefined;
  return new ProviderFailure({
    class: failureClass,
    code,
    message: `${status} to ${method} ${route}: ${means}`,
    status,
    ...(waitMs === undefined ? {} : { retryAfterMs: waitMs }),
  });
}

function verdictOf(status: number, effect: 'read' | 'write'): Verdict {
  if (status < 300) return unreadable[effect];
  // A 408 comes from a server that has waited for the rest of a request: nobody knows what a gateway has made of it.
  const isRefusal = status >= 400 && status < 500 && status !== 408;
  if (isRefusal) return byStatus.get(status) ?? rejected;
  return effect === 'write' ? unknown : outage;
}
