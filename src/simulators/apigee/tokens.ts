import type { VirtualClock } from '../shared/clock.js';
import { randomBase62 } from '../shared/random.js';
import type { Answer } from '../shared/answer.js';
import type { ApigeeRules } from './rules.js';

export interface Tokens {
  issue(): { accessToken: string; refreshToken: string };
  /** Counts as one call with it. */
  judge(accessToken: string): 'accepted' | 'refused' | 'expired';
  isLiveRefreshToken(refreshToken: string): boolean;
  expireAll(): void;
}

export function createTokens(rules: ApigeeRules, clock: VirtualClock): Tokens {
  const access = new Map<string, { endMs: number; calls: number }>();
  const refresh = new Map<string, number>();
  return {
    issue() {
      const accessToken = `ya29.${randomBase62(60)}`;
      const refreshToken = randomBase62(48);
      access.set(accessToken, { endMs: clock.now() + rules.tokenTtlSeconds * 1_000, calls: 0 });
      refresh.set(refreshToken, clock.now() + rules.refreshTokenTtlSeconds * 1_000);
      return { accessToken, refreshToken };
    },
    judge(accessToken) {
      const known = access.get(accessToken);
      if (known === undefined) return 'refused';
      known.calls += 1;
      const isUsedUp = rules.callsPerToken !== null && known.calls > rules.callsPerToken;
      return clock.now() < known.endMs && !isUsedUp ? 'accepted' : 'expired';
    },
    isLiveRefreshToken: (refreshToken) => clock.now() < (refresh.get(refreshToken) ?? -Infinity),
    expireAll() {
      for (const known of access.values()) known.endMs = Math.min(known.endMs, clock.now());
    },
  };
}

export interface MachineUser {
  readonly username: string;
  readonly password: string;
}

/** The public client that Edge's documentation tells everyone to use (Google docs, management-api-tokens). */
const EDGE_CLIENT = 'Basic ZWRnZWNsaTplZGdlY2xpc2VjcmV0';

/**
 * POST to the token endpoint. Edge: the password and refresh grants. X: any assertion, subject token or refresh token
 * gets a token, since whom Google trusts is not what is judged here.
 */
export function grant(
  form: URLSearchParams,
  authorization: string | undefined,
  { rules, tokens, user }: { rules: ApigeeRules; tokens: Tokens; user: MachineUser },
): Answer {
  const type = form.get('grant_type');
  if (rules.dialect === 'x') {
    const proof = form.get('assertion') ?? form.get('subject_token') ?? form.get('refresh_token') ?? '';
    return proof === '' ? oauthError(400, 'invalid_grant', 'no assertion') : issued(rules, tokens);
  }
  if (authorization !== EDGE_CLIENT) return oauthError(401, 'unauthorized', 'Bad credentials');
  switch (type) {
    case 'password': {
      const isUser = form.get('username') === user.username && form.get('password') === user.password;
      return isUser ? issued(rules, tokens) : oauthError(401, 'unauthorized', 'Bad credentials');
    }
    case 'refresh_token': {
      const isLive = tokens.isLiveRefreshToken(form.get('refresh_token') ?? '');
      return isLive ? issued(rules, tokens) : oauthError(401, 'invalid_token', 'Invalid refresh token');
    }
    default:
      return oauthError(400, 'unsupported_grant_type', 'Unsupported grant type');
  }
}

function issued(rules: ApigeeRules, tokens: Tokens): Answer {
  const { accessToken, refreshToken } = tokens.issue();
  return oauth(200, {
    access_token: accessToken,
    token_type: rules.dialect === 'x' ? 'Bearer' : 'bearer',
    ...(rules.dialect === 'x' ? {} : { refresh_token: refreshToken }),
    expires_in: rules.tokenTtlSeconds,
    scope: rules.dialect === 'x' ? 'https://www.googleapis.com/auth/cloud-platform' : 'scim.me openid password.write',
  });
}

const oauthError = (status: number, error: string, text: string): Answer =>
  oauth(status, { error, error_description: text });

const oauth = (status: number, body: unknown): Answer => ({
  status,
  headers: { 'content-type': 'application/json;charset=UTF-8', 'cache-control': 'no-store' },
  body: JSON.stringify(body),
});
