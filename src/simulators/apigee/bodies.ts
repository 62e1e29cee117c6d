import type { App, Developer, Key, Product } from './organization.js';
import type { ApigeeRules, Dialect } from './rules.js';

/** A key as keys.create, keys.get and the credentials of an app show it, secret included. */
export function keyBody(key: Key) {
  const { products, attributes, consumerKey, consumerSecret, scopes, status } = key;
  return {
    apiProducts: products.map(({ apiproduct, status: association }) => ({ apiproduct, status: association })),
    attributes,
    consumerKey,
    consumerSecret,
    expiresAt: key.expiresAtMs ?? -1,
    issuedAt: key.issuedAtMs,
    scopes,
    status,
  };
}

/** Edge's answer to a create has no `expiresAt`. */
export function createdKeyBody(key: Key, dialect: Dialect) {
  const { expiresAt, ...body } = keyBody(key);
  return dialect === 'edge' ? body : { ...body, expiresAt };
}

export function appBody(
  app: App,
  { dialect, appFamilyOnX }: Pick<ApigeeRules, 'dialect' | 'appFamilyOnX'>,
  developerId: string | undefined,
) {
  const { appId, attributes, callbackUrl, name, status, owner, keys } = app;
  const common = {
    appId,
    attributes,
    callbackUrl,
    createdAt: app.createdAtMs,
    credentials: keys.map(keyBody),
    lastModifiedAt: app.lastModifiedAtMs,
    name,
    scopes: [],
    status,
  };
  if (owner.kind === 'appgroup') return { ...common, appGroup: owner.name };
  const ofDeveloper = { ...common, developerId };
  if (dialect === 'x') return appFamilyOnX ? { ...ofDeveloper, appFamily: 'default' } : ofDeveloper;
  return { ...ofDeveloper, appFamily: 'default', createdBy: 'admin@example.com', lastModifiedBy: 'admin@example.com' };
}

export const developerBody = (
  { email, developerId, status }: Developer,
  apps: readonly App[],
  organization: string,
) => ({
  apps: apps.filter(({ owner }) => owner.kind === 'developer' && owner.name === email).map(({ name }) => name),
  attributes: [],
  developerId,
  email,
  firstName: 'Dev',
  lastName: 'Eloper',
  organizationName: organization,
  status,
  userName: email,
});

export const productBody = ({ name, approvalType, scopes, proxies, environments, paths }: Product) => ({
  apiResources: paths,
  approvalType,
  attributes: [],
  displayName: name,
  environments,
  name,
  proxies,
  scopes,
});
