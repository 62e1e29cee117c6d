import { afterEach, describe, expect, it } from 'vitest';
import {
  type ApigeeSimulator,
  type ApigeeSimulatorOptions,
  startApigeeSimulator,
} from '../../src/simulators/apigee/index.js';
import { call, create, probe } from './apigee-simulator-caller.js';

let simulator: ApigeeSimulator;
const start = async (options: ApigeeSimulatorOptions = {}) => {
  simulator = await startApigeeSimulator(options);
};
afterEach(() => simulator.close());

const edge = { rules: { dialect: 'edge' } } as const;
const get = (authorization: string) => call(simulator, 'GET', '', { headers: { authorization } });
const basic = () =>
  `Basic ${Buffer.from(`${simulator.seeded.username}:${simulator.seeded.password}`).toString('base64')}`;

async function token(form: Record<string, string>, authorization = 'Basic ZWRnZWNsaTplZGdlY2xpc2VjcmV0') {
  const response = await fetch(simulator.tokenUrl, {
    method: 'POST',
    headers: { authorization },
    body: new URLSearchParams(form),
  });
  const body = (await response.json()) as Record<string, unknown>;
  return { status: response.status, body };
}

describe('authentication', () => {
  it('on X takes a bearer token until it expires, and nothing else', async () => {
    await start();
    const bearer = `Bearer ${simulator.seeded.accessToken}`;
    expect([(await get(bearer)).status, (await get(basic())).status, (await get('')).status]).toEqual([200, 401, 401]);
    simulator.clock.advance(1_799_000);
    expect(await get(bearer)).toMatchObject({ status: 401, body: { error: { status: 'UNAUTHENTICATED' } } });
    expect(simulator.oracle().requests.at(-1)?.credential).toEqual({ kind: 'bearer', outcome: 'expired' });
    expect((await get(`Bearer ${simulator.issueToken()}`)).status).toBe(200);
    simulator.rules.auth = 'none';
    expect((await get('')).status).toBe(200);
  });

  it('on Edge takes Basic too, and the tokens of the password and refresh grants for expires_in', async () => {
    await start({ rules: { dialect: 'edge', tokenTtlSeconds: 60 } });
    const { username, password } = simulator.seeded;
    expect((await get(basic())).status).toBe(200);
    const first = await token({ grant_type: 'password', username, password });
    expect(first).toMatchObject({ status: 200, body: { expires_in: 60, token_type: 'bearer' } });
    expect((await get(`Bearer ${String(first.body['access_token'])}`)).status).toBe(200);
    simulator.clock.advance(60_000);
    expect((await get(`Bearer ${String(first.body['access_token'])}`)).status).toBe(401);
    const second = await token({ grant_type: 'refresh_token', refresh_token: String(first.body['refresh_token']) });
    expect((await get(`Bearer ${String(second.body['access_token'])}`)).status).toBe(200);
  });

  it('on Edge refuses a wrong password, a wrong client and another grant', async () => {
    await start(edge);
    const { username, password } = simulator.seeded;
    expect((await token({ grant_type: 'password', username, password: 'x' })).status).toBe(401);
    expect((await token({ grant_type: 'password', username, password }, 'Basic eDp5')).status).toBe(401);
    expect((await token({ grant_type: 'client_credentials' })).status).toBe(400);
  });
});

