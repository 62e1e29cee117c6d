import { z } from 'zod';
import { ProviderFailure } from '../domain/failure.js';
import type { Store } from '../stores/store.js';
import type { Lockout, LockoutScope } from './custody.js';
import { installations } from './installation.js';
import { admit, emptyAccount, forgive, prove, reset, strike, type Account } from './lockout-account.js';
import { lockoutName } from './names.js';
import { sealedObjects, type Change, type SealedObject } from './objects.js';
import { parseSealed } from './parse.js';
import type { SealingKeys } from './sealing.js';

export interface LockoutOptions {
  readonly store: Store;
  readonly keys: SealingKeys;
  readonly clock: { now(): number };
  /** Invalid-credential calls we may ever cause per tenant and egress. */
  readonly limit: number;
}

const reservations = z.array(z.strictObject({ fingerprint: z.string(), operationId: z.string(), atMs: z.number() }));

const accountSchema: z.ZodType<Account> = z.strictObject({
  used: z.int().nonnegative(),
  reservations,
  proven: z.array(z.string()),
  refused: z.array(z.string()),
  strikes: reservations,
  resets: z.array(z.strictObject({ atMs: z.number(), reason: z.string() })),
});

/** While the store cannot be written nothing is admitted. @throws from every method KeyturnError of the store's codes */
export function createLockout({ store, keys, clock, limit }: LockoutOptions): Lockout {
  const objects = sealedObjects(store, keys);
  const installation = installations(objects, clock);

  async function change(scope: LockoutScope, decide: (account: Account) => Account): Promise<void> {
    const key = { purpose: 'lockout', name: lockoutName(scope), store: (await installation.ensure()).id } as const;
    await objects.update(key, (current): Change<undefined> => {
      const before = current ? parse(current) : emptyAccount;
      const after = decide(before);
      if (after === before) return { unchanged: undefined };
      return { write: Buffer.from(JSON.stringify(after)), value: undefined };
    });
  }

  async function read(scope: LockoutScope): Promise<Account> {
    const home = await installation.find();
    const object = home && (await objects.read({ purpose: 'lockout', name: lockoutName(scope), store: home.id }));
    return object ? parse(object) : emptyAccount;
  }

  return {
    async view(scope) {
      const account = await read(scope);
      const { used, strikes, resets } = account;
      return { limit, used, reserved: account.reservations.length, strikes, resets, asOfMs: clock.now() };
    },
    async isProven(scope, fingerprint) {
      const { proven, refused } = await read(scope);
      return proven.includes(fingerprint) && !refused.includes(fingerprint);
    },
    admit: (scope, fingerprint, operationId) =>
      change(scope, (account) => {
        const admission = admit(account, limit, { fingerprint, operationId, atMs: clock.now() });
        if (admission.admitted) return admission.account;
        throw blocked(account, limit, fingerprint, admission.because);
      }),
    proved: (scope, fingerprint) => change(scope, (account) => prove(account, fingerprint)),
    struck: (scope, fingerprint, operationId, sentAtMs) =>
      change(scope, (account) => strike(account, { fingerprint, operationId, atMs: clock.now() }, sentAtMs)),
    forgive: (scope, fingerprint) => change(scope, (account) => forgive(account, fingerprint)),
    reset: (scope, reason) => change(scope, (account) => reset(account, reason, clock.now())),
  };
}

function blocked(
  account: Account,
  limit: number,
  fingerprint: string,
  because: 'refused-before' | 'spent',
): ProviderFailure {
  const why =
    because === 'refused-before'
      ? `the credential ${fingerprint} was refused before`
      : `the budget of ${limit} invalid-credential calls is spent (used ${account.used}, reserved ${account.reservations.length})`;
  const message = `nothing was sent: ${why}`;
  return new ProviderFailure({ class: 'blocked', code: 'KT-LOCKOUT-BUDGET', message, reason: because });
}

function parse(object: SealedObject): Account {
  return parseSealed(accountSchema, object.plaintext, 'the lockout account');
}
