import type { Answer } from '../shared/answer.js';
import type { ApigeeRules, Dialect } from './rules.js';

const JSON_TYPE = { 'content-type': 'application/json; charset=UTF-8' };

/**
 * One body, rendered as the dialect does. X follows proto3 JSON: every number here is an int64 and becomes a string, and
 * empty lists and texts are left out. Edge keeps numbers and empty lists.
 */
export const json = (status: number, body: unknown, dialect: Dialect): Answer => ({
  status,
  headers: JSON_TYPE,
  body: JSON.stringify(dialect === 'x' ? asProto3(body) : body),
});

function asProto3(value: unknown): unknown {
  if (typeof value === 'number') return String(value);
  if (Array.isArray(value)) return value.map(asProto3);
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value).filter(([, one]) => !isEmpty(one));
  return Object.fromEntries(kept.map(([name, one]) => [name, asProto3(one)]));
}

const isEmpty = (value: unknown): boolean =>
  value === '' || value === undefined || (Array.isArray(value) && value.length === 0);

/** A request that the management API refuses; thrown by the rules, rendered at the edge. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly status: Readonly<Record<Dialect, number>>;

  /** `code` is the edge-style code, on X the type of the violation; `subject` what it is about, quoted as Google does. */
  constructor(
    status: number | Readonly<Record<Dialect, number>>,
    readonly code: string,
    message: string,
    readonly subject = '',
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
    this.status = typeof status === 'number' ? { x: status, edge: status } : status;
  }
}

/** Google's 403 names the permission and the resource (google.rpc.ErrorInfo, reason IAM_PERMISSION_DENIED). */
export class PermissionDenied extends Refusal {
  constructor(
    readonly permission: string,
    readonly resource: string,
  ) {
    super(403, 'AccessDenied', `Permission '${permission}' denied on resource '${resource}' (or it may not exist).`);
  }
}

const rpcStatus: Readonly<Record<number, string>> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  409: 'ABORTED',
  429: 'RESOURCE_EXHAUSTED',
};

export function refuse(refusal: Refusal, { dialect, errorFormat }: ApigeeRules): Answer {
  const status = refusal.status[dialect];
  const { code, message } = refusal;
  switch (errorFormat) {
    case 'dialect': {
      const body = dialect === 'x' ? googleError(status, refusal) : { code, message, contexts: [] };
      return { status, headers: { ...JSON_TYPE, ...refusal.headers }, body: JSON.stringify(body) };
    }
    case 'fault':
      return { ...fault(status, code, message), headers: { ...JSON_TYPE, ...refusal.headers } };
    case 'xml': {
      const body = `<Error><Code>${code}</Code><Message>${escaped(message)}</Message><Contexts/></Error>`;
      return { status, headers: { 'content-type': 'application/xml', ...refusal.headers }, body };
    }
    default:
      return errorFormat satisfies never;
  }
}

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');

function googleError(status: number, refusal: Refusal) {
  const error = { code: status, message: refusal.message, status: rpcStatus[status] ?? 'UNKNOWN' };
  return { error: { ...error, details: [detailOf(refusal)] } };
}

function detailOf(refusal: Refusal) {
  if (refusal instanceof PermissionDenied) {
    const { permission, resource } = refusal;
    const metadata = { permission, resource };
    const reason = 'IAM_PERMISSION_DENIED';
    return { '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason, domain: 'iam.googleapis.com', metadata };
  }
  const violation = { type: refusal.code, subject: refusal.subject };
  return { '@type': 'type.googleapis.com/google.rpc.PreconditionFailure', violations: [violation] };
}

/** The runtime's way to say no, and sometimes Edge's. */
export const fault = (status: number, errorcode: string, faultstring: string): Answer => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ fault: { faultstring, detail: { errorcode } } }),
});

/** What Google's front end answers to a path that no method has. */
export const notFoundPage: Answer = {
  status: 404,
  headers: { 'content-type': 'text/html; charset=UTF-8' },
  body: '<!DOCTYPE html><html lang=en><title>Error 404 (Not Found)!!1</title><p><b>404.</b> That’s an error.</html>',
};
