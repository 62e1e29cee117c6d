import { type Answer, noContent } from '../shared/answer.js';
import { json } from './answers.js';
import { createdKeyBody, keyBody } from './bodies.js';
import { actionOf, appOf, bothDialects, commit, type Exchange, jsonBody, keyOf, type Route } from './exchange.js';
import { attributes, keyText, lifetime, requireProducts, requireScopes, texts } from './fields.js';
import { mintedKey, requireRoom } from './mint.js';
import { associated, findKey, type Key, withApp, withKey, withoutKey } from './organization.js';
import { refusals } from './refusals.js';

export const DEVELOPER_APP = '/organizations/{org}/developers/{developer}/apps/{app}';
export const GROUP_APP = '/organizations/{org}/appgroups/{group}/apps/{app}';

export const keyFields = [
  ...['apiProducts', 'attributes', 'consumerKey', 'consumerSecret', 'expiresAt', 'expiresInSeconds'],
  ...['issuedAt', 'scopes', 'status'],
];

/**
 * keys.create: makes no association even when products are sent, and the key is approved even when `revoked` is sent.
 * On Edge a supplied key cannot expire.
 */
function create(exchange: Exchange): Answer {
  const { world, dialect, entry } = exchange;
  const app = appOf(exchange).now;
  const body = jsonBody(exchange, keyFields);
  const consumerKey = keyText(exchange, body, 'consumerKey');
  const consumerSecret = keyText(exchange, body, 'consumerSecret');
  const lifeSeconds = dialect === 'x' ? lifetime(body, 'expiresInSeconds') : null;
  const scopes = texts(body, 'scopes') ?? [];
  requireScopes(exchange, scopes, []);
  if (findKey(world.ledger.latest(), consumerKey) !== undefined) throw refusals.keyExists(consumerKey);
  requireRoom(exchange, app);
  const key = mintedKey(world, {
    consumerKey,
    consumerSecret,
    lifeMs: lifeSeconds === null ? null : lifeSeconds * 1_000,
    attributes: attributes(body) ?? [],
    by: 'create',
    request: entry.n,
  });
  entry.serial = key.serial;
  commit(exchange, { kind: 'create-key', app, serials: [key.serial] }, (organization) =>
    withApp(organization, { ...app, keys: [...app.keys, key] }),
  );
  return json(dialect === 'x' ? 200 : 201, createdKeyBody(key, dialect), dialect);
}

function setStatus(exchange: Exchange, action: 'approve' | 'revoke'): Key {
  const { app, now } = keyOf(exchange);
  const key: Key = { ...now, status: action === 'approve' ? 'approved' : 'revoked' };
  commit(exchange, { kind: `${action}-key`, app, serials: [key.serial] }, (all) => withKey(all, app, key));
  return key;
}

/** Products are added, scopes and attributes replaced (updateDeveloperAppKey, updateAppGroupAppKey). */
function change(
  exchange: Exchange,
  {
    body,
    products,
    kind,
  }: { body: Record<string, unknown>; products: readonly string[]; kind: 'update-key' | 'replace-key' },
): Answer {
  const { world, dialect, view } = exchange;
  const { app, now } = keyOf(exchange);
  requireProducts(exchange, products);
  const wipes = world.rules.absentInUpdate === 'wipe';
  const all = associated(view, now.products, products);
  const scopes = texts(body, 'scopes') ?? (wipes ? [] : now.scopes);
  requireScopes(exchange, scopes, all);
  const wiped = wipes && kind === 'update-key' ? [] : now.attributes;
  const key: Key = { ...now, products: all, scopes, attributes: attributes(body) ?? wiped };
  commit(exchange, { kind, app, serials: [key.serial] }, (organization) => withKey(organization, app, key));
  return json(200, keyBody(key), dialect);
}

function updateOfDeveloperApp(exchange: Exchange): Answer {
  const action = actionOf(exchange);
  if (action !== undefined) {
    setStatus(exchange, action);
    return noContent;
  }
  keyOf(exchange);
  const body = jsonBody(exchange, keyFields);
  return change(exchange, { body, products: texts(body, 'apiProducts') ?? [], kind: 'update-key' });
}

/** Of an AppGroup app the action is in the body. */
function updateOfGroupApp(exchange: Exchange): Answer {
  const { world, query, dialect } = exchange;
  if (query.has('action')) {
    const action = world.rules.appGroupActionInQuery ? actionOf(exchange) : undefined;
    if (action === undefined) throw refusals.badInput('Invalid JSON payload received. Unknown name "action"');
    setStatus(exchange, action);
    return noContent;
  }
  keyOf(exchange);
  const body = jsonBody(exchange, ['action', 'apiProducts', 'appGroupAppKey']);
  const { action } = body;
  if (action === 'approve' || action === 'revoke') return json(200, keyBody(setStatus(exchange, action)), dialect);
  if (action !== undefined) throw refusals.badInput('Invalid action');
  const part = body['appGroupAppKey'] ?? {};
  const inner = jsonBody({ ...exchange, rawBody: Buffer.from(JSON.stringify(part)) }, keyFields);
  return change(exchange, { body: inner, products: texts(body, 'apiProducts') ?? [], kind: 'update-key' });
}

function remove(exchange: Exchange): Answer {
  const { app, now } = keyOf(exchange);
  commit(exchange, { kind: 'delete-key', app, serials: [now.serial] }, (all) => withoutKey(all, app, now));
  return json(200, keyBody(now), exchange.dialect);
}

const common = { dialects: bothDialects, permission: 'apigee.appkeys.manage' } as const;
const onlyX = { ...common, dialects: ['x'] } as const;

const shared = (base: string, dialects: Route['dialects']): readonly Route[] => [
  {
    method: 'POST',
    template: `${base}/keys`,
    dialects,
    permission: 'apigee.appkeys.create',
    handle: create,
  },
  {
    method: 'GET',
    template: `${base}/keys/{key}`,
    dialects,
    permission: 'apigee.appkeys.get',
    handle: (exchange) => json(200, keyBody(keyOf(exchange).seen), exchange.dialect),
  },
  {
    method: 'DELETE',
    template: `${base}/keys/{key}`,
    dialects,
    permission: 'apigee.appkeys.delete',
    handle: remove,
  },
];

/** There is no method that lists keys: the list is in the app. */
export const keyRoutes: readonly Route[] = [
  {
    method: 'POST',
    template: `${DEVELOPER_APP}/keys/create`,
    dialects: bothDialects,
    permission: 'apigee.appkeys.create',
    handle: create,
  },
  ...shared(DEVELOPER_APP, bothDialects),
  ...shared(GROUP_APP, ['x']),
  { ...common, method: 'POST', template: `${DEVELOPER_APP}/keys/{key}`, handle: updateOfDeveloperApp },
  {
    ...common,
    method: 'PUT',
    template: `${DEVELOPER_APP}/keys/{key}`,
    /** Documented for scopes only, and yet it adds products too: published clients depend on it. */
    handle(exchange) {
      keyOf(exchange);
      const body = jsonBody(exchange, keyFields);
      return change(exchange, { body, products: texts(body, 'apiProducts') ?? [], kind: 'replace-key' });
    },
  },
  { ...onlyX, method: 'POST', template: `${GROUP_APP}/keys/{key}`, handle: updateOfGroupApp },
];
