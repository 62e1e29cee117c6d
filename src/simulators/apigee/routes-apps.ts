import { type Answer, noContent } from '../shared/answer.js';
import { json } from './answers.js';
import { appBody, developerBody, productBody } from './bodies.js';
import { actionOf, appOf, bothDialects, commit, type Exchange, jsonBody, type Route } from './exchange.js';
import { attributes, lifetime, requireProducts, requireScopes, texts } from './fields.js';
import { generatedPair, mintedKey, requireRoom } from './mint.js';
import { type App, associated, findDeveloper, findProduct, type Key, withApp } from './organization.js';
import { refusals } from './refusals.js';
import { DEVELOPER_APP, GROUP_APP } from './routes-keys.js';

const appFields = [
  ...['apiProducts', 'appFamily', 'appGroup', 'appId', 'attributes', 'callbackUrl', 'createdAt', 'credentials'],
  ...['developerId', 'keyExpiresIn', 'lastModifiedAt', 'name', 'scopes', 'status'],
];

function shown({ world, dialect, view }: Exchange, app: App): Answer {
  const developerId = findDeveloper(view, app.owner.name)?.developerId;
  return json(200, appBody(app, world.rules, developerId), dialect);
}

/** A generated key beside those of the app, with the products of the body. Not idempotent. */
function generated(exchange: Exchange, app: App, body: Record<string, unknown>): Key {
  const { world, dialect, entry, view } = exchange;
  const names = texts(body, 'apiProducts') ?? [];
  requireProducts(exchange, names);
  const products = associated(view, [], names);
  const scopes = texts(body, 'scopes') ?? [];
  requireScopes(exchange, scopes, products);
  requireRoom(exchange, app);
  const life = lifetime(body, 'keyExpiresIn');
  // keyExpiresIn is milliseconds of a developer app and seconds of an AppGroup app (discovery document).
  const lifeMs = life === null ? null : life * (app.owner.kind === 'appgroup' ? 1_000 : 1);
  return mintedKey(world, {
    ...generatedPair(dialect),
    lifeMs,
    products,
    scopes,
    by: 'generate',
    request: entry.n,
  });
}

/** Attributes and callback URL that the body does not name are gone. */
function replaced(exchange: Exchange, mints: (body: Record<string, unknown>) => boolean): Answer {
  const { world, entry } = exchange;
  const app = appOf(exchange).now;
  const body = jsonBody(exchange, appFields);
  const key = mints(body) ? generated(exchange, app, body) : null;
  const changed: App = {
    ...app,
    attributes: attributes(body) ?? [],
    callbackUrl: typeof body['callbackUrl'] === 'string' ? body['callbackUrl'] : '',
    lastModifiedAtMs: world.clock.now(),
    keys: key === null ? app.keys : [...app.keys, key],
  };
  if (key !== null) entry.serial = key.serial;
  const write = {
    kind: key === null ? 'update-app' : 'generate-key',
    app,
    serials: key === null ? [] : [key.serial],
  } as const;
  commit(exchange, { ...write, serials: [...write.serials] }, (all) => withApp(all, changed));
  return shown(exchange, changed);
}

function setStatus(exchange: Exchange, action: 'approve' | 'revoke'): Answer {
  const app = appOf(exchange).now;
  const status = action === 'approve' ? 'approved' : 'revoked';
  commit(exchange, { kind: `${action}-app`, app, serials: [] }, (all) => withApp(all, { ...app, status }));
  return noContent;
}

const namesProducts = (body: Record<string, unknown>): boolean => (texts(body, 'apiProducts') ?? []).length > 0;

const appGet = (template: string, permission: string, dialects: Route['dialects']): Route => ({
  method: 'GET',
  template,
  dialects,
  permission,
  handle: (exchange) => shown(exchange, appOf(exchange).seen),
});

export const appRoutes: readonly Route[] = [
  appGet(DEVELOPER_APP, 'apigee.developerapps.get', bothDialects),
  appGet(GROUP_APP, 'apigee.appgroupapps.get', ['x']),
  {
    method: 'POST',
    template: DEVELOPER_APP,
    dialects: bothDialects,
    permission: 'apigee.developerapps.manage',
    handle(exchange) {
      const action = actionOf(exchange);
      return action === undefined ? replaced(exchange, () => true) : setStatus(exchange, action);
    },
  },
  {
    method: 'PUT',
    template: DEVELOPER_APP,
    dialects: bothDialects,
    permission: 'apigee.developerapps.update',
    handle: (exchange) => replaced(exchange, namesProducts),
  },
  {
    method: 'PUT',
    template: GROUP_APP,
    dialects: ['x'],
    permission: 'apigee.appgroupapps.update',
    handle(exchange) {
      const action = actionOf(exchange);
      return action === undefined ? replaced(exchange, namesProducts) : setStatus(exchange, action);
    },
  },
  {
    method: 'GET',
    template: '/organizations/{org}/apps/{appId}',
    dialects: bothDialects,
    permission: 'apigee.apps.get',
    handle(exchange) {
      const appId = exchange.params['appId'] ?? '';
      const app = exchange.view.apps.find((one) => one.appId === appId);
      if (app === undefined) throw refusals.noApp(appId, exchange.view.name);
      const developerId = findDeveloper(exchange.view, app.owner.name)?.developerId;
      const { rules } = exchange.world;
      return json(200, { ...appBody(app, rules, developerId), appFamily: undefined }, rules.dialect);
    },
  },
  {
    method: 'GET',
    template: '/organizations/{org}/developers/{developer}',
    dialects: bothDialects,
    permission: 'apigee.developers.get',
    handle({ view, params, dialect }) {
      const which = params['developer'] ?? '';
      const developer = findDeveloper(view, which);
      if (developer === undefined) throw refusals.noDeveloper(which, view.name);
      return json(200, developerBody(developer, view.apps, view.name), dialect);
    },
  },
  {
    method: 'GET',
    template: '/organizations/{org}/apiproducts/{product}',
    dialects: bothDialects,
    permission: 'apigee.apiproducts.get',
    handle({ view, params, dialect, world }) {
      const name = params['product'] ?? '';
      const product = findProduct(view, name);
      if (product === undefined) throw refusals.noProduct(name, { ...world.rules, unknownProductStatus: 404 });
      return json(200, productBody(product), dialect);
    },
  },
];
