import { randomUUID } from 'node:crypto';

export type Approval = 'approved' | 'revoked';

export interface Attribute {
  readonly name: string;
  readonly value: string;
}

export interface Association {
  readonly apiproduct: string;
  readonly status: Approval | 'pending';
}

/** One consumer key with its secret. Instants are virtual time in milliseconds. */
export interface Key {
  readonly serial: number;
  readonly consumerKey: string;
  readonly consumerSecret: string;
  readonly status: Approval;
  readonly products: readonly Association[];
  readonly scopes: readonly string[];
  readonly attributes: readonly Attribute[];
  readonly issuedAtMs: number;
  /** Null: never. Fixed at creation. */
  readonly expiresAtMs: number | null;
  readonly by: 'seed' | 'create' | 'generate' | 'ui';
  readonly createdByRequest: number | null;
}

export interface Owner {
  readonly kind: 'developer' | 'appgroup';
  /** E-mail of the developer, or name of the AppGroup. */
  readonly name: string;
}

export interface App {
  readonly appId: string;
  readonly name: string;
  readonly owner: Owner;
  readonly status: Approval;
  readonly attributes: readonly Attribute[];
  readonly callbackUrl: string;
  readonly createdAtMs: number;
  readonly lastModifiedAtMs: number;
  readonly keys: readonly Key[];
}

export interface Developer {
  readonly email: string;
  readonly developerId: string;
  readonly status: 'active' | 'inactive';
}

/** Empty lists of proxies, environments and paths mean all of them. */
export interface Product {
  readonly name: string;
  readonly approvalType: 'auto' | 'manual';
  readonly scopes: readonly string[];
  readonly proxies: readonly string[];
  readonly environments: readonly string[];
  readonly paths: readonly string[];
}

/** Everything that one organization holds at one instant; every write makes another one. */
export interface Organization {
  readonly name: string;
  readonly developers: readonly Developer[];
  readonly appGroups: readonly string[];
  readonly products: readonly Product[];
  readonly apps: readonly App[];
}

export const newId = (): string => randomUUID();

export const findApp = (organization: Organization, owner: Owner, name: string): App | undefined =>
  organization.apps.find((app) => app.owner.kind === owner.kind && app.owner.name === owner.name && app.name === name);

export const findProduct = (organization: Organization, name: string): Product | undefined =>
  organization.products.find((product) => product.name === name);

/** A developer by e-mail (in lower case, as Apigee keeps it) or by id. */
export const findDeveloper = (organization: Organization, which: string): Developer | undefined =>
  organization.developers.find(({ email, developerId }) => email === which || developerId === which);

/** A consumer key is unique in its organization. */
export function findKey(organization: Organization, consumerKey: string): { app: App; key: Key } | undefined {
  for (const app of organization.apps) {
    const key = app.keys.find((one) => one.consumerKey === consumerKey);
    if (key !== undefined) return { app, key };
  }
  return undefined;
}

export const withApp = (organization: Organization, changed: App): Organization => ({
  ...organization,
  apps: organization.apps.map((app) => (app.appId === changed.appId ? changed : app)),
});

export const withKey = (organization: Organization, app: App, changed: Key): Organization =>
  withApp(organization, { ...app, keys: app.keys.map((key) => (key.serial === changed.serial ? changed : key)) });

export const withoutKey = (organization: Organization, app: App, gone: Key): Organization =>
  withApp(organization, { ...app, keys: app.keys.filter((key) => key.serial !== gone.serial) });

/** Appends what is not associated yet; a product with manual approval starts as pending (ApiProduct.approvalType). */
export function associated(
  organization: Organization,
  before: readonly Association[],
  names: readonly string[],
): readonly Association[] {
  const added = [...new Set(names)].filter((name) => !before.some(({ apiproduct }) => apiproduct === name));
  return [
    ...before,
    ...added.map((apiproduct): Association => {
      const isManual = findProduct(organization, apiproduct)?.approvalType === 'manual';
      return { apiproduct, status: isManual ? 'pending' : 'approved' };
    }),
  ];
}
