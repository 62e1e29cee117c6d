import { Secret } from '../../domain/secret.js';
import type { ProviderRequest } from '../provider.js';
import { accountOf, segment } from './account.js';
import type { Grants } from './keys.js';
import type { ApigeeSettings } from './settings.js';

/** A call of the management API, and the IAM permission that it takes (Google docs, per method). */
export interface Operation extends Omit<ProviderRequest, 'auth' | 'baseUrl'> {
  readonly permission: string;
}

/** Apigee X discovery document; `?action=` methods take this type and an empty body. */
const octets = { 'content-type': 'application/octet-stream' } as const;
const accept = { accept: 'application/json' } as const;

type Target = Pick<ProviderRequest, 'path' | 'route'>;

function appTarget(settings: ApigeeSettings): Target {
  const owner = settings.owner.kind === 'developer' ? 'developers/{developer}' : 'appgroups/{appGroup}';
  return { path: `/organizations/${accountOf(settings)}`, route: `/organizations/{org}/${owner}/apps/{app}` };
}

function keyTarget(settings: ApigeeSettings, consumerKey: string): Target {
  const { path, route } = appTarget(settings);
  return { path: `${path}/keys/${segment(consumerKey)}`, route: `${route}/keys/{key}` };
}

function productTarget(settings: ApigeeSettings, consumerKey: string, product: string): Target {
  const { path, route } = keyTarget(settings, consumerKey);
  return { path: `${path}/apiproducts/${segment(product)}`, route: `${route}/apiproducts/{product}` };
}

const withAction = ({ path, route }: Target, action: 'approve' | 'revoke'): Target => ({
  path: `${path}?action=${action}`,
  route: `${route}?action=${action}`,
});

const read = (target: Target, permission: string): Operation => ({
  ...target,
  method: 'GET',
  headers: accept,
  effect: 'read',
  permission,
});

const post = (target: Target, permission: string, body: Secret): Operation => ({
  ...target,
  method: 'POST',
  headers: { ...accept, 'content-type': 'application/json' },
  body,
  effect: 'write',
  permission,
});

const act = (target: Target, action: 'approve' | 'revoke'): Operation => ({
  ...withAction(target, action),
  method: 'POST',
  headers: { ...accept, ...octets },
  effect: 'write',
  permission: 'apigee.appkeys.manage',
});

const remove = (target: Target, permission: string): Operation => ({
  ...target,
  method: 'DELETE',
  headers: accept,
  effect: 'write',
  permission,
});

/** There is no method that lists keys: the list is in the app (discovery document). */
export function getApp(settings: ApigeeSettings): Operation {
  const resource = settings.owner.kind === 'developer' ? 'developerapps' : 'appgroupapps';
  return read(appTarget(settings), `apigee.${resource}.get`);
}

export const getKey = (settings: ApigeeSettings, consumerKey: string): Operation =>
  read(keyTarget(settings, consumerKey), 'apigee.appkeys.get');

/** keys.create: POST …/keys on X, …/keys/create on Edge, which documents no other. Products in the body would be ignored. */
export function createKey(settings: ApigeeSettings, body: Secret): Operation {
  const { path, route } = appTarget(settings);
  const suffix = settings.dialect === 'edge' ? '/keys/create' : '/keys';
  return post({ path: path + suffix, route: route + suffix }, 'apigee.appkeys.create', body);
}

/**
 * keys.updateDeveloperAppKey, always POST: products are added, scopes and attributes replaced. PUT is documented for scopes only. Of an
 * AppGroup's app, scopes and attributes stand one level deeper (updateAppGroupAppKey).
 */
export function updateKey(
  settings: ApigeeSettings,
  consumerKey: string,
  { products, scopes, attributes }: Grants,
): Operation {
  const own = { scopes, attributes };
  const part = settings.owner.kind === 'developer' ? own : { appGroupAppKey: own };
  const body = new Secret(JSON.stringify({ apiProducts: products, ...part }));
  return post(keyTarget(settings, consumerKey), 'apigee.appkeys.manage', body);
}

/** `?action=` on the key, which of an AppGroup's app stands in the body (updateAppGroupAppKey). */
export function setKeyStatus(settings: ApigeeSettings, consumerKey: string, action: 'approve' | 'revoke'): Operation {
  const target = keyTarget(settings, consumerKey);
  if (settings.owner.kind === 'developer') return act(target, action);
  return post(target, 'apigee.appkeys.manage', new Secret(JSON.stringify({ action })));
}

export const approveProduct = (settings: ApigeeSettings, consumerKey: string, product: string): Operation =>
  act(productTarget(settings, consumerKey, product), 'approve');

export const removeProduct = (settings: ApigeeSettings, consumerKey: string, product: string): Operation =>
  remove(productTarget(settings, consumerKey, product), 'apigee.appkeys.manage');

export const deleteKey = (settings: ApigeeSettings, consumerKey: string): Operation =>
  remove(keyTarget(settings, consumerKey), 'apigee.appkeys.delete');
