import { afterEach, describe, expect, it } from 'vitest';
import {
  type ApigeeSimulator,
  type ApigeeSimulatorOptions,
  startApigeeSimulator,
} from '../../src/simulators/apigee/index.js';
import { act, appPath, call, create } from './apigee-simulator-caller.js';

let simulator: ApigeeSimulator;
const start = async (options: ApigeeSimulatorOptions = {}) => {
  simulator = await startApigeeSimulator(options);
};
afterEach(() => simulator.close());

const kinds = () => simulator.oracle().writes.map(({ kind }) => kind);
const edge = { rules: { dialect: 'edge' } } as const;
const manual = { seed: { products: [{ name: 'p', approvalType: 'manual' }, { name: 'q' }] } } as const;

describe('a created key', () => {
  it('on X is 200 with int64 texts, without empty lists, approved and without products whatever was sent', async () => {
    await start();
    const { status, body } = await create(simulator, 'NEW1', { apiProducts: ['orders'], status: 'revoked' });
    expect(status).toBe(200);
    expect(body).toEqual({
      consumerKey: 'NEW1',
      consumerSecret: 'NEW1-secret',
      expiresAt: '-1',
      issuedAt: expect.stringMatching(/^\d{13}$/),
      status: 'approved',
    });
  });

  it('on Edge is 201 with numbers and empty lists, and no expiresAt', async () => {
    await start(edge);
    const { status, body } = await create(simulator, 'NEW1', { expiresInSeconds: 60 });
    expect(status).toBe(201);
    expect(body).toEqual({
      apiProducts: [],
      attributes: [],
      consumerKey: 'NEW1',
      consumerSecret: 'NEW1-secret',
      issuedAt: expect.any(Number),
      scopes: [],
      status: 'approved',
    });
    expect(await call(simulator, 'GET', 'keys/NEW1')).toMatchObject({ status: 200, body: { expiresAt: -1 } });
  });

  it('has both paths on X, and on Edge the bare one only behind a knob; keys cannot be listed', async () => {
    await start();
    const body = { consumerKey: 'A', consumerSecret: 's' };
    expect((await call(simulator, 'POST', 'keys', { body })).status).toBe(200);
    expect((await call(simulator, 'GET', 'keys')).status).toBe(404);
    await simulator.close();
    await start(edge);
    expect((await call(simulator, 'POST', 'keys', { body })).status).toBe(404);
    simulator.rules.edgeBareKeysCreate = true;
    expect((await call(simulator, 'POST', 'keys', { body })).status).toBe(201);
  });

  it.each([
    ['x', 409, { error: { code: 409, status: 'ABORTED', message: 'ConsumerKey already exists' } }],
    ['edge', 409, { code: 'keymanagement.service.ConsumerKeyAlreadyExists', contexts: [] }],
  ] as const)('on %s is refused when any app of the organization has it', async (dialect, status, body) => {
    await start({ rules: { dialect } });
    const { consumerKey } = simulator.addApp('other', ['orders']);
    expect(await create(simulator, consumerKey)).toMatchObject({ status, body });
    expect(kinds()).toEqual([]);
  });

  it('has letters, digits, hyphen and underscore, and at most 2 KB', async () => {
    await start();
    for (const wrong of ['a.b', 'a b', '', 'é', 'a'.repeat(2_049)]) {
      expect((await create(simulator, wrong, { consumerSecret: 's' })).status).toBe(400);
    }
    expect((await create(simulator, 'fine', { consumerSecret: 'a+b' })).status).toBe(400);
    expect((await create(simulator, `a-_${'a'.repeat(2_045)}`, { consumerSecret: 's' })).status).toBe(200);
    simulator.rules.underscoreInKeys = false;
    expect((await create(simulator, 'b_b')).status).toBe(400);
  });

  it('lives expiresInSeconds, 0 is refused, expiresAt is ignored', async () => {
    await start();
    expect(await create(simulator, 'ZERO', { expiresInSeconds: '0' })).toMatchObject({
      status: 400,
      body: { error: { details: [{ violations: [{ type: 'keymanagement.service.InvalidValueForExpiresIn' }] }] } },
    });
    await create(simulator, 'SHORT', { expiresInSeconds: '60', expiresAt: '5' });
    const [, key] = simulator.oracle().keys;
    expect(key?.expiresAt).toBe((key?.createdAt ?? 0) + 60_000);
  });

  it('on X with a name that the schema does not have is refused', async () => {
    await start();
    expect((await create(simulator, 'A', { keyExpiresIn: '5' })).status).toBe(400);
    expect(kinds()).toEqual([]);
  });
});

