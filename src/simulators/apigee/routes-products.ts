import { noContent } from '../shared/answer.js';
import { json } from './answers.js';
import { keyBody } from './bodies.js';
import { actionOf, bothDialects, commit, type Exchange, keyOf, type Route } from './exchange.js';
import { type Association, type Key, withKey } from './organization.js';
import { refusals } from './refusals.js';
import { DEVELOPER_APP, GROUP_APP } from './routes-keys.js';

function productOf(exchange: Exchange, key: Key): Association {
  const name = exchange.params['product'] ?? '';
  const association = key.products.find(({ apiproduct }) => apiproduct === name);
  if (association === undefined) throw refusals.notAssociated(name);
  return association;
}

const ofProduct = (base: string, dialects: Route['dialects']): readonly Route[] => [
  {
    method: 'POST',
    template: `${base}/keys/{key}/apiproducts/{product}`,
    dialects,
    permission: 'apigee.appkeys.manage',
    handle(exchange) {
      const { world, dialect } = exchange;
      const action = actionOf(exchange);
      if (action === undefined) throw refusals.badInput('An action is required');
      const { app, now } = keyOf(exchange);
      const { apiproduct } = productOf(exchange, now);
      const status = action === 'approve' ? 'approved' : 'revoked';
      const products = now.products.map((one) =>
        one.apiproduct === apiproduct ? ({ apiproduct, status } as const) : one,
      );
      commit(exchange, { kind: `${action}-product`, app, serials: [now.serial] }, (organization) =>
        withKey(organization, app, { ...now, products }),
      );
      const { productActionAnswer: how } = world.rules;
      return how === '204' || (how === 'dialect' && dialect === 'edge') ? noContent : json(200, {}, dialect);
    },
  },
  {
    method: 'DELETE',
    template: `${base}/keys/{key}/apiproducts/{product}`,
    dialects,
    permission: 'apigee.appkeys.manage',
    handle(exchange) {
      const { app, now } = keyOf(exchange);
      const { apiproduct } = productOf(exchange, now);
      const key: Key = { ...now, products: now.products.filter((one) => one.apiproduct !== apiproduct) };
      commit(exchange, { kind: 'remove-product', app, serials: [now.serial] }, (all) => withKey(all, app, key));
      return json(200, keyBody(key), exchange.dialect);
    },
  },
];

export const keyProductRoutes: readonly Route[] = [
  ...ofProduct(DEVELOPER_APP, bothDialects),
  ...ofProduct(GROUP_APP, ['x']),
];
