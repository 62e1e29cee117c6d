import { randomBase62 } from '../shared/random.js';
import { generatedPair } from './mint.js';
import {
  type App,
  associated,
  type Attribute,
  type Key,
  newId,
  type Organization,
  type Owner,
  type Product,
} from './organization.js';
import type { Dialect } from './rules.js';
import type { MachineUser } from './tokens.js';
import type { Proxy } from './verify.js';

/** A product to start with; nothing named means everything, and automatic approval. */
export type SeedProduct = Pick<Product, 'name'> & Partial<Product>;

/** What the organization starts with. Everything has a default. */
export interface ApigeeSeed {
  organization?: string | undefined;
  /** E-mail, in lower case. */
  developer?: string | undefined;
  /** Puts the app into this AppGroup instead of under the developer; Apigee X only. */
  appGroup?: string | undefined;
  app?: string | undefined;
  /** Products of the organization; the key has all of them. */
  products?: readonly SeedProduct[] | undefined;
  /** Scopes and attributes of the key. */
  scopes?: readonly string[] | undefined;
  attributes?: readonly Attribute[] | undefined;
  expiresInSeconds?: number | undefined;
  /** Further credentials of the same app, before and after the seeded one. */
  otherKeys?: number | undefined;
  proxies?: readonly Proxy[] | undefined;
}

export interface SeededApp {
  readonly organization: string;
  readonly developer: string;
  readonly appGroup: string | null;
  readonly app: string;
  readonly products: readonly string[];
  readonly consumerKey: string;
  readonly consumerSecret: string;
  /** A bearer token of the management API. */
  readonly accessToken: string;
  /** The machine user of Basic and of the password grant. */
  readonly username: string;
  readonly password: string;
  /** A path of the runtime plane that the key opens. */
  readonly proxyPath: string;
}

const defaultProducts: readonly SeedProduct[] = [
  { name: 'orders', scopes: ['orders.read', 'orders.write'], proxies: ['orders'], environments: ['prod'] },
];
const defaultProxies: readonly Proxy[] = [{ name: 'orders', environment: 'prod', basePath: '/orders' }];

const productOf = (seed: SeedProduct): Product => ({
  approvalType: 'auto',
  scopes: [],
  proxies: [],
  environments: [],
  paths: [],
  ...seed,
});

export interface Seeded {
  readonly organization: Organization;
  readonly user: MachineUser;
  readonly proxies: readonly Proxy[];
  readonly app: Omit<SeededApp, 'accessToken'>;
}

export function seedOrganization(seed: ApigeeSeed, { dialect, nowMs }: { dialect: Dialect; nowMs: number }): Seeded {
  const { organization: name = 'acme', developer = 'dev@example.com', appGroup, app = 'orders-app' } = seed;
  const products = (seed.products ?? defaultProducts).map(productOf);
  const proxies = seed.proxies ?? defaultProxies;
  const owner: Owner =
    appGroup === undefined ? { kind: 'developer', name: developer } : { kind: 'appgroup', name: appGroup };
  const empty: Organization = {
    name,
    developers: [{ email: developer, developerId: newId(), status: 'active' }],
    appGroups: appGroup === undefined ? [] : [appGroup],
    products,
    apps: [],
  };
  const names = products.map((product) => product.name);
  const common = {
    status: 'approved',
    products: associated(empty, [], names).map(({ apiproduct }) => ({ apiproduct, status: 'approved' }) as const),
    scopes: seed.scopes ?? products.flatMap(({ scopes }) => scopes).slice(0, 1),
    attributes: seed.attributes ?? [],
    issuedAtMs: nowMs,
    expiresAtMs: seed.expiresInSeconds === undefined ? null : nowMs + seed.expiresInSeconds * 1_000,
    by: 'seed',
    createdByRequest: null,
  } as const;
  const others = seed.otherKeys ?? 0;
  const keys = Array.from({ length: others + 1 }, (_, index): Key => ({
    ...common,
    serial: index + 1,
    ...generatedPair(dialect),
  }));
  const main = keys[Math.floor(others / 2)];
  if (main === undefined) throw new RangeError('otherKeys is a whole number');
  const user = { username: 'machine@example.com', password: randomBase62(24) };
  const { consumerKey, consumerSecret } = main;
  return {
    organization: { ...empty, apps: [newApp(app, { owner, nowMs, keys })] },
    user,
    proxies,
    app: {
      organization: name,
      developer,
      appGroup: appGroup ?? null,
      app,
      products: names,
      consumerKey,
      consumerSecret,
      ...user,
      proxyPath: proxies[0]?.basePath ?? '/',
    },
  };
}

export const newApp = (
  name: string,
  { owner, nowMs, keys }: { owner: Owner; nowMs: number; keys: readonly Key[] },
): App => ({
  appId: newId(),
  name,
  owner,
  status: 'approved',
  attributes: [{ name: 'DisplayName', value: name }],
  callbackUrl: '',
  createdAtMs: nowMs,
  lastModifiedAtMs: nowMs,
  keys,
});
