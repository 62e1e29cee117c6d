import { ProviderFailure } from '../../domain/failure.js';
import { Secret } from '../../domain/secret.js';
import type { CredentialValues, ProviderRequest, RequestAuth } from '../provider.js';
import type { MambuSettings } from './settings.js';

/** Selects v2 of the API; without it shared paths are answered by v1 (Mambu docs, API v2). */
const accept = { accept: 'application/vnd.mambu.v2+json' } as const;
const json = { ...accept, 'content-type': 'application/json' } as const;

/** One encoded path segment. An id never reaches further than its segment. */
const segment = (id: string): string => encodeURIComponent(id);

/** Header names are case-insensitive; `apiKey` is how Mambu's documentation spells it. */
export const byApiKey = (apiKey: Secret): RequestAuth => ({ kind: 'header', name: 'apiKey', value: apiKey });

/** @throws ProviderFailure `rejected` when the version has no such field */
export function fieldOf(values: CredentialValues, name: 'apiKey' | 'secretKey'): Secret {
  const value = values.fields[name];
  if (value !== undefined) return value;
  const code = name === 'secretKey' ? 'KT-CAPABILITY-LOST' : 'KT-NOT-IMPORTED';
  throw new ProviderFailure({ class: 'rejected', code, message: `this version of the credential has no ${name}` });
}

export function listKeys(settings: MambuSettings, auth: RequestAuth): ProviderRequest {
  const path = `/consumers/${segment(settings.consumerId)}/keys`;
  return { method: 'GET', path, route: '/consumers/{id}/keys', auth, headers: accept, effect: 'read' };
}

/** The read that verify makes: the listing, or what `verify.path` names. */
export function probe(settings: MambuSettings, auth: RequestAuth): ProviderRequest {
  const route = settings.verifyPath.replaceAll('{consumerId}', '{id}');
  const path = settings.verifyPath.replaceAll('{consumerId}', segment(settings.consumerId));
  return { method: 'GET', path, route, auth, headers: accept, effect: 'read' };
}

/** `{}` where no lifetime is asked for: the body's schema has no required field. */
export function createKeyBody(settings: MambuSettings): Secret {
  return new Secret(JSON.stringify(expiration(settings)));
}

export function createKey(
  settings: MambuSettings,
  auth: RequestAuth,
  idempotencyKey: string,
  body: Secret,
): ProviderRequest {
  return {
    method: 'POST',
    path: `/consumers/${segment(settings.consumerId)}/apikeys`,
    route: '/consumers/{id}/apikeys',
    auth,
    headers: { ...json, 'Idempotency-Key': idempotencyKey },
    body,
    effect: 'write',
  };
}

/** Has no body. It ends every older secret key of the consumer. */
export function createSecretKey(settings: MambuSettings, auth: RequestAuth, idempotencyKey: string): ProviderRequest {
  return {
    method: 'POST',
    path: `/consumers/${segment(settings.consumerId)}/secretkeys`,
    route: '/consumers/{id}/secretkeys',
    auth,
    headers: { ...accept, 'Idempotency-Key': idempotencyKey },
    effect: 'write',
  };
}

export function rotateBody(settings: MambuSettings, credential: CredentialValues): Secret {
  const apiKey = fieldOf(credential, 'apiKey').reveal();
  return new Secret(JSON.stringify({ apiKey, id: credential.keyId, ...expiration(settings) }));
}

/** Authenticated by the header `secretkey` alone: beside any other credential Mambu takes it for invalid (API Consumers page). */
export function rotate(secretKey: Secret, body: Secret): ProviderRequest {
  return {
    method: 'POST',
    path: '/apikey/rotation',
    route: '/apikey/rotation',
    auth: { kind: 'header', name: 'secretkey', value: secretKey },
    headers: json,
    body,
    effect: 'write',
  };
}

export function deleteKey(settings: MambuSettings, auth: RequestAuth, keyId: string): ProviderRequest {
  return {
    method: 'DELETE',
    path: `/consumers/${segment(settings.consumerId)}/apikeys/${segment(keyId)}`,
    route: '/consumers/{id}/apikeys/{keyId}',
    auth,
    headers: accept,
    effect: 'write',
  };
}

/** A call of a consumer, e.g. `GET /branches`. The path may hold ids, so no message repeats it. */
export function consumerCall(
  auth: RequestAuth,
  { method, path, body }: Pick<ProviderRequest, 'method' | 'path' | 'body'>,
): ProviderRequest {
  const effect = method === 'GET' || method === 'HEAD' ? 'read' : 'write';
  const route = '/… (request of a consumer)';
  if (body === undefined) return { method, path, route, auth, headers: accept, effect };
  return { method, path, route, auth, headers: json, body, effect };
}

function expiration({ keyTtlMs }: MambuSettings): { expirationTime?: number } {
  return keyTtlMs === null ? {} : { expirationTime: keyTtlMs / 1_000 };
}
