import type { VirtualClock } from '../shared/clock.js';
import type { Consumer } from './consumers.js';
import { sha256 } from '../shared/random.js';
import { randomEncodedKey, randomKeyValue } from './random.js';
import type { TenantRules } from './rules.js';

/** Who made a credential: the seed, an API call that creates, a rotation, or an administrator in the UI. */
export type Origin = 'seed' | 'create' | 'rotation' | 'ui';

/** One key value or secret key value. `diesAtMs` is the instant from which it is refused; it is only ever moved nearer. */
export interface Credential {
  readonly serial: number;
  readonly consumer: Consumer;
  readonly value: string;
  readonly sha256: string;
  readonly createdAtMs: number;
  readonly by: Origin;
  readonly createdByRequest: number | null;
  validFromMs: number;
  diesAtMs: number | null;
  /** When a rotation put it into its grace. */
  rotatedAtMs: number | null;
  deletedAtMs: number | null;
}

/** After a rotation that keeps the id, the old and the new value carry the same `id`. */
export interface ApiKey extends Credential {
  readonly id: string;
  readonly expirationSeconds: number | null;
}

export type SecretKey = Credential;

interface Made {
  consumer: Consumer;
  by: Origin;
  /** Number of the request that made it; null for the seed and the UI. */
  request: number | null;
}

export interface KeyRing {
  apiKeys(): readonly ApiKey[];
  secretKeys(): readonly SecretKey[];
  createKey(made: Made & { expirationSeconds: number | null }): ApiKey;
  /** Makes the consumer's one active secret key; every older one is dead at once. */
  createSecret(made: Made): SecretKey;
  /** Puts `old` and the consumer's secret keys into their grace and makes the pair that replaces them. */
  rotate(old: ApiKey, used: SecretKey, made: Made & { expirationSeconds: number | null }): [ApiKey, SecretKey];
  /** Kills every living value with this id, without grace. Empty: there was none. */
  deleteKey(keyId: string, consumer?: Consumer): ApiKey[];
  killAll(consumer: Consumer): void;
}

export const isDead = (credential: Credential, atMs: number): boolean =>
  credential.diesAtMs !== null && atMs >= credential.diesAtMs;

export const isAccepted = (credential: Credential, atMs: number): boolean =>
  atMs >= credential.validFromMs && !isDead(credential, atMs);

export const prefixOf = (key: ApiKey): string => key.value.slice(0, 6);

function dieAt(credential: Credential, atMs: number): void {
  credential.diesAtMs = Math.min(credential.diesAtMs ?? Infinity, atMs);
}

export function createKeyRing(rules: TenantRules, clock: VirtualClock): KeyRing {
  const apiKeys: ApiKey[] = [];
  const secretKeys: SecretKey[] = [];

  function issue({ consumer, by, request }: Made, value: string): Credential {
    const serial = apiKeys.length + secretKeys.length + 1;
    const createdAtMs = clock.now();
    const life = { createdAtMs, validFromMs: createdAtMs, diesAtMs: null, rotatedAtMs: null, deletedAtMs: null };
    return { serial, consumer, value, sha256: sha256(value), by, createdByRequest: request, ...life };
  }

  function addKey(made: Made & { expirationSeconds: number | null }, id: string): ApiKey {
    const credential = issue(made, randomKeyValue(rules.sharedPrefix ?? ''));
    const { expirationSeconds } = made;
    const key: ApiKey = { ...credential, id, expirationSeconds };
    if (made.by !== 'seed') key.validFromMs += rules.freshKeyRefusedMs;
    if (expirationSeconds !== null) dieAt(key, key.createdAtMs + expirationSeconds * 1000);
    apiKeys.push(key);
    return key;
  }

  function addSecret(made: Made): SecretKey {
    const secret = issue(made, randomKeyValue());
    secretKeys.push(secret);
    return secret;
  }

  function kill(key: Credential, acceptedForMs: number): void {
    key.deletedAtMs = clock.now();
    dieAt(key, key.deletedAtMs + acceptedForMs);
  }

  const living = <C extends Credential>(credentials: readonly C[], consumer: Consumer): C[] =>
    credentials.filter((one) => one.consumer === consumer && one.deletedAtMs === null && !isDead(one, clock.now()));

  return {
    apiKeys: () => apiKeys,
    secretKeys: () => secretKeys,
    createKey: (made) => addKey(made, randomEncodedKey()),
    createSecret(made) {
      for (const secret of living(secretKeys, made.consumer)) kill(secret, 0);
      return addSecret(made);
    },
    rotate(old, used, made) {
      const nowMs = clock.now();
      for (const secret of living(secretKeys, made.consumer)) {
        secret.rotatedAtMs ??= nowMs;
        dieAt(secret, nowMs + (secret === used ? (rules.secretLifeAfterUseMs ?? rules.graceMs) : rules.graceMs));
      }
      old.rotatedAtMs ??= nowMs;
      dieAt(old, nowMs + rules.graceMs);
      return [addKey(made, rules.rotationKeepsId ? old.id : randomEncodedKey()), addSecret(made)];
    },
    deleteKey(keyId, consumer) {
      const named = apiKeys.filter((key) => key.id === keyId && (consumer ?? key.consumer) === key.consumer);
      const found = named.filter((key) => living([key], key.consumer).length > 0);
      for (const key of found) kill(key, rules.deletedKeyAcceptedMs);
      return found;
    },
    killAll(consumer) {
      for (const key of living(apiKeys, consumer)) kill(key, rules.deletedKeyAcceptedMs);
      for (const secret of living(secretKeys, consumer)) kill(secret, 0);
    },
  };
}
