import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type MambuSimulator, startMambuSimulator } from '../../src/simulators/mambu/index.js';
import { call, type CallOptions, field, refusedFor, rotate, rotated, seedOf } from './mambu-simulator-caller.js';

let simulator: MambuSimulator;
beforeEach(async () => {
  simulator = await startMambuSimulator();
});
afterEach(() => simulator.close());

const keyed = (method: string, path: string, options: CallOptions = {}) =>
  call(simulator, method, path, { ...options, headers: { apiKey: seedOf(simulator).apiKey, ...options.headers } });
const works = async (apiKey: string) =>
  (await call(simulator, 'GET', '/branches', { headers: { apiKey } })).status === 200;

describe('listing', () => {
  it('is at /consumers/{id}/keys by id or encoded key, and shows the full id and six characters', async () => {
    const { apiKey, keyId, encodedKey } = seedOf(simulator);
    const expected = [{ id: keyId, apiKey: apiKey.slice(0, 6) }];
    expect((await keyed('GET', '/consumers/rotator/keys')).body).toEqual(expected);
    expect((await keyed('GET', `/consumers/${encodedKey}/keys`)).body).toEqual(expected);
  });

  it('is not at /apikeys: 405 there, 404 for paths that do not exist', async () => {
    const wrong = await keyed('GET', '/consumers/rotator/apikeys');
    expect(wrong.status).toBe(405);
    expect(wrong.headers.get('allow')).toBe('POST');
    expect((await keyed('GET', '/nothing')).status).toBe(404);
    expect((await keyed('GET', '/consumers/rotator/apikeys/%E0%A4%A')).status).toBe(404);
  });

  it('answers 404 for an unknown consumer', async () => {
    expect(await keyed('GET', '/consumers/nobody/keys')).toMatchObject({
      status: 404,
      body: refusedFor('INVALID_API_CONSUMER_ID'),
    });
  });

  it('shows expirationTime as remaining or as original seconds, and only for a key that has one', async () => {
    const { id } = {
      id: field(await keyed('POST', '/consumers/rotator/apikeys', { body: { expirationTime: 100 } }), 'id'),
    };
    simulator.clock.advance(40_000);
    const listed = async () => {
      const { body } = await keyed('GET', '/consumers/rotator/keys');
      if (!Array.isArray(body)) throw new Error('no list');
      return body.find((key) => key.id === id)?.expirationTime;
    };
    expect(await listed()).toBeGreaterThan(50);
    expect(await listed()).toBeLessThanOrEqual(60);
    simulator.rules.listedExpiration = 'original';
    expect(await listed()).toBe(100);
    expect((await keyed('GET', '/consumers/rotator/keys')).body).toContainEqual({
      id: seedOf(simulator).keyId,
      apiKey: seedOf(simulator).apiKey.slice(0, 6),
    });
  });

  it('shows a rotated key in its grace or hides it, as the tenant says', async () => {
    const next = rotated(await rotate(simulator, seedOf(simulator)));
    const ids = async () => {
      const { body } = await keyed('GET', '/consumers/rotator/keys');
      return Array.isArray(body) ? body.map(({ id }) => id) : [];
    };
    expect(await ids()).toEqual([seedOf(simulator).keyId, next.keyId]);
    simulator.rules.listShowsGraceKeys = false;
    expect(await ids()).toEqual([next.keyId]);
  });

  it('can make prefixes collide', async () => {
    simulator.rules.sharedPrefix = 'SAME66';
    await keyed('POST', '/consumers/rotator/apikeys');
    await keyed('POST', '/consumers/rotator/apikeys');
    const { body } = await keyed('GET', '/consumers/rotator/keys');
    expect(body).toMatchObject([{}, { apiKey: 'SAME66' }, { apiKey: 'SAME66' }]);
  });
});

