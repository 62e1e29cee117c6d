import { timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { Refusal } from './answers.js';
import type { Consumer } from './consumers.js';
import { isAccepted, isDead, type SecretKey } from './key-ring.js';
import { sha256 } from '../shared/random.js';
import type { CredentialUse, RequestEntry } from './request-log.js';
import type { World } from './world.js';

/** Who calls, once the credential was accepted. A user has no consumer; only the secret-key scheme has a secret. */
export interface Principal {
  readonly consumer: Consumer | null;
  readonly permissions: readonly string[];
  readonly secret: SecretKey | null;
}

/** `key`: apiKey header or Basic. `secret-key`: the header `secretkey` alone, as POST /apikey/rotation wants it. */
export type Scheme = 'key' | 'secret-key';

interface Presented {
  readonly kind: CredentialUse['kind'];
  readonly value: string;
}

function presented(headers: IncomingHttpHeaders, scheme: Scheme): Presented {
  const { apikey, authorization, secretkey } = headers;
  if (apikey !== undefined) return { kind: 'apiKey', value: String(apikey) };
  if (authorization !== undefined) return { kind: 'basic', value: authorization };
  if (scheme === 'secret-key' && secretkey !== undefined) return { kind: 'secretKey', value: String(secretkey) };
  return { kind: 'none', value: '' };
}

/** What a request carries, not judged: known also of requests that a fault takes away before the check. */
export function credentialOf(world: World, headers: IncomingHttpHeaders, scheme: Scheme): CredentialUse {
  const { kind, value } = presented(headers, scheme);
  const known = [...world.ring.apiKeys(), ...world.ring.secretKeys()].find((one) => one.value === value);
  return { kind, serial: known?.serial ?? null, outcome: 'unchecked' };
}

/** @throws Refusal; every refusal is a strike */
export function authenticate(
  world: World,
  headers: IncomingHttpHeaders,
  scheme: Scheme,
  entry: RequestEntry,
): Principal {
  const shown = presented(headers, scheme);
  const principal = scheme === 'secret-key' ? bySecretKey(world, shown, entry) : byKeyOrUser(world, shown, entry);
  if (principal === null) {
    world.strikes.add();
    if (entry.credential.outcome === 'unchecked') entry.credential.outcome = 'refused';
    throw refusalFor(world, shown, scheme);
  }
  entry.credential.outcome = 'accepted';
  entry.consumerId = principal.consumer?.id ?? null;
  return principal;
}

function refusalFor({ rules }: World, { kind }: Presented, scheme: Scheme): Refusal {
  const status = scheme === 'secret-key' && kind === 'secretKey' ? rules.badSecretStatus : 401;
  const reason = scheme === 'key' && kind === 'apiKey' ? rules.invalidKeyReason : 'INVALID_CREDENTIALS';
  return new Refusal(status, reason, 'credentials');
}

function byKeyOrUser(world: World, { kind, value }: Presented, entry: RequestEntry): Principal | null {
  if (kind === 'basic') return byUser(world, value);
  if (kind !== 'apiKey') return null;
  const nowMs = world.clock.now();
  const key = world.ring.apiKeys().find((one) => one.value === value);
  if (key === undefined) return null;
  if (isAccepted(key, nowMs)) return { consumer: key.consumer, permissions: key.consumer.permissions, secret: null };
  if (isDead(key, nowMs)) entry.credential.outcome = 'expired';
  else key.validFromMs = Math.max(key.validFromMs, nowMs + world.rules.refusalRememberedMs);
  return null;
}

/** A rotation request with any other credential beside the secret key is one with invalid credentials. */
function bySecretKey(world: World, { kind, value }: Presented, entry: RequestEntry): Principal | null {
  if (kind !== 'secretKey') return null;
  const secret = world.ring.secretKeys().find((one) => one.value === value);
  if (secret === undefined) return null;
  if (isDead(secret, world.clock.now())) {
    entry.credential.outcome = 'expired';
    return null;
  }
  if (secret.rotatedAtMs !== null && !world.rules.secondRotationInGrace) return null;
  return { consumer: secret.consumer, permissions: [], secret };
}

function byUser({ directory }: World, authorization: string): Principal | null {
  const encoded = /^Basic ([A-Za-z0-9+/=]+)$/i.exec(authorization)?.[1];
  if (encoded === undefined) return null;
  const [username, ...rest] = Buffer.from(encoded, 'base64').toString('utf8').split(':');
  const user = directory.user(username ?? '');
  if (user === undefined || !isEqual(user.password, rest.join(':'))) return null;
  return { consumer: null, permissions: user.permissions, secret: null };
}

const isEqual = (a: string, b: string): boolean => timingSafeEqual(Buffer.from(sha256(a)), Buffer.from(sha256(b)));
