/** Answers have the envelope of the CLI's `--json`. */
import type { Context } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { type ErrorCode, errorTable, type KeyturnError } from '../domain/errors.js';

export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
  /** Default: the hint of the code's row in the table of errors. */
  readonly hint?: string;
}

export function answered(c: Context, data: unknown, status: ContentfulStatusCode = 200): Response {
  return c.json({ ok: true, data }, status);
}

export function refused(c: Context, status: ContentfulStatusCode, { code, message, hint }: Failure): Response {
  return c.json({ ok: false, error: { code, message, hint: hint ?? errorTable[code].hint } }, status);
}

/** Of an error that a question to the client has thrown: everything that waits for somebody else is 503. */
export function statusOf({ code }: KeyturnError): ContentfulStatusCode {
  return errorTable[code].exit === 6 || code === 'KT-NOT-RUNNING' || code === 'KT-STORE-FOREIGN' ? 503 : 500;
}
