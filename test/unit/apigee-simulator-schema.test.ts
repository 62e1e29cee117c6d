import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type ApigeeSimulator, startApigeeSimulator } from '../../src/simulators/apigee/index.js';
import { noReference, referenceFile } from '../support/reference.js';
import { act, call, create } from './apigee-simulator-caller.js';

/** Google's discovery document. */
const file = referenceFile('apigee-v1-discovery-slice.json');

interface Shape {
  type?: string | undefined;
  format?: string | undefined;
  $ref?: string | undefined;
  items?: Shape | undefined;
  properties?: Record<string, Shape> | undefined;
}
const shape: z.ZodType<Shape> = z.lazy(() =>
  z.object({
    type: z.string().optional(),
    format: z.string().optional(),
    $ref: z.string().optional(),
    items: shape.optional(),
    properties: z.record(z.string(), shape).optional(),
  }),
);
const document = z.object({ schemas: z.record(z.string(), shape) });
const { schemas } = file !== null ? document.parse(JSON.parse(readFileSync(file, 'utf8'))) : { schemas: {} };

/** What is wrong with a value, by path; an unknown name and an empty list are wrong too. */
function wrongs(value: unknown, { $ref, type, format, items, properties }: Shape, path: string): string[] {
  if ($ref !== undefined) return wrongs(value, schemas[$ref] ?? {}, path);
  switch (type) {
    case 'string': {
      const isRight = typeof value === 'string' && value !== '' && (format !== 'int64' || /^-?\d+$/.test(value));
      return isRight ? [] : [path];
    }
    case 'array':
      if (!Array.isArray(value) || value.length === 0) return [path];
      return value.flatMap((one, index) => wrongs(one, items ?? {}, `${path}[${index}]`));
    case 'object':
      if (typeof value !== 'object' || value === null) return [path];
      return Object.entries(value).flatMap(([name, one]) => {
        const known = properties?.[name];
        return known === undefined ? [`${path}.${name}`] : wrongs(one, known, `${path}.${name}`);
      });
    case 'any':
      return [];
    default:
      return [`${path}: no schema`];
  }
}

const wrongIn = (body: unknown, schema: string): string[] =>
  wrongs(body, { $ref: `GoogleCloudApigeeV1${schema}` }, '$');

describe('answers of the X dialect fit the discovery document', () => {
  let simulator: ApigeeSimulator;
  beforeEach((context) => {
    if (file === null) context.skip(noReference);
  });
  afterEach(async () => {
    if (file !== null) await simulator.close();
  });

  describe('of a developer app', () => {
    beforeEach(async () => {
      simulator = await startApigeeSimulator({
        rules: { appFamilyOnX: true },
        seed: { attributes: [{ name: 'a', value: '1' }], expiresInSeconds: 60 },
      });
    });

    it('app, by name, by id, and after each update', async () => {
      const { body } = await call(simulator, 'GET', '');
      expect(wrongIn(body, 'DeveloperApp')).toEqual([]);
      const { appId } = z.object({ appId: z.string() }).parse(body);
      expect(wrongIn((await call(simulator, 'GET', `/organizations/acme/apps/${appId}`)).body, 'App')).toEqual([]);
      for (const method of ['POST', 'PUT']) {
        const answer = await call(simulator, method, '', {
          body: { apiProducts: ['orders'], callbackUrl: 'https://x' },
        });
        expect(answer.status).toBe(200);
        expect(wrongIn(answer.body, 'DeveloperApp')).toEqual([]);
      }
    });

    it('key, at create, get, update, product removal and deletion', async () => {
      const answers = [
        await create(simulator, 'NEW1', { expiresInSeconds: 5 }),
        await call(simulator, 'POST', 'keys/NEW1', { body: { apiProducts: ['orders'], scopes: ['orders.read'] } }),
        await call(simulator, 'PUT', 'keys/NEW1', { body: { scopes: ['orders.write'] } }),
        await call(simulator, 'GET', `keys/${simulator.seeded.consumerKey}`),
        await call(simulator, 'DELETE', 'keys/NEW1/apiproducts/orders'),
        await call(simulator, 'DELETE', `keys/${simulator.seeded.consumerKey}`),
      ];
      expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
      for (const { body } of answers) expect(wrongIn(body, 'DeveloperAppKey')).toEqual([]);
    });

    it('developer and product', async () => {
      const organization = '/organizations/acme';
      const developer = await call(simulator, 'GET', `${organization}/developers/dev@example.com`);
      expect(wrongIn(developer.body, 'Developer')).toEqual([]);
      const product = await call(simulator, 'GET', `${organization}/apiproducts/orders`);
      expect(wrongIn(product.body, 'ApiProduct')).toEqual([]);
      const approved = await act(simulator, `keys/${simulator.seeded.consumerKey}/apiproducts/orders`, 'approve');
      expect(approved.body).toEqual({});
    });
  });

  it('of an AppGroup app and its keys', async () => {
    simulator = await startApigeeSimulator({ seed: { appGroup: 'partners' } });
    expect(wrongIn((await call(simulator, 'GET', '')).body, 'AppGroupApp')).toEqual([]);
    const made = await call(simulator, 'POST', 'keys', { body: { consumerKey: 'N', consumerSecret: 's' } });
    expect(wrongIn(made.body, 'AppGroupAppKey')).toEqual([]);
    const body = { apiProducts: ['orders'], appGroupAppKey: { attributes: [{ name: 'a', value: 'b' }] } };
    expect(wrongIn((await call(simulator, 'POST', 'keys/N', { body })).body, 'AppGroupAppKey')).toEqual([]);
  });
});
