import { randomEncodedKey } from './random.js';

/** The four permissions of Mambu's rotation recipe. */
export const keyPermissions = [
  'VIEW_API_CONSUMERS_AND_KEYS',
  'CREATE_API_CONSUMERS_AND_KEYS',
  'EDIT_API_CONSUMERS_AND_KEYS',
  'DELETE_API_CONSUMERS_AND_KEYS',
] as const;

/** What the simulated business paths ask for. */
export const businessPermissions = ['VIEW_BRANCH_DETAILS', 'VIEW_CLIENT_DETAILS', 'VIEW_LOAN_ACCOUNT_DETAILS'] as const;

export type Permission = (typeof keyPermissions)[number] | (typeof businessPermissions)[number];

export const allPermissions: readonly Permission[] = [...keyPermissions, ...businessPermissions];

/** An API consumer has two names, `id` and `encodedKey`; paths take either. */
export interface Consumer {
  readonly encodedKey: string;
  readonly id: string;
  readonly name: string;
  readonly createdAtMs: number;
  permissions: readonly string[];
  /** A consumer that has written something cannot be deleted over the API. */
  performedActivity: boolean;
}

/** A user who calls with Basic authentication. */
export interface User {
  readonly username: string;
  readonly password: string;
  readonly permissions: readonly string[];
}

export interface Directory {
  consumers(): readonly Consumer[];
  find(idOrEncodedKey: string): Consumer | undefined;
  add(consumer: Omit<Consumer, 'encodedKey'> & { encodedKey?: string }): Consumer;
  remove(consumer: Consumer): void;
  setUser(user: User): void;
  user(username: string): User | undefined;
}

export function createDirectory(): Directory {
  const byEncodedKey = new Map<string, Consumer>();
  const users = new Map<string, User>();
  return {
    consumers: () => [...byEncodedKey.values()],
    find: (name) => byEncodedKey.get(name) ?? [...byEncodedKey.values()].find(({ id }) => id === name),
    add(consumer) {
      const added: Consumer = { encodedKey: randomEncodedKey(), ...consumer };
      byEncodedKey.set(added.encodedKey, added);
      return added;
    },
    remove(consumer) {
      byEncodedKey.delete(consumer.encodedKey);
    },
    setUser(user) {
      users.set(user.username, user);
    },
    user: (username) => users.get(username),
  };
}
