import { generatedPair, mintedKey } from './mint.js';
import {
  type Approval,
  type Attribute,
  associated,
  findDeveloper,
  findKey,
  findProduct,
  type Association,
  type Key,
  type Organization,
  withApp,
  withKey,
  withoutKey,
} from './organization.js';
import { newApp, type SeedProduct } from './seed.js';
import type { World } from './world.js';

export interface KeyPair {
  consumerKey: string;
  consumerSecret: string;
}

/**
 * What somebody else does in the meantime: in Google's console, or with another tool. Apps are named by name, keys by their
 * value. Every action throws an Error for a name that does not exist.
 */
export interface AdminActions {
  /** Another app of the seeded developer, with one key of these products. */
  addApp(name: string, products: readonly string[]): KeyPair;
  addKey(app: string, products: readonly string[], pair?: KeyPair): KeyPair;
  deleteKey(consumerKey: string): void;
  setKeyStatus(consumerKey: string, status: Approval): void;
  setProductStatus(consumerKey: string, product: string, status: Association['status']): void;
  setKeyScopes(consumerKey: string, scopes: readonly string[]): void;
  setKeyAttributes(consumerKey: string, attributes: readonly Attribute[]): void;
  setAppStatus(app: string, status: Approval): void;
  setDeveloperStatus(email: string, status: 'active' | 'inactive'): void;
  /** A new product, or another definition of one. */
  setProduct(product: SeedProduct): void;
  /** IAM permissions of the caller; null: all. */
  setPermissions(permissions: readonly string[] | null): void;
  /** A fresh access token of the management API. */
  issueToken(): string;
  /** Every access token issued so far is expired from now on. */
  expireTokens(): void;
}

export function createAdmin(world: () => World): AdminActions {
  const change = (next: (organization: Organization) => Organization): void => world().ledger.change(next);

  function appNamed(name: string) {
    const app = world()
      .ledger.latest()
      .apps.find((one) => one.name === name);
    if (app === undefined) throw new Error(`no app ${name}`);
    return app;
  }

  function editKey(consumerKey: string, edit: (key: Key) => Key): void {
    const found = findKey(world().ledger.latest(), consumerKey);
    if (found === undefined) throw new Error('no such consumer key');
    change((all) => withKey(all, found.app, edit(found.key)));
  }

  function minted(products: readonly string[], pair?: KeyPair): Key {
    const { ledger, rules } = world();
    const made = pair ?? generatedPair(rules.dialect);
    const associations = associated(ledger.latest(), [], products);
    return mintedKey(world(), { ...made, lifeMs: null, products: associations, by: 'ui', request: null });
  }

  const pairOf = ({ consumerKey, consumerSecret }: Key): KeyPair => ({ consumerKey, consumerSecret });

  return {
    addApp(name, products) {
      const key = minted(products);
      const [developer] = world().ledger.latest().developers;
      const owner = { kind: 'developer', name: developer?.email ?? '' } as const;
      const app = newApp(name, { owner, nowMs: world().clock.now(), keys: [key] });
      change((all) => ({ ...all, apps: [...all.apps, app] }));
      return pairOf(key);
    },
    addKey(name, products, pair) {
      const app = appNamed(name);
      const key = minted(products, pair);
      change((all) => withApp(all, { ...app, keys: [...app.keys, key] }));
      return pairOf(key);
    },
    deleteKey(consumerKey) {
      const found = findKey(world().ledger.latest(), consumerKey);
      if (found === undefined) throw new Error('no such consumer key');
      change((all) => withoutKey(all, found.app, found.key));
    },
    setKeyStatus: (consumerKey, status) => editKey(consumerKey, (key) => ({ ...key, status })),
    setProductStatus: (consumerKey, apiproduct, status) =>
      editKey(consumerKey, (key) => ({
        ...key,
        products: key.products.map((one) => (one.apiproduct === apiproduct ? { apiproduct, status } : one)),
      })),
    setKeyScopes: (consumerKey, scopes) => editKey(consumerKey, (key) => ({ ...key, scopes })),
    setKeyAttributes: (consumerKey, attributes) => editKey(consumerKey, (key) => ({ ...key, attributes })),
    setAppStatus(name, status) {
      const app = appNamed(name);
      change((all) => withApp(all, { ...app, status }));
    },
    setDeveloperStatus(email, status) {
      if (findDeveloper(world().ledger.latest(), email) === undefined) throw new Error(`no developer ${email}`);
      change((all) => ({
        ...all,
        developers: all.developers.map((one) => (one.email === email ? { ...one, status } : one)),
      }));
    },
    setProduct(seed) {
      const nothing = { approvalType: 'auto', scopes: [], proxies: [], environments: [], paths: [] } as const;
      change((all) => ({
        ...all,
        products: [
          ...all.products.filter(({ name }) => name !== seed.name),
          { ...nothing, ...findProduct(all, seed.name), ...seed },
        ],
      }));
    },
    setPermissions(permissions) {
      world().permissions = permissions;
    },
    issueToken: () => world().tokens.issue().accessToken,
    expireTokens: () => world().tokens.expireAll(),
  };
}