describe('an update of a key', () => {
  it.each(['POST', 'PUT'])('by %s adds products, once', async (method) => {
    await start({ seed: { products: [{ name: 'p' }, { name: 'q' }] } });
    await create(simulator, 'NEW1');
    for (const apiProducts of [['p'], ['p', 'q']]) {
      expect((await call(simulator, method, 'keys/NEW1', { body: { apiProducts } })).status).toBe(200);
    }
    expect((await call(simulator, 'GET', 'keys/NEW1')).body).toMatchObject({
      apiProducts: [
        { apiproduct: 'p', status: 'approved' },
        { apiproduct: 'q', status: 'approved' },
      ],
    });
  });

  it('replaces scopes and attributes, and wipes those it does not name unless a knob keeps them', async () => {
    await start();
    await create(simulator, 'NEW1');
    const attributes = [{ name: 'a', value: '1' }];
    const body = { apiProducts: ['orders'], scopes: ['orders.read'], attributes };
    expect((await call(simulator, 'POST', 'keys/NEW1', { body })).body).toMatchObject({
      scopes: ['orders.read'],
      attributes,
    });
    simulator.rules.absentInUpdate = 'keep';
    await call(simulator, 'POST', 'keys/NEW1', { body: { apiProducts: ['orders'] } });
    expect(simulator.oracle().keys[1]).toMatchObject({ scopes: ['orders.read'], attributes });
    simulator.rules.absentInUpdate = 'wipe';
    await call(simulator, 'POST', 'keys/NEW1', { body: { apiProducts: ['orders'] } });
    expect(simulator.oracle().keys[1]).toMatchObject({ scopes: [], attributes: [] });
  });

  it('refuses scopes that no associated product has, and products that do not exist', async () => {
    await start();
    await create(simulator, 'NEW1');
    const update = (body: object) => call(simulator, 'POST', 'keys/NEW1', { body });
    expect((await update({ scopes: ['orders.read'] })).status).toBe(400);
    expect((await update({ apiProducts: ['orders'], scopes: ['admin'] })).status).toBe(400);
    expect((await update({ apiProducts: ['nothing'] })).status).toBe(400);
    expect(kinds()).toEqual(['create-key']);
  });

  it('by action is 204 with application/octet-stream, and refused with a JSON body or without a content type', async () => {
    await start();
    await create(simulator, 'NEW1');
    expect((await call(simulator, 'POST', 'keys/NEW1?action=revoke')).status).toBe(400);
    expect((await call(simulator, 'POST', 'keys/NEW1?action=revoke', { body: {} })).status).toBe(400);
    expect(await act(simulator, 'keys/NEW1', 'revoke')).toMatchObject({ status: 204, body: undefined });
    expect(simulator.oracle().keys[1]).toMatchObject({ status: 'revoked', revokedAt: expect.any(Number) });
    expect((await act(simulator, 'keys/NEW1', 'approve')).status).toBe(204);
    expect(simulator.oracle().keys[1]).toMatchObject({ status: 'approved', revokedAt: null });
  });
});

describe('products of a key', () => {
  it('with manual approval are pending until they are approved', async () => {
    await start(manual);
    await create(simulator, 'NEW1');
    const granted = await call(simulator, 'POST', 'keys/NEW1', { body: { apiProducts: ['p', 'q'] } });
    expect(granted.body).toMatchObject({ apiProducts: [{ status: 'pending' }, { status: 'approved' }] });
    expect(await act(simulator, 'keys/NEW1/apiproducts/p', 'approve')).toMatchObject({ status: 200, body: {} });
    expect(simulator.oracle().keys[1]?.products).toEqual([
      { apiproduct: 'p', status: 'approved' },
      { apiproduct: 'q', status: 'approved' },
    ]);
  });

  it.each([
    ['x', 400],
    ['edge', 500],
  ] as const)('can be removed, and on %s one that is not there is %i', async (dialect, status) => {
    await start({ rules: { dialect } });
    const path = `keys/${simulator.seeded.consumerKey}/apiproducts/orders`;
    expect(await call(simulator, 'DELETE', path)).toMatchObject({
      status: 200,
      body: { consumerKey: expect.any(String) },
    });
    const again = await call(simulator, 'DELETE', path);
    expect(again.status).toBe(status);
    expect(JSON.stringify(again.body)).toContain('APIProduct is not associated with consumer key');
  });
});

describe('deletion', () => {
  it('answers 200 with the key, and then 404 with the text that clients know', async () => {
    await start();
    const { consumerKey, consumerSecret } = simulator.seeded;
    const first = await call(simulator, 'DELETE', `keys/${consumerKey}`);
    expect(first).toMatchObject({ status: 200, body: { consumerKey, consumerSecret } });
    const second = await call(simulator, 'DELETE', `keys/${consumerKey}`);
    expect(second).toMatchObject({
      status: 404,
      body: { error: { status: 'NOT_FOUND', message: 'Invalid consumer key for Given App' } },
    });
  });
});