describe('the published rotation workflow', () => {
  it('runs call by call without a credential where the organization asks for none: all 200, one key of three replaced', async () => {
    await start({ rules: { auth: 'none' }, seed: { otherKeys: 2 } });
    const bare = { headers: { authorization: '' } };
    const { consumerKey } = simulator.seeded;
    const body = { consumerKey: 'NEW1', consumerSecret: 'sec' };
    const replies = [
      await call(simulator, 'GET', '', bare),
      await call(simulator, 'POST', 'keys', { ...bare, body }),
      await call(simulator, 'PUT', 'keys/NEW1', { ...bare, body: { apiProducts: ['orders'] } }),
      await call(simulator, 'DELETE', `keys/${consumerKey}`, bare),
    ];
    expect(replies.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    const { keys, now, acceptedAt } = simulator.oracle();
    expect(keys.map(({ serial }) => acceptedAt(serial, now))).toEqual([true, false, true, true]);
    expect([await probe(simulator, 'NEW1'), await probe(simulator, consumerKey)]).toEqual([
      'ok',
      'oauth.v2.InvalidApiKey',
    ]);
  });
});

describe('permission and quota', () => {
  it('a missing permission is 403 and is named with the resource', async () => {
    await start();
    simulator.setPermissions(['apigee.developerapps.get']);
    expect((await call(simulator, 'GET', '')).status).toBe(200);
    expect(await create(simulator, 'NEW1')).toMatchObject({
      status: 403,
      body: {
        error: { status: 'PERMISSION_DENIED', details: [{ metadata: { permission: 'apigee.appkeys.create' } }] },
      },
    });
    expect(simulator.oracle().writes).toEqual([]);
  });

  it('another organization is 403', async () => {
    await start();
    expect((await call(simulator, 'GET', '/organizations/other/apiproducts/orders')).status).toBe(403);
  });

  it.each([
    ['x', 429],
    ['edge', 403],
  ] as const)(
    'calls beyond the quota of a minute are refused on %s with %i, without effect',
    async (dialect, status) => {
      await start({ rules: { dialect, quotaPerMinute: 1, edgeQuotaStatus: 403, quotaRetryAfterSeconds: 7 } });
      simulator.clock.advance(60_000 - (simulator.clock.now() % 60_000));
      expect((await call(simulator, 'GET', '')).status).toBe(200);
      const refused = await create(simulator, 'NEW1');
      expect([refused.status, refused.headers.get('retry-after')]).toEqual([status, '7']);
      simulator.clock.advance(60_000);
      expect((await create(simulator, 'NEW1')).status).toBeLessThan(202);
    },
  );
});

describe('faults', () => {
  const createRoute = '/organizations/{org}/developers/{developer}/apps/{app}/keys/create';

  it('lose the answer of a create that happened, on the socket', async () => {
    await start();
    simulator.faults.add({ match: { method: 'POST', route: createRoute }, action: 'drop-after-commit' });
    await expect(create(simulator, 'NEW1')).rejects.toThrow();
    expect(simulator.oracle().requests.at(-1)).toMatchObject({ status: null, decided: 200, committed: true });
    expect((await create(simulator, 'NEW1')).status).toBe(409);
  });

  it('answer 429 with Retry-After before anything happens, and hit the runtime plane and the token endpoint by name', async () => {
    await start(edge);
    simulator.faults.add({
      match: { route: createRoute },
      action: 'fail-before',
      status: 429,
      headers: { 'retry-after': '3' },
    });
    const refused = await create(simulator, 'NEW1');
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '3']);
    expect(simulator.oracle().keys).toHaveLength(1);
    simulator.faults.add({ match: { route: '/{proxy}' }, action: 'status', status: 502, body: 'bad gateway' });
    simulator.faults.add({ match: { route: '/oauth/token' }, action: 'status', status: 503 });
    expect(await probe(simulator, simulator.seeded.consumerKey)).toBe('bad gateway');
    expect((await fetch(simulator.tokenUrl, { method: 'POST' })).status).toBe(503);
  });

  it('answer for another key, in the right shape', async () => {
    await start();
    simulator.faults.add({ match: {}, action: 'answer-for-another' });
    const { body } = await create(simulator, 'NEW1');
    expect(body).toMatchObject({ consumerKey: expect.stringMatching(/^\w{4}$/), consumerSecret: 'NEW1-secret' });
    expect(body).not.toMatchObject({ consumerKey: 'NEW1' });
  });
});

describe('the control API', () => {
  const control = (method: string, path: string, body?: object) =>
    fetch(simulator.controlUrl + path, { method, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });

  it('shows the oracle, turns knobs but not the dialect, moves the clock, acts, and resets', async () => {
    await start();
    expect((await control('PUT', '/rules', { keysPerApp: 1 })).status).toBe(200);
    expect((await create(simulator, 'NEW1')).status).toBe(400);
    expect((await control('PUT', '/rules', { dialect: 'edge' })).status).toBe(400);
    expect((await control('POST', '/admin/add-key', { app: 'orders-app', products: ['orders'] })).status).toBe(200);
    expect((await control('POST', '/clock', { advanceMs: 5 })).status).toBe(200);
    expect(((await (await control('GET', '/oracle')).json()) as { keys: unknown[] }).keys).toHaveLength(2);
    const before = simulator.seeded.consumerKey;
    expect((await control('POST', '/reset')).status).toBe(200);
    expect(simulator.seeded.consumerKey).not.toBe(before);
    expect(simulator.rules.keysPerApp).toBeNull();
  });
});
