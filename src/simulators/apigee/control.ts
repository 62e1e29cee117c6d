import { z } from 'zod';
import { actionsOf, type ControlAction, controlHandler } from '../shared/control.js';
import { describeApigeeForStdout } from './describe.js';
import { changeApigeeRules } from './rules.js';
import type { ApigeeSimulator } from './simulator.js';

const text = z.string().min(1);
const texts = z.array(text);
const approval = z.enum(['approved', 'revoked']);
const attributes = z.array(z.strictObject({ name: z.string(), value: z.string() }));
const product = z.strictObject({
  name: text,
  approvalType: z.enum(['auto', 'manual']).default('auto'),
  scopes: texts.default([]),
  proxies: texts.default([]),
  environments: texts.default([]),
  paths: texts.default([]),
});
const pair = z.strictObject({ consumerKey: text, consumerSecret: text });

const action = actionsOf<ApigeeSimulator>();

const ofKey = { consumerKey: text };

/** POST /admin/NAME with a JSON object: the actions of `AdminActions`. */
export const apigeeAdminActions: Readonly<Record<string, ControlAction<ApigeeSimulator>>> = {
  'add-app': action(z.strictObject({ name: text, products: texts }), (simulator, { name, products }) =>
    simulator.addApp(name, products),
  ),
  'add-key': action(z.strictObject({ app: text, products: texts, pair: pair.optional() }), (simulator, asked) =>
    simulator.addKey(asked.app, asked.products, asked.pair),
  ),
  'delete-key': action(z.strictObject(ofKey), (simulator, { consumerKey }) => simulator.deleteKey(consumerKey)),
  'set-key-status': action(z.strictObject({ ...ofKey, status: approval }), (simulator, { consumerKey, status }) =>
    simulator.setKeyStatus(consumerKey, status),
  ),
  'set-product-status': action(
    z.strictObject({ ...ofKey, product: text, status: z.enum(['approved', 'pending', 'revoked']) }),
    (simulator, asked) => simulator.setProductStatus(asked.consumerKey, asked.product, asked.status),
  ),
  'set-key-scopes': action(z.strictObject({ ...ofKey, scopes: texts }), (simulator, { consumerKey, scopes }) =>
    simulator.setKeyScopes(consumerKey, scopes),
  ),
  'set-key-attributes': action(z.strictObject({ ...ofKey, attributes }), (simulator, asked) =>
    simulator.setKeyAttributes(asked.consumerKey, asked.attributes),
  ),
  'set-app-status': action(z.strictObject({ app: text, status: approval }), (simulator, { app, status }) =>
    simulator.setAppStatus(app, status),
  ),
  'set-developer-status': action(
    z.strictObject({ email: text, status: z.enum(['active', 'inactive']) }),
    (simulator, { email, status }) => simulator.setDeveloperStatus(email, status),
  ),
  'set-product': action(product, (simulator, asked) => simulator.setProduct(asked)),
  'set-permissions': action(z.strictObject({ permissions: texts.nullable() }), (simulator, { permissions }) =>
    simulator.setPermissions(permissions),
  ),
  'issue-token': (simulator) => ({ accessToken: simulator.issueToken() }),
  'expire-tokens': (simulator) => simulator.expireTokens(),
};

export const apigeeControlHandler = (simulator: () => ApigeeSimulator) =>
  controlHandler({
    simulator,
    describe: describeApigeeForStdout,
    changeRules: ({ rules }, changes) => changeApigeeRules(rules, changes),
    adminActions: apigeeAdminActions,
  });