describe('what does not exist', () => {
  it.each(['x', 'edge'] as const)('is 404 on %s with the code of the thing', async (dialect) => {
    await start({ rules: { dialect } });
    const org = `/organizations/${simulator.seeded.organization}`;
    const asked = async (path: string) => {
      const { status, body } = await call(simulator, 'GET', path);
      return `${status} ${JSON.stringify(body)}`;
    };
    expect(await asked('keys/none')).toMatch(/^404 .*InvalidClientIdForGivenApp/);
    expect(await asked(`${org}/developers/dev@example.com/apps/none`)).toMatch(
      /^404 .*App named none does not exist under dev@example.com/,
    );
    expect(await asked(`${org}/developers/Dev@example.com/apps/orders-app`)).toMatch(/^404 .*DeveloperDoesNotExist/);
  });
});

describe('an app', () => {
  it('mints another key by POST, and loses attributes and callback that were not sent again', async () => {
    await start();
    const body = { apiProducts: ['orders'], keyExpiresIn: '60000' };
    const { status, body: app } = await call(simulator, 'POST', '', { body });
    expect(status).toBe(200);
    expect(app).not.toHaveProperty('attributes');
    const [, minted] = simulator.oracle({ values: true }).keys;
    expect(minted).toMatchObject({ by: 'generate', products: [{ apiproduct: 'orders' }] });
    expect((minted?.expiresAt ?? 0) - (minted?.createdAt ?? 0)).toBe(60_000);
    expect(minted?.consumerKey).toHaveLength(48);
  });

  it('mints a key by PUT only where products are named', async () => {
    await start();
    const attributes = [{ name: 'DisplayName', value: 'mine' }];
    expect((await call(simulator, 'PUT', '', { body: { attributes } })).body).toMatchObject({ attributes });
    await call(simulator, 'PUT', '', { body: { apiProducts: ['orders'] } });
    expect(kinds()).toEqual(['update-app', 'generate-key']);
  });

  it('is approved and revoked by action, with 204', async () => {
    await start();
    expect((await act(simulator, '', 'revoke')).status).toBe(204);
    expect((await call(simulator, 'GET', '')).body).toMatchObject({ status: 'revoked' });
  });

  it('is also there by its id and under the id of its developer; Edge knows /o/', async () => {
    await start(edge);
    const { organization, consumerKey } = simulator.seeded;
    const { body } = await call(simulator, 'GET', '');
    const { appId, developerId } = body as { appId: string; developerId: string };
    expect((await call(simulator, 'GET', `/organizations/${organization}/apps/${appId}`)).status).toBe(200);
    const short = `/o/${organization}/developers/${developerId}/apps/orders-app`;
    expect((await call(simulator, 'GET', short)).body).toMatchObject({ credentials: [{ consumerKey, expiresAt: -1 }] });
  });
});

describe('an app of an AppGroup', () => {
  const inGroup = { seed: { appGroup: 'partners' } } as const;

  it('has its action in the body, its products beside the key, and no PUT of a key', async () => {
    await start(inGroup);
    const { consumerKey, consumerSecret } = { consumerKey: 'NEW1', consumerSecret: 's' };
    expect((await call(simulator, 'POST', 'keys', { body: { consumerKey, consumerSecret } })).status).toBe(200);
    const body = { apiProducts: ['orders'], appGroupAppKey: { scopes: ['orders.read'] } };
    expect((await call(simulator, 'POST', 'keys/NEW1', { body })).body).toMatchObject({ scopes: ['orders.read'] });
    expect((await call(simulator, 'POST', 'keys/NEW1', { body: { action: 'revoke' } })).body).toMatchObject({
      status: 'revoked',
    });
    expect((await act(simulator, 'keys/NEW1', 'approve')).status).toBe(400);
    expect((await call(simulator, 'PUT', 'keys/NEW1', { body: { scopes: [] } })).status).toBe(404);
    expect((await create(simulator, 'NEW2')).status).toBe(404);
  });

  it('counts keyExpiresIn in seconds, and does not exist on Edge', async () => {
    await start(inGroup);
    await call(simulator, 'PUT', '', { body: { apiProducts: ['orders'], keyExpiresIn: '60' } });
    const [, minted] = simulator.oracle().keys;
    expect((minted?.expiresAt ?? 0) - (minted?.createdAt ?? 0)).toBe(60_000);
    const path = appPath(simulator);
    await simulator.close();
    await start(edge);
    expect((await call(simulator, 'GET', path)).status).toBe(404);
  });
});
