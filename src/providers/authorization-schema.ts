import { z } from 'zod';
import type { Authorization } from './authorization.js';
import { isPlainAndRemote } from './base-url.js';
import { baseUrlSchema, secretRefSchema, strictShape } from './schemas.js';

/** Classic Edge's public token service (Apigee docs, "Access the Edge API with OAuth 2.0"); SAML zones have one of their own. */
const EDGE_TOKEN_URL = 'https://login.apigee.com/oauth/token';

const usernameSchema = z.string().regex(/^[^:\p{Cc}]+$/u, { error: 'must not be empty or hold a colon' });

const edgeOauthSchema = strictShape({
  kind: z.literal('edge-oauth'),
  tokenUrl: baseUrlSchema.default(EDGE_TOKEN_URL),
  username: usernameSchema.optional(),
  password: secretRefSchema.optional(),
  refreshToken: secretRefSchema.optional(),
}).transform(({ kind, tokenUrl, username, password, refreshToken }, context): Authorization => {
  if (refreshToken !== undefined && username === undefined && password === undefined) {
    return { kind, tokenUrl, by: { refreshToken } };
  }
  if (refreshToken === undefined && username !== undefined && password !== undefined) {
    return { kind, tokenUrl, by: { username, password } };
  }
  context.addIssue({ code: 'custom', message: 'needs either `username` and `password`, or `refreshToken`' });
  return z.NEVER;
});

const kinds = 'must be { kind: google | bearer | basic | edge-oauth | none, … }';

/** The `auth:` block of keyturn.yaml. Whether `tokenUrl` may be plain http is a rule of the block around it: see `sendsInClear`. */
export const authorizationSchema = z.discriminatedUnion(
  'kind',
  [
    strictShape({ kind: z.literal('google') }),
    strictShape({ kind: z.literal('bearer'), token: secretRefSchema }),
    strictShape({ kind: z.literal('basic'), username: usernameSchema, password: secretRefSchema }),
    edgeOauthSchema,
    strictShape({ kind: z.literal('none') }),
  ],
  { error: kinds },
) satisfies z.ZodType<Authorization>;

/** True where the token request would go out unencrypted to another machine. */
export function sendsInClear(authorization: Authorization): boolean {
  return authorization.kind === 'edge-oauth' && isPlainAndRemote(authorization.tokenUrl);
}
