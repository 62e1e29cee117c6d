/** Who may ask. Secrets are resolved once at the start and kept as digests; every comparison takes the same time. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { MiddlewareHandler } from 'hono';
import type { SecretRef, ServerAuth, WebhookAuth } from '../config.js';
import type { Secret } from '../domain/secret.js';
import { refused } from './envelope.js';

export type ResolveSecret = (ref: SecretRef) => Promise<Secret>;
export type IsAuthentic = (headers: Headers) => boolean;

/** Null where webhooks.mambu.auth is not configured: nothing is authentic then, which is worth its own words. */
export async function webhookAuthenticator(
  auth: WebhookAuth | null,
  resolveSecret: ResolveSecret,
): Promise<IsAuthentic | null> {
  switch (auth?.kind) {
    case undefined:
      return null;
    case 'none':
      return () => true;
    case 'header': {
      const allowed = await Promise.all(auth.values.map(async (ref) => digest((await resolveSecret(ref)).reveal())));
      return (headers) => isOneOf(allowed, headers.get(auth.name));
    }
    case 'basic': {
      const password = await resolveSecret(auth.password);
      const allowed = [digest(`${auth.username}:${password.reveal()}`)];
      return (headers) => isOneOf(allowed, basicCredentials(headers.get('authorization')));
    }
  }
}

/** Lets everybody pass where server.auth is not configured; the config then allows loopback addresses only. */
export async function bearerGuard(auth: ServerAuth, resolveSecret: ResolveSecret): Promise<MiddlewareHandler> {
  if (auth.kind === 'none') return (_, next) => next();
  const allowed = [digest((await resolveSecret(auth.token)).reveal())];
  return async (c, next) => {
    const [, token] = /^Bearer +(\S+)$/i.exec(c.req.header('authorization') ?? '') ?? [];
    if (isOneOf(allowed, token ?? null)) return next();
    c.header('WWW-Authenticate', 'Bearer realm="keyturn"');
    return refused(c, 401, {
      code: 'KT-FORBIDDEN',
      message: 'this needs the bearer token of server.auth',
      hint: 'Send it as `Authorization: Bearer TOKEN`.',
    });
  };
}

/** HTTP header values come as one character a byte. */
const bytesOf = (header: string): Buffer => Buffer.from(header, 'latin1');

const digest = (value: string | Buffer): Buffer => createHash('sha256').update(value).digest();

/** Compares with all, so that the time does not tell which one it was. */
function isOneOf(allowed: readonly Buffer[], given: string | null): boolean {
  const found = digest(bytesOf(given ?? ''));
  const matches = allowed.map((one) => timingSafeEqual(one, found));
  return given !== null && matches.includes(true);
}

/** `username:password`, one character a byte. */
function basicCredentials(header: string | null): string | null {
  const [, encoded] = /^Basic +([A-Za-z0-9+/=_-]+)$/i.exec(header ?? '') ?? [];
  return encoded === undefined ? null : Buffer.from(encoded, 'base64').toString('latin1');
}
