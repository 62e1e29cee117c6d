import { KeyturnError } from '../domain/errors.js';
import { ProviderFailure } from '../domain/failure.js';
import type { SecretRef } from '../domain/secret-ref.js';
import { Secret } from '../domain/secret.js';
import type { Authorization, Authorizer } from './authorization.js';
import { edgeTokens } from './edge-tokens.js';
import { googleTokens } from './google-tokens.js';
import type { HttpClient } from './http.js';

export interface AuthorizerDeps {
  /** Reads what a `SecretRef` of the configuration refers to. */
  readonly resolveSecret: (ref: SecretRef) => Promise<Secret>;
  readonly http: HttpClient;
  readonly now?: () => number;
}

/** Where access tokens come from. `renew`: the one it may have kept is no good any more. */
export type TokenSource = (renew: boolean) => Promise<Secret>;

/** Tokens are kept in memory, one source for all callers of the same `auth` block. */
export function createAuthorizer({ resolveSecret, http, now = Date.now }: AuthorizerDeps): Authorizer {
  const sources = new Map<string, TokenSource>();

  function sourceOf(authorization: Authorization & { readonly kind: 'google' | 'edge-oauth' }): TokenSource {
    const name = JSON.stringify(authorization);
    const known = sources.get(name);
    if (known !== undefined) return known;
    const source =
      authorization.kind === 'google' ? googleTokens() : edgeTokens(authorization, { resolveSecret, http, now });
    const shared = sharing(source);
    sources.set(name, shared);
    return shared;
  }

  async function valueOf(authorization: Authorization, renew: boolean): Promise<Secret | null> {
    switch (authorization.kind) {
      case 'google':
      case 'edge-oauth':
        return bearer(await sourceOf(authorization)(renew));
      case 'bearer':
        return bearer(await resolveSecret(authorization.token));
      case 'basic': {
        const pair = `${authorization.username}:${(await resolveSecret(authorization.password)).reveal()}`;
        return new Secret(`Basic ${Buffer.from(pair, 'utf8').toString('base64')}`);
      }
      case 'none':
        return null;
      default:
        return authorization satisfies never;
    }
  }

  return {
    header: (authorization, { renew = false } = {}) =>
      valueOf(authorization, renew).catch((error: unknown) => {
        throw notAuthorized(error);
      }),
  };
}

const bearer = (token: Secret): Secret => new Secret(`Bearer ${token.reveal()}`);

/** Callers that ask while a token is on its way get that one; but who wants another one does not get one that was asked for before. */
function sharing(source: TokenSource): TokenSource {
  let asked: { readonly renew: boolean; readonly token: Promise<Secret> } | null = null;
  return (renew) => {
    if (asked !== null && (asked.renew || !renew)) return asked.token;
    const mine = { renew, token: source(renew).finally(() => (asked === mine ? (asked = null) : undefined)) };
    asked = mine;
    return mine.token;
  };
}

/** Whatever happened, the call that the token was for was not sent. Only messages of keyturn's own are passed on. */
function notAuthorized(error: unknown): ProviderFailure {
  const why = error instanceof KeyturnError || error instanceof ProviderFailure ? error.message : 'failed';
  return new ProviderFailure({
    class: 'not-sent',
    code: 'KT-MANAGEMENT-AUTH',
    message: `no credential for the management API: ${why}`,
  });
}
