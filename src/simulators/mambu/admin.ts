import { changeRules } from '../shared/rules.js';
import type { Consumer, User } from './consumers.js';
import { tenantRulesSchema } from './rules.js';
import { addConsumer, type SeedConsumer, type SeededConsumer, seedConsumer, type World } from './world.js';

/**
 * What an administrator of the tenant does in Mambu's UI, and no API call can do. Consumers are named by id or encoded
 * key. Every action throws an Error for a name that does not exist.
 */
export interface AdminActions {
  /** A new consumer with a key and a secret key. */
  addConsumer(seed: SeedConsumer): SeededConsumer;
  /** Also one that has performed activities; its keys are dead at once. */
  deleteConsumer(consumerId: string): void;
  setPermissions(consumerId: string, permissions: readonly string[]): void;
  createKey(consumerId: string, expirationTime?: number): { keyId: string; apiKey: string };
  deleteKey(keyId: string): void;
  /** A new secret key; the old ones are dead at once. */
  regenerateSecret(consumerId: string): { secretKey: string };
  setUser(user: User): void;
  unblockIp(): void;
  setGrace(graceMs: number): void;
  setAutomaticExpiry(seconds: number | null): void;
}

export function createAdmin(world: () => World): AdminActions {
  function named(consumerId: string): Consumer {
    const consumer = world().directory.find(consumerId);
    if (consumer === undefined) throw new Error(`no consumer ${consumerId}`);
    return consumer;
  }

  const turn = (changes: object) => changeRules(tenantRulesSchema, world().rules, changes);

  const byUi = (consumerId: string) => ({ consumer: named(consumerId), by: 'ui', request: null }) as const;

  return {
    addConsumer: (seed) => seedConsumer(world(), seed),
    deleteConsumer(consumerId) {
      const consumer = named(consumerId);
      world().ring.killAll(consumer);
      world().directory.remove(consumer);
    },
    setPermissions(consumerId, permissions) {
      named(consumerId).permissions = [...permissions];
    },
    createKey(consumerId, expirationTime) {
      const made = { ...byUi(consumerId), expirationSeconds: expirationTime ?? null };
      const { id, value } = world().ring.createKey(made);
      return { keyId: id, apiKey: value };
    },
    deleteKey(keyId) {
      if (world().ring.deleteKey(keyId).length === 0) throw new Error(`no living key ${keyId}`);
    },
    regenerateSecret: (consumerId) => ({ secretKey: world().ring.createSecret(byUi(consumerId)).value }),
    setUser: (user) => world().directory.setUser(user),
    unblockIp: () => world().strikes.unblock(),
    setGrace(graceMs) {
      turn({ graceMs });
    },
    setAutomaticExpiry(seconds) {
      turn({ automaticExpirySeconds: seconds });
    },
  };
}

/** Copies the consumers of one tenant into another, as Mambu's clone of production into a sandbox does: without keys. */
export function copyConsumers(from: World, to: World): void {
  for (const { id, name, permissions, encodedKey } of from.directory.consumers()) {
    if (from.rules.cloneKeepsConsumerIds) addConsumer(to, { id, name, permissions }, encodedKey);
    else addConsumer(to, { name, permissions });
  }
}
