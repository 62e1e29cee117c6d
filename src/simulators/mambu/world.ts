import type { VirtualClock } from '../shared/clock.js';
import { allPermissions, type Consumer, createDirectory, type Directory } from './consumers.js';
import { createIdempotencyMemory, type IdempotencyMemory } from './idempotency.js';
import { createKeyRing, type KeyRing } from './key-ring.js';
import { randomEncodedKey } from './random.js';
import { createRequestLog } from '../shared/request-log.js';
import type { TenantLog } from './request-log.js';
import type { TenantRules } from './rules.js';
import { createStrikes, type Strikes } from './strikes.js';

/** Everything one tenant remembers. A reset makes a new world. */
export interface World {
  readonly rules: TenantRules;
  readonly clock: VirtualClock;
  readonly directory: Directory;
  readonly ring: KeyRing;
  readonly idempotency: IdempotencyMemory;
  readonly strikes: Strikes;
  readonly log: TenantLog;
}

export function createWorld(rules: TenantRules, clock: VirtualClock): World {
  return {
    rules,
    clock,
    directory: createDirectory(),
    ring: createKeyRing(rules, clock),
    idempotency: createIdempotencyMemory(rules, clock),
    strikes: createStrikes(rules, clock),
    log: createRequestLog(clock),
  };
}

/** A consumer to start with. It gets one key and one secret key; all permissions unless some are named. */
export interface SeedConsumer {
  id?: string | undefined;
  name?: string | undefined;
  permissions?: readonly string[] | undefined;
  /** Life of its key in seconds. */
  expirationTime?: number | undefined;
}

export interface SeededConsumer {
  consumerId: string;
  encodedKey: string;
  keyId: string;
  apiKey: string;
  secretKey: string;
}

export function addConsumer(world: World, seed: SeedConsumer, encodedKey = randomEncodedKey()): Consumer {
  const id = seed.id ?? randomEncodedKey().slice(0, 8);
  if (world.directory.find(id) !== undefined) throw new Error(`there is a consumer ${id} already`);
  return world.directory.add({
    encodedKey,
    id,
    name: seed.name ?? id,
    permissions: seed.permissions ?? allPermissions,
    createdAtMs: world.clock.now(),
    performedActivity: false,
  });
}

export function seedConsumer(world: World, seed: SeedConsumer): SeededConsumer {
  const consumer = addConsumer(world, seed);
  const made = { consumer, by: 'seed', request: null } as const;
  const key = world.ring.createKey({ ...made, expirationSeconds: seed.expirationTime ?? null });
  const { value: secretKey } = world.ring.createSecret(made);
  return { consumerId: consumer.id, encodedKey: consumer.encodedKey, keyId: key.id, apiKey: key.value, secretKey };
}
