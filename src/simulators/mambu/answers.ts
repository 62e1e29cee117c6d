import type { Answer } from '../shared/answer.js';
import type { TenantRules } from './rules.js';

const JSON_V2 = { 'content-type': 'application/vnd.mambu.v2+json' };

export const json = (status: number, body: unknown, headers: Record<string, string> = {}): Answer => ({
  status,
  headers: { ...JSON_V2, ...headers },
  body: JSON.stringify(body),
});

/**
 * errorReason → errorCode. Numbers below 100 are Mambu's own (API response error codes; ReturnCode of its Java models),
 * 301 is from a real answer. Mambu publishes no number for the others, so theirs are invented: a client must go by the reason.
 */
const errorCodes = {
  INVALID_CREDENTIALS: 2,
  INVALID_PARAMETERS: 4,
  INTERNAL_ERROR: 6,
  INVALID_PERMISSIONS: 15,
  INVALID_IP_ADDRESS: 16,
  FEATURE_DISABLED: 19,
  EXCESSIVE_INVALID_REQUESTS: 24,
  INVALID_JSON_SYNTAX: 26,
  OBJECT_NOT_FOUND: 29,
  READ_ONLY_MODE: 32,
  INVALID_CLIENT_ID: 301,
  METHOD_NOT_ALLOWED: 9001,
  IDEMPOTENCY_REQUEST_IN_PROGRESS: 9002,
  INVALID_API_KEY: 9003,
  INVALID_API_KEY_ID: 9004,
  INVALID_API_CONSUMER_ID: 9005,
  API_CONSUMER_ALREADY_EXISTS: 9006,
  CANNOT_DELETE_API_CONSUMER_WITH_PERFORMED_ACTIVITIES: 9007,
} as const;

export type ErrorReason = keyof typeof errorCodes;

/** A request that the tenant refuses; thrown by the rules, rendered at the edge. */
export class Refusal extends Error {
  override readonly name = 'Refusal';

  constructor(
    readonly status: number,
    readonly reason: ErrorReason,
    readonly source?: string,
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(reason);
  }
}

export function refuse(refusal: Refusal, format: TenantRules['errorFormat']): Answer {
  const { status, reason, source, headers } = refusal;
  const error = { errorReason: reason, ...(source === undefined ? {} : { errorSource: source }) };
  switch (format) {
    case 'envelope':
      return json(status, { errors: [{ errorCode: errorCodes[reason], ...error }] }, headers);
    case 'bare-string-code':
      return json(status, { errorCode: String(errorCodes[reason]), ...error }, headers);
    case 'gateway-html': {
      const body = `<html><head><title>${status}</title></head><body><h1>${status}</h1><hr>gateway</body></html>`;
      return { status, headers: { 'content-type': 'text/html', ...headers }, body };
    }
    default:
      return format satisfies never;
  }
}

/** What v1 of the API answers to a path that it does not have. */
export const v1Error: Answer = {
  status: 400,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ returnCode: 4, returnStatus: 'INVALID_PARAMETERS' }),
};
