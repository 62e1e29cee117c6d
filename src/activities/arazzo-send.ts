/** One request of a step over HTTP: its authentication, its fence, its answer. */
import { parseRetryAfter } from '../arazzo/action.js';
import type { Call } from '../arazzo/evaluate.js';
import type { Json } from '../arazzo/json.js';
import { formatOf } from '../arazzo/media-type.js';
import type { Operation } from '../arazzo/openapi.js';
import type { Request } from '../arazzo/request.js';
import { sourceAt } from '../arazzo/servers.js';
import { KeyturnError } from '../domain/errors.js';
import { ProviderFailure } from '../domain/failure.js';
import { Secret } from '../domain/secret.js';
import type { Authorization } from '../providers/authorization.js';
import type { ProviderAnswer, ProviderRequest, RequestAuth } from '../providers/provider.js';
import type { Outcome } from './arazzo-judge.js';
import type { ArazzoRuns } from './arazzo-run.js';

/** Shorter than the heartbeat time-out: a step that the workflow has given up does not send any more. */
const SEND_WITHIN_MS = 5_000;
/** Parts of parts of an answer that expressions can reach. */
const MAX_DEPTH = 64;
const YEAR_MS = 31_536_000_000;

export interface Sending {
  readonly base: string;
  readonly operation: Operation;
  readonly request: Request;
  readonly startedAtMs: number;
  readonly signal: AbortSignal;
}

/** @throws ProviderFailure, KeyturnError only where nothing was sent and trying again is right: no credential, a late or stopping worker */
export async function send(runs: ArazzoRuns, sending: Sending): Promise<Outcome> {
  const { base, operation, request } = sending;
  const call: Call = {
    url: base + request.path,
    method: request.method,
    request: {
      ...request.values,
      headers: request.headers,
      ...(request.body === undefined ? {} : { body: request.body.value }),
    },
  };
  if (!staysWithin(base, call.url))
    return none(call, 'KT-ARAZZO-STEP', `${operation.path} would leave the base URL of its source: not sent`);
  const { sources } = (await runs.engine.deps.config()).arazzo;
  const source = sourceAt(base, operation.source, sources);
  const authorization = (source === undefined ? undefined : sources.get(source)?.auth) ?? { kind: 'none' as const };
  const first = await runs.deps.authorizer.header(authorization);
  try {
    const answer = await exchanged(runs, sending, first);
    if (answer.status !== 401 || !isRenewable(authorization)) return answered(call, answer, runs.engine.now());
    const second = await renewed(runs, authorization);
    return answered(call, second === null ? answer : await exchanged(runs, sending, second), runs.engine.now());
  } catch (error) {
    if (!(error instanceof ProviderFailure)) throw error;
    if (sending.signal.aborted && error.class === 'not-sent')
      throw new KeyturnError('KT-INTERRUPTED', 'the worker stops: the request was not sent');
    const isUnknown = error.class === 'unknown';
    return { ...none(call, isUnknown ? 'KT-ARAZZO-UNKNOWN' : 'KT-ARAZZO-STEP', error.message), isUnknown };
  }
}

async function exchanged(
  runs: ArazzoRuns,
  { base, operation, request, startedAtMs, signal }: Sending,
  authorization: Secret | null,
): Promise<ProviderAnswer> {
  const effect = request.method === 'GET' || request.method === 'HEAD' ? 'read' : 'write';
  if (effect === 'write' && runs.engine.now() > startedAtMs + SEND_WITHIN_MS)
    throw new KeyturnError('KT-NO-WORKER', 'the worker was too slow: the request was not sent');
  const auth: RequestAuth =
    authorization === null ? { kind: 'none' } : { kind: 'header', name: 'authorization', value: authorization };
  return runs.deps.http.send(
    base,
    {
      method: request.method as ProviderRequest['method'],
      path: request.path,
      route: operation.path,
      headers: request.headers,
      auth,
      effect,
      ...(request.body === undefined ? {} : { body: new Secret(request.body.text) }),
    },
    { signal },
  );
}

const isRenewable = ({ kind }: Authorization): boolean => kind === 'google' || kind === 'edge-oauth';

/** Null where there is no other credential: then the refusal stands. */
async function renewed(runs: ArazzoRuns, authorization: Authorization): Promise<Secret | null> {
  return runs.deps.authorizer.header(authorization, { renew: true }).catch((error: unknown) => {
    if (error instanceof ProviderFailure) return null;
    throw error;
  });
}

function none(call: Call, code: string, message: string): Outcome & { readonly kind: 'none' } {
  return { kind: 'none', call, isUnknown: false, error: { code, message } };
}

/** Authentication belongs to a base URL: the request must be below it, whatever the description's path is. */
function staysWithin(base: string, text: string): boolean {
  if (!URL.canParse(text)) return false;
  const [outer, url] = [new URL(base), new URL(text)];
  return url.origin === outer.origin && url.pathname.startsWith(`${outer.pathname.replace(/\/+$/, '')}/`);
}

function answered(call: Call, { status, headers, text }: ProviderAnswer, nowMs: number): Outcome {
  const body = bodyOf(headers['content-type'], text);
  const asked = parseRetryAfter(headers['retry-after'] ?? '', nowMs);
  return {
    kind: 'answer',
    call: { ...call, response: { statusCode: status, headers, ...(body === undefined ? {} : { body }) } },
    ...(asked === undefined ? {} : { retryAfterMs: Math.min(asked, YEAR_MS) }),
  };
}

/** JSON where it says so, or says nothing; else text. */
function bodyOf(contentType: string | undefined, text: string): Json | undefined {
  if (text === '') return undefined;
  if (contentType !== undefined && formatOf(contentType) !== 'json') return text;
  try {
    const value = JSON.parse(text) as Json;
    return isShallow(value) ? value : text;
  } catch {
    return text;
  }
}

function isShallow(value: Json, left = MAX_DEPTH): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return left > 0 && Object.values<Json>(value).every((inner) => isShallow(inner, left - 1));
}
