import { z } from 'zod';
import { type ControlAction, controlHandler } from '../shared/control.js';
import { parseFaults } from '../shared/faults.js';
import { describeApigeeForStdout } from './describe.js';
import { changeRules } from './rules.js';
import type { ApigeeSimulator } from './simulator.js';

type Action = ControlAction<ApigeeSimulator>;

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

const action =
  <S extends z.ZodObject>(shape: S, run: (simulator: ApigeeSimulator, asked: z.output<S>) => unknown): Action =>
  (simulator, body) =>
    run(simulator, shape.parse(body));

const ofKey = { consumerKey: text };

/** POST /admin/NAME with a JSON object: the actions of `AdminActions`. */
const adminActions: Readonly<Record<string, Action>> = {
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

const endpoints: Readonly<Record<string, Action>> = {
  'GET /': (simulator) => describeApigeeForStdout(simulator),
  'GET /oracle': (simulator, _body, query) => simulator.oracle({ values: query.get('values') === '1' }),
  'POST /faults': (simulator, body) => {
    const faults = parseFaults(body);
    for (const fault of faults) simulator.faults.add(fault);
    return { added: faults.length };
  },
  'DELETE /faults': (simulator) => simulator.faults.clear(),
  'POST /clock': (simulator, body) => {
    simulator.clock.advance(z.strictObject({ advanceMs: z.number().min(0) }).parse(body).advanceMs);
    return { now: simulator.clock.now() };
  },
  'POST /reset': (simulator) => {
    simulator.reset();
    return describeApigeeForStdout(simulator);
  },
  'GET /rules': ({ rules }) => rules,
  'PUT /rules': ({ rules }, body) => changeRules(rules, body),
};

export const apigeeControlHandler = (simulator: () => ApigeeSimulator) =>
  controlHandler(simulator, endpoints, adminActions);
