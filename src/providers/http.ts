import type { LookupFunction } from 'node:net';
import { Client, type Dispatcher, EnvHttpProxyAgent } from 'undici';
import { ProviderFailure } from '../domain/failure.js';
import { isLoopback } from './base-url.js';
import { exchange, ExchangeError, type RawAnswer } from './exchange.js';
import type { ProviderAnswer, ProviderRequest, RequestAuth } from './provider.js';

const MAX_BODY_BYTES = 1024 * 1024;

export interface HttpClientOptions {
  /** Until the connection stands, name resolution and TLS included; default 5 s. */
  readonly connectTimeoutMs?: number;
  /** For the whole exchange, from the call of `send` to the last byte of the answer. */
  readonly httpTimeoutMs: number;
  /** Resolves names; default: the system's way. Behind a proxy it is the proxy that resolves. */
  readonly lookup?: LookupFunction;
}

export interface SendOptions {
  /** Aborts a read at any time; a write only as long as nothing of it was sent. */
  readonly signal?: AbortSignal;
  /** Replaces the client's, for a credential with `timing` of its own. */
  readonly httpTimeoutMs?: number;
}

export interface HttpClient {
  /**
   * Exactly one HTTP request, or none: no redirect followed, no retry, a connection of its own. Any answer is an answer, 3xx and 5xx too.
   * @throws ProviderFailure `not-sent`; after sending `unknown` for a write and `outage` for a read; `rejected` for what cannot be sent
   */
  send(baseUrl: string, request: ProviderRequest, options?: SendOptions): Promise<ProviderAnswer>;
}

/**
 * HTTP for providers. Proxies come from HTTP_PROXY, HTTPS_PROXY and NO_PROXY, but never for a loopback address; more authorities from
 * NODE_EXTRA_CA_CERTS.
 */
export function createHttpClient({ connectTimeoutMs = 5_000, httpTimeoutMs, lookup }: HttpClientOptions): HttpClient {
  return {
    async send(baseUrl, request, { signal, httpTimeoutMs: totalTimeoutMs = httpTimeoutMs } = {}) {
      const url = new URL(baseUrl);
      const limits = { connectTimeoutMs, totalTimeoutMs, maxBodyBytes: MAX_BODY_BYTES };
      try {
        const options = dispatched(url, request, totalTimeoutMs);
        const dispatcher = dispatcherFor(url, { timeout: connectTimeoutMs, ...(lookup ? { lookup } : {}) });
        const exchanged = exchange(dispatcher, options, limits, signal, request.effect === 'read');
        return answerOf(await exchanged.finally(() => dispatcher.destroy(() => undefined)));
      } catch (error) {
        throw failureOf(error, request, url.host);
      }
    },
  };
}

/**
 * A dispatcher for one exchange; a handshake costs nothing at a few requests a day. On a connection kept alive, a write that meets the server's
 * closing of it would end with an unknown outcome for no reason. And undici repeats a connection attempt that a proxy ended, without pause and for
 * as long as its request lives: so a failed attempt is made known here as `connectionError`, and everything is destroyed after the exchange.
 */
function dispatcherFor(url: URL, connect: { readonly timeout: number; readonly lookup?: LookupFunction }): Dispatcher {
  const factory = (origin: string | URL, options: object): Dispatcher =>
    new Client(origin, options).on('connectionError', (...details) => dispatcher.emit('connectionError', ...details));
  const settings = { pipelining: 0, allowH2: false, connect, factory };
  const dispatcher = proxyFromEnvironment(isLoopback(url) ? { ...settings, noProxy: '*' } : settings);
  return dispatcher;
}

/** The message of undici's error may hold the proxy's password. @throws ExchangeError `PROXY_SETTINGS` */
function proxyFromEnvironment(settings: EnvHttpProxyAgent.Options): Dispatcher {
  try {
    return new EnvHttpProxyAgent(settings);
  } catch {
    throw new ExchangeError('PROXY_SETTINGS', false);
  }
}

/** The path is joined as text: `new URL` would resolve dots in an id. */
function dispatched(url: URL, request: ProviderRequest, timeoutMs: number): Dispatcher.DispatchOptions {
  return {
    origin: url.origin,
    path: url.pathname.replace(/\/+$/, '') + request.path,
    method: request.method,
    headers: {
      'user-agent': 'keyturn',
      'accept-encoding': 'identity',
      ...request.headers,
      ...authenticated(request.auth),
    },
    body: request.body === undefined ? null : Buffer.from(request.body.reveal(), 'utf8'),
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
  };
}

function authenticated(auth: RequestAuth): Record<string, string> {
  switch (auth.kind) {
    case 'header':
      return { [auth.name]: auth.value.reveal() };
    case 'basic': {
      const pair = `${auth.username}:${auth.password.reveal()}`;
      return { authorization: `Basic ${Buffer.from(pair, 'utf8').toString('base64')}` };
    }
    case 'none':
      return {};
    default:
      return auth satisfies never;
  }
}

/** @throws ExchangeError `UNREADABLE` for a success whose body is not UTF-8: a key in it would be spoilt */
function answerOf({ status, headers, body }: RawAnswer): ProviderAnswer {
  const flat = Object.entries(headers).flatMap(([name, value]): [string, string][] =>
    value === undefined ? [] : [[name.toLowerCase(), Array.isArray(value) ? value.join(', ') : value]],
  );
  try {
    const text = new TextDecoder('utf-8', { fatal: status < 300 }).decode(body);
    return { status, headers: Object.fromEntries(flat), text };
  } catch {
    throw new ExchangeError('UNREADABLE', true);
  }
}

/** Rebuilt from an allow-list: an error of the HTTP client may carry the headers of the request. */
function failureOf(error: unknown, request: ProviderRequest, host: string): ProviderFailure {
  const { code, started } = error instanceof ExchangeError ? error : { code: 'FAILED', started: true };
  const what = `${request.method} ${request.route} at ${host}`;
  if (code === 'UND_ERR_INVALID_ARG' && !started) {
    const message = `${what} cannot be sent: the credential or an id has characters that HTTP does not allow`;
    return new ProviderFailure({ class: 'rejected', code: 'KT-PROVIDER-REJECTED', message });
  }
  if (!started) {
    const message = `${what} was not sent: ${code}`;
    return new ProviderFailure({ class: 'not-sent', code: 'KT-PROVIDER-UNREACHABLE', message });
  }
  const isBodyAtFault = code === 'TOO_LARGE' || code === 'UNREADABLE';
  if (request.effect === 'read') {
    const message = `${what} was not answered: ${code}`;
    return new ProviderFailure({
      class: 'outage',
      code: isBodyAtFault ? 'KT-PROVIDER-ANSWER' : 'KT-PROVIDER-UNREACHABLE',
      message,
    });
  }
  const message = `${what} was sent, its outcome is unknown: ${code}`;
  return new ProviderFailure({
    class: 'unknown',
    code: isBodyAtFault ? 'KT-PROVIDER-ANSWER' : 'KT-OUTCOME-UNKNOWN',
    message,
  });
}