describe('creating a key', () => {
  it('answers 201 with the value in clear and an id; both keys work', async () => {
    const created = await keyed('POST', '/consumers/rotator/apikeys');
    expect(created.status).toBe(201);
    expect(Object.keys(created.body ?? {}).toSorted()).toEqual(['apiKey', 'id']);
    expect(await works(field(created, 'apiKey'))).toBe(true);
    expect(await works(seedOf(simulator).apiKey)).toBe(true);
  });

  it.each([-1, 100_000_001, 1.5, '60', true])('refuses expirationTime %s with 400', async (expirationTime) => {
    const reply = await keyed('POST', '/consumers/rotator/apikeys', { body: { expirationTime } });
    expect(reply).toMatchObject({ status: 400, body: { errors: [{ errorCode: 4, errorSource: 'expirationTime' }] } });
  });

  it('lets the key die after expirationTime, which a UI expiry does not override here', async () => {
    simulator.setAutomaticExpiry(5);
    const created = await keyed('POST', '/consumers/rotator/apikeys', { body: { expirationTime: 60 } });
    expect(created.body).toMatchObject({ expirationTime: 60 });
    simulator.clock.advance(59_000);
    expect(await works(field(created, 'apiKey'))).toBe(true);
    simulator.clock.advance(1_000);
    expect(await works(field(created, 'apiKey'))).toBe(false);
    expect(simulator.oracle().requests.at(-1)?.credential.outcome).toBe('expired');
  });

  it('takes expirationTime 0 as never, as already over, or not at all', async () => {
    const create = () => keyed('POST', '/consumers/rotator/apikeys', { body: { expirationTime: 0 } });
    expect((await create()).body).not.toHaveProperty('expirationTime');
    simulator.rules.zeroExpiration = 'immediately';
    expect(await works(field(await create(), 'apiKey'))).toBe(false);
    simulator.rules.zeroExpiration = 'reject';
    expect((await create()).status).toBe(400);
  });

  it('wants a JSON object with the JSON content type when there is a body', async () => {
    const path = '/consumers/rotator/apikeys';
    expect((await keyed('POST', path, { body: {}, headers: { 'content-type': 'text/plain' } })).status).toBe(400);
    expect((await keyed('POST', path, { rawBody: '{' })).body).toMatchObject({ errors: [{ errorCode: 26 }] });
    expect((await keyed('POST', path, { body: [] })).status).toBe(400);
    expect(
      (await keyed('POST', path, { body: {}, headers: { 'content-type': 'application/json; charset=utf-8' } })).status,
    ).toBe(201);
  });
});

describe('deleting a key', () => {
  it('is immediate, and 404 the second time and for a key of another consumer', async () => {
    const spare = await keyed('POST', '/consumers/rotator/apikeys');
    const foreign = simulator.addConsumer({ id: 'other' });
    const path = `/consumers/rotator/apikeys/${field(spare, 'id')}`;
    expect((await keyed('DELETE', path)).status).toBe(204);
    expect(await works(field(spare, 'apiKey'))).toBe(false);
    expect(await keyed('DELETE', path)).toMatchObject({ status: 404, body: refusedFor('INVALID_API_KEY_ID') });
    expect((await keyed('DELETE', `/consumers/rotator/apikeys/${foreign.keyId}`)).status).toBe(404);
    expect(await works(foreign.apiKey)).toBe(true);
  });
});

describe('secret keys', () => {
  it('are made without a body: any body is 400', async () => {
    expect((await keyed('POST', '/consumers/rotator/secretkeys', { body: {} })).status).toBe(400);
    const made = await keyed('POST', '/consumers/rotator/secretkeys');
    expect(made.status).toBe(201);
    expect(Object.keys(made.body ?? {})).toEqual(['secretKey']);
  });

  it('are one per consumer: a new one kills the old one at once', async () => {
    const secretKey = field(await keyed('POST', '/consumers/rotator/secretkeys'), 'secretKey');
    expect((await rotate(simulator, seedOf(simulator))).status).toBe(401);
    expect((await rotate(simulator, { ...seedOf(simulator), secretKey })).status).toBe(200);
  });

  it('made after a rotation kill the old one in its grace too', async () => {
    await rotate(simulator, seedOf(simulator));
    await keyed('POST', '/consumers/rotator/secretkeys');
    expect((await rotate(simulator, seedOf(simulator))).status).toBe(401);
  });
});

