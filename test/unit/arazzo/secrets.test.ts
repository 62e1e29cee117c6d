import { describe, expect, test } from 'vitest';
import type { Json, JsonObject } from '../../../src/arazzo/json.js';
import { prepare, type Prepared } from '../../../src/arazzo/prepare.js';
import { problemText } from '../../../src/arazzo/problems.js';
import { isMarkedSecret, responseSchemas } from '../../../src/arazzo/schema-marks.js';
import { endsInSecretName, hasSecretName, isSecretName, isSecretPathValue } from '../../../src/arazzo/secret-names.js';
import { secretInputs } from '../../../src/arazzo/secret-places.js';
import { holdsSecret, inputsToSeal } from '../../../src/arazzo/secret-values.js';
import { changed, read } from './documents.js';

const lockers = read('lockers.openapi.yaml');

function preparedOf(data: unknown, description: Json = lockers): Prepared {
  const { prepared, problems } = prepare(data, new Map([['lockers', description]]));
  if (prepared === undefined) throw new Error(problems.map(problemText).join('\n'));
  return prepared;
}

function secretsOf(data: unknown, id = 'change-code', description: Json = lockers): readonly string[] {
  const prepared = preparedOf(data, description);
  const workflow = prepared.document.workflows.find(({ workflowId }) => workflowId === id);
  if (workflow === undefined) throw new Error(`no workflow ${id}`);
  return [...secretInputs(prepared, workflow)].toSorted();
}

describe('names', () => {
  test.each([
    'newConsumerKey',
    'consumerSecret',
    'X-Api-Key',
    'secretKey',
    'access_token',
    'Password',
    'passwords',
    'token',
  ])('%s is the name of a secret', (name) => {
    expect(isSecretName(name)).toBe(true);
  });

  test.each(['keyId', 'appId', 'status', 'pageToken', 'secretary', 'tokens_used', 'key'])('%s is not', (name) => {
    expect(isSecretName(name)).toBe(false);
  });

  test('the id of an Apigee app’s key is the key', () => {
    expect(isSecretPathValue('/organizations/{o}/developers/{d}/apps/{a}/keys/{keyId}', 'keyId')).toBe(true);
    expect(isSecretPathValue('/organizations/{o}/developers/{d}/apps/{a}/keys/{keyId}', 'a')).toBe(false);
    expect(isSecretPathValue('/consumers/{id}/keys/{keyId}', 'keyId')).toBe(false);
    expect(isSecretPathValue('/x/{apiKey}', 'apiKey')).toBe(true);
  });

  test('a pointer ends in a name, indexes aside; a value has one at any depth', () => {
    expect(endsInSecretName(['credentials', '0', 'consumerKey'])).toBe(true);
    expect(endsInSecretName(['apiKeys', '0'])).toBe(true);
    expect(endsInSecretName(['consumerKey', 'status'])).toBe(false);
    expect(hasSecretName({ a: [{ b: { consumerSecret: 1 } }] })).toBe(true);
    expect(hasSecretName({ a: ['password'] })).toBe(false);
  });
});

