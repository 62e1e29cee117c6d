/** The faults of the matrix in the words of the simulators. */
import type { Fault } from '../../src/simulators/shared/faults.js';
import type { FaultName } from './cells.js';
import { HTTP_TIMEOUT_MS } from './scene.js';
import type { Call, Strategy } from './surface.js';

/** Whatever an answer says of a key is then of a key of somebody else's. */
const namesOfAKey = ['id', 'apiKey', 'secretKey', 'consumerKey', 'consumerSecret'] as const;
const RETRY_AFTER = { 'retry-after': '2' } as const;

/** Null: nothing for the simulator to do, the door before it is shut. */
export function simulatorFault(strategy: Strategy, fault: FaultName, call: Call): Fault | null {
  const { method, route, nth } = call;
  const match = { method, route, nth };
  const answered = (status: number, headers: Record<string, string> = {}): Fault => ({
    match,
    action: 'fail-before',
    status,
    ...refusal(strategy, status, headers),
  });
  switch (fault) {
    case 'refused':
      return null;
    case 'rejected':
      return answered(400);
    case 'expired':
      return answered(401);
    case 'forbidden':
      return answered(403);
    case 'conflict':
      return answered(409);
    case 'busy':
      return answered(429);
    case 'busy-retry-after':
      return answered(429, RETRY_AFTER);
    case 'failed':
      return answered(503);
    case 'failed-retry-after':
      return answered(503, RETRY_AFTER);
    case 'lost':
      return { match, action: 'drop-after-commit' };
    case 'truncated':
      return { match, action: 'truncate' };
    case 'garbage':
      return { match, action: 'garbage' };
    case 'slow':
      return { match, action: 'delay', when: 'after', ms: HTTP_TIMEOUT_MS * 1.4 };
    case 'another':
      return { match, action: 'answer-for-another', fields: [...namesOfAKey] };
    default:
      return fault satisfies never;
  }
}

const mambuReasons: Readonly<Record<number, string>> = {
  400: 'INVALID_PARAMETERS',
  401: 'INVALID_CREDENTIALS',
  403: 'INVALID_PERMISSIONS',
  409: 'IDEMPOTENCY_REQUEST_IN_PROGRESS',
};
const googleStatus: Readonly<Record<number, string>> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  409: 'ABORTED',
};

/** In the provider's own form, but for a gateway's 429 and 503. */
function refusal(
  strategy: Strategy,
  status: number,
  more: Record<string, string>,
): { readonly headers: Record<string, string>; readonly body?: string } {
  const body = bodyOf(strategy, status);
  return body === null ? { headers: more } : { headers: { 'content-type': 'application/json', ...more }, body };
}

function bodyOf(strategy: Strategy, status: number): string | null {
  const reason = mambuReasons[status];
  if (reason === undefined) return null;
  const message = 'as the matrix wants it';
  if (strategy === 'apigee-x')
    return JSON.stringify({ error: { code: status, status: googleStatus[status], message } });
  if (strategy === 'apigee-edge') return JSON.stringify({ code: 'matrix', message });
  return JSON.stringify({ errors: [{ errorCode: 0, errorReason: reason }] });
}