describe('consumers', () => {
  it('are listed in pages and shown by either name', async () => {
    simulator.addConsumer({ id: 'other' });
    const page = await keyed('GET', '/consumers?offset=1&limit=1&paginationDetails=ON');
    expect(page.body).toMatchObject([{ id: 'other' }]);
    expect(page.headers.get('items-total')).toBe('2');
    expect((await keyed('GET', '/consumers?limit=x')).status).toBe(400);
    const { encodedKey } = seedOf(simulator);
    expect((await keyed('GET', `/consumers/${encodedKey}`)).body).toMatchObject({ id: 'rotator', encodedKey });
  });

  it('are created with a name that is free', async () => {
    const body = { name: 'New', access: { permissions: ['VIEW_BRANCH_DETAILS'] } };
    expect(await keyed('POST', '/consumers', { body })).toMatchObject({ status: 201, body });
    expect(await keyed('POST', '/consumers', { body })).toMatchObject({
      status: 400,
      body: refusedFor('API_CONSUMER_ALREADY_EXISTS'),
    });
    expect((await keyed('POST', '/consumers', { body: {} })).status).toBe(400);
    expect((await keyed('POST', '/consumers', { body: { name: 'x', access: 1 } })).status).toBe(400);
  });

  it('cannot be deleted once they have written something; otherwise their keys die with them', async () => {
    const idle = simulator.addConsumer({ id: 'idle' });
    expect((await keyed('DELETE', '/consumers/idle')).status).toBe(204);
    expect(await works(idle.apiKey)).toBe(false);
    expect(await keyed('DELETE', '/consumers/rotator')).toMatchObject({
      status: 400,
      body: refusedFor('CANNOT_DELETE_API_CONSUMER_WITH_PERFORMED_ACTIVITIES'),
    });
  });
});

describe('the UI', () => {
  it('makes and deletes keys, regenerates secrets and deletes consumers', async () => {
    const made = simulator.createKey('rotator', 60);
    expect(await works(made.apiKey)).toBe(true);
    simulator.deleteKey(made.keyId);
    expect(await works(made.apiKey)).toBe(false);
    const { secretKey } = simulator.regenerateSecret('rotator');
    expect((await rotate(simulator, { ...seedOf(simulator), secretKey })).status).toBe(200);
    simulator.deleteConsumer('rotator');
    expect(await works(seedOf(simulator).apiKey)).toBe(false);
    expect(() => simulator.deleteConsumer('rotator')).toThrow('no consumer');
    expect(() => simulator.deleteKey(made.keyId)).toThrow('no living key');
    expect(() => simulator.addConsumer({ id: 'x' }) && simulator.addConsumer({ id: 'x' })).toThrow('already');
  });

  it('clones into a sandbox with the consumer ids and without any key', async () => {
    const sandbox = await simulator.cloneSandbox();
    expect(sandbox.oracle().keys).toEqual([]);
    const { apiKey } = sandbox.createKey('rotator');
    const reply = await call(sandbox, 'GET', '/consumers/rotator', { headers: { apiKey } });
    expect(reply.body).toMatchObject({ encodedKey: seedOf(simulator).encodedKey });
    expect((await call(sandbox, 'GET', '/branches', { headers: { apiKey: seedOf(simulator).apiKey } })).status).toBe(
      401,
    );
    simulator.rules.cloneKeepsConsumerIds = false;
    const renamed = await simulator.cloneSandbox();
    expect(() => renamed.createKey('rotator')).toThrow('no consumer');
  });
});

it('gives 404 INVALID_CLIENT_ID with code 301 for an unknown client', async () => {
  expect(await keyed('GET', '/clients/1')).toMatchObject({
    status: 404,
    body: { errors: [{ errorCode: 301, errorReason: 'INVALID_CLIENT_ID' }] },
  });
  expect((await keyed('GET', '/clients/916524076')).status).toBe(200);
});
