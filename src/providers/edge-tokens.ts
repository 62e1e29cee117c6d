import { z } from 'zod';
import { ProviderFailure } from '../domain/failure.js';
import { Secret } from '../domain/secret.js';
import { parseJson } from './answers.js';
import type { Authorization } from './authorization.js';
import type { AuthorizerDeps, TokenSource } from './authorizer.js';
import type { ProviderRequest } from './provider.js';

type EdgeOauth = Extract<Authorization, { readonly kind: 'edge-oauth' }>;

/** The public client `edgecli` that everyone uses (Apigee docs, "Access the Edge API with OAuth 2.0"). It is no secret. */
const EDGE_CLIENT = { username: 'edgecli', password: new Secret('edgeclisecret') };

/** A token is not used in its last minute, nor in the last tenth of a short life: it has to outlast the call. */
const MAX_MARGIN_MS = 60_000;

const tokenSchema = z.object({
  access_token: z.string().regex(/^[\x21-\x7e]+$/),
  /** Seconds. The documentation names several lives, so only the answer counts; without it a token is used once. */
  expires_in: z.coerce.number().min(0).catch(0),
});

/** Access tokens of classic Edge, by the password grant or by a refresh token. */
export function edgeTokens(
  { tokenUrl, by }: EdgeOauth,
  { resolveSecret, http, now }: Required<AuthorizerDeps>,
): TokenSource {
  let kept: { readonly token: Secret; readonly untilMs: number } | null = null;

  async function form(): Promise<URLSearchParams> {
    if ('refreshToken' in by) {
      const token = await resolveSecret(by.refreshToken);
      return new URLSearchParams({ grant_type: 'refresh_token', refresh_token: token.reveal() });
    }
    const password = await resolveSecret(by.password);
    return new URLSearchParams({ grant_type: 'password', username: by.username, password: password.reveal() });
  }

  return async (renew) => {
    if (!renew && kept !== null && now() < kept.untilMs) return kept.token;
    kept = null;
    const { origin, pathname } = new URL(tokenUrl);
    const request: ProviderRequest = {
      method: 'POST',
      path: pathname,
      route: pathname,
      auth: { kind: 'basic', ...EDGE_CLIENT },
      headers: { 'content-type': 'application/x-www-form-urlencoded;charset=utf-8', accept: 'application/json' },
      body: new Secret((await form()).toString()),
      // It changes nothing, so that an outage is all that can go wrong.
      effect: 'read',
    };
    const askedAtMs = now();
    const answer = await http.send(origin, request);
    const { data } = tokenSchema.safeParse(parseJson(answer.text));
    if (answer.status !== 200 || data === undefined) throw refused(answer.status, tokenUrl, by);
    const token = new Secret(data.access_token);
    const lifeMs = data.expires_in * 1_000;
    kept = { token, untilMs: askedAtMs + lifeMs - Math.min(MAX_MARGIN_MS, lifeMs / 10) };
    return token;
  };
}

function refused(status: number, tokenUrl: string, by: EdgeOauth['by']): ProviderFailure {
  const grant = 'refreshToken' in by ? 'refresh token' : `password of ${by.username}`;
  const what = status === 200 ? 'with 200, but without a token' : `${status} to the ${grant}`;
  const message = `${tokenUrl} answered ${what}`;
  return new ProviderFailure({ class: 'not-sent', code: 'KT-MANAGEMENT-AUTH', message, status });
}