describe('inputs that are secrets', () => {
  /** The fixture with inputs that nothing marks. */
  const unmarked = (change: Parameters<typeof changed>[0] = () => undefined) =>
    changed((d) => {
      Object.assign(d.components.inputs, {
        codes: {
          type: 'object',
          required: ['site', 'newCode', 'oldCode'],
          properties: {
            site: {},
            size: {},
            newCode: {},
            oldCode: {},
            ownPassword: {},
            login: { properties: { apiKey: {} } },
          },
        },
      });
      change(d);
    });

  test('by their own names, and those of their parts', () => {
    expect(secretsOf(unmarked())).toEqual(['login', 'ownPassword']);
  });

  test('by `format: password`, at any depth', () => {
    expect(secretsOf(changed(() => undefined))).toEqual(['newCode', 'oldCode']);
  });

  test.each<[string, Json]>([
    ['a field', { consumerSecret: '$inputs.newCode' }],
    ['a field within others', { list: [{ password: { value: ['{$inputs.newCode}!'] } }] }],
    ['text of JSON', '{"consumerSecret": "{$inputs.newCode}", "site": "{$inputs.site}"}'],
  ])('by their place in a body: %s', (_, payload) => {
    const data = unmarked((d) =>
      Object.assign(d.workflows.at(0).steps.at(0).requestBody, { payload, replacements: [] }),
    );
    expect(secretsOf(data)).toContain('newCode');
    expect(secretsOf(data)).not.toContain('site');
  });

  test('by the target of a replacement, and a parameter’s name', () => {
    const replaced = unmarked((d) =>
      Object.assign(d.workflows.at(0).steps.at(0).requestBody, {
        payload: { secret: 'x' },
        replacements: [{ target: '/secret', value: '$inputs.newCode' }],
      }),
    );
    expect(secretsOf(replaced)).toContain('newCode');
    const header = unmarked((d) =>
      d.workflows.at(0).steps.at(3).parameters.push({ name: 'x-api-key', in: 'header', value: '$inputs.oldCode' }),
    );
    expect(secretsOf(header)).toContain('oldCode');
  });

  test('by what the description says of a body', () => {
    const marked = JSON.parse(
      JSON.stringify(lockers).replace(
        '"schema":{"type":"object"}',
        '"schema":{"type":"object","properties":{"code":{"allOf":[{"format":"password"}]}}}',
      ),
    ) as Json;
    expect(marked).not.toEqual(lockers);
    expect(secretsOf(unmarked(), 'change-code', marked)).toEqual(['login', 'newCode', 'ownPassword']);
  });

  test('by what a workflow does with them that a step calls', () => {
    const data = unmarked((d) => {
      d.workflows.at(1).steps.at(0).parameters.push({ name: 'x-api-key', in: 'header', value: '$inputs.site' });
    });
    expect(secretsOf(data, 'look')).toEqual(['site']);
    expect(secretsOf(data)).toContain('site');
  });

  test('by being named, and by holding the value of another', () => {
    const prepared = preparedOf(changed(() => undefined));
    const [workflow] = prepared.document.workflows;
    if (workflow === undefined) throw new Error('no workflow');
    const inputs: JsonObject = { site: 'the s3cret-1 place', size: 'L', newCode: 's3cret-1', oldCode: 'b' };
    expect([...inputsToSeal(prepared, workflow, inputs)].toSorted()).toEqual(['newCode', 'oldCode', 'site']);
    expect([...inputsToSeal(prepared, workflow, { ...inputs, site: 'x' }, new Set(['size']))].toSorted()).toEqual([
      ...['newCode', 'oldCode', 'size'],
    ]);
  });
});

test.each<[string, Json, boolean]>([
  ['itself', 'top-secret', true],
  ['in a text', 'a top-secret b', true],
  ['deep', { a: [{ b: 'xtop-secret' }] }, true],
  ['as a key', { 'top-secret': 1 }, true],
  ['in a URL', 'https://x/top-secret?q', true],
  ['in Basic', `Basic ${Buffer.from('user:top-secret').toString('base64')}`, true],
  ['not at all', { a: 'secret-top' }, false],
])('a value holds a secret: %s', (_, value, expected) => {
  expect(holdsSecret(value, ['top-secret'])).toBe(expected);
});

test('a secret with signs is found percent-encoded; a short one only as a whole', () => {
  expect(holdsSecret('/keys/a%2Fb%20c', ['a/b c'])).toBe(true);
  expect(holdsSecret('abc', ['b'])).toBe(false);
  expect(holdsSecret(['b'], ['b'])).toBe(true);
});

test('what a description marks in an answer is a secret: at the place, within it and around it', () => {
  const description = {
    openapi: '3.1.0',
    components: {
      schemas: {
        Key: { properties: { value: { format: 'password' }, self: { $ref: '#/components/schemas/Key' }, name: {} } },
      },
    },
  };
  const content = { 'application/json': { schema: { type: 'array', items: { $ref: '#/components/schemas/Key' } } } };
  const [schema] = responseSchemas(description, { responses: { '200': { content } } });
  const isMarked = (...pointer: string[]) => isMarkedSecret(description, schema, pointer);
  expect(isMarked('0', 'value')).toBe(true);
  expect(isMarked('0', 'self', 'self', 'value')).toBe(true);
  expect(isMarked('0')).toBe(true);
  expect(isMarked()).toBe(true);
  expect(isMarked('0', 'value', 'deeper')).toBe(true);
  expect(isMarked('0', 'name')).toBe(false);
});
