import { afterEach, describe, expect, it } from 'vitest';
import {
  type ApigeeSimulator,
  type ApigeeSimulatorOptions,
  startApigeeSimulator,
} from '../../src/simulators/apigee/index.js';
import { act, call, create, grant, probe } from './apigee-simulator-caller.js';

let simulator: ApigeeSimulator;
const start = async (options: ApigeeSimulatorOptions = {}) => {
  simulator = await startApigeeSimulator(options);
};
afterEach(() => simulator.close());

const uncached = { rules: { runtimeCacheMs: 0 } } as const;

describe('VerifyAPIKey', () => {
  it('lets a good key pass, from the header and from the query', async () => {
    await start();
    const { consumerKey, proxyPath } = simulator.seeded;
    expect(await probe(simulator, consumerKey)).toBe('ok');
    expect((await fetch(`${simulator.runtimeUrl}${proxyPath}/7?apikey=${consumerKey}`)).status).toBe(200);
  });

  it('refuses no key, an unknown one, and a path that no proxy has', async () => {
    await start();
    const bare = await fetch(simulator.runtimeUrl + simulator.seeded.proxyPath);
    expect(bare.status).toBe(401);
    expect(await bare.json()).toEqual({
      fault: {
        faultstring: 'Failed to resolve API Key variable request.header.x-apikey',
        detail: { errorcode: 'steps.oauth.v2.FailedToResolveAPIKey' },
      },
    });
    expect(await probe(simulator, 'nobody')).toBe('oauth.v2.InvalidApiKey');
    expect(await probe(simulator, 'nobody', '/elsewhere')).toBe('messaging.adaptors.http.flow.ApplicationNotFound');
  });

  it('checks key, expiry, app, developer, association and resource in this order', async () => {
    await start({ ...uncached, seed: { expiresInSeconds: 600 } });
    const { consumerKey, app, developer } = simulator.seeded;
    const seen = () => probe(simulator, consumerKey);
    simulator.setProductStatus(consumerKey, 'orders', 'pending');
    expect(await seen()).toBe('oauth.v2.InvalidApiKeyForGivenResource');
    await call(simulator, 'DELETE', `keys/${consumerKey}/apiproducts/orders`);
    expect(await seen()).toBe('keymanagement.service.consumer_key_missing_api_product_association');
    simulator.setDeveloperStatus(developer, 'inactive');
    expect(await seen()).toBe('keymanagement.service.DeveloperStatusNotActive');
    simulator.setAppStatus(app, 'revoked');
    expect(await seen()).toBe('keymanagement.service.invalid_client-app_not_approved');
    simulator.clock.advance(600_000);
    expect(await seen()).toBe('keymanagement.service.consumer_key_expired');
    simulator.setKeyStatus(consumerKey, 'revoked');
    expect(await seen()).toBe('oauth.v2.ApiKeyNotApproved');
    simulator.deleteKey(consumerKey);
    expect(await seen()).toBe('oauth.v2.InvalidApiKey');
  });

  it('wants a product of this proxy, environment and path', async () => {
    await start({
      ...uncached,
      seed: {
        products: [{ name: 'read', proxies: ['orders'], environments: ['prod'], paths: ['/list/**'] }],
        proxies: [
          { name: 'orders', environment: 'prod', basePath: '/orders' },
          { name: 'orders', environment: 'test', basePath: '/test/orders' },
        ],
      },
    });
    const { consumerKey } = simulator.seeded;
    expect(await probe(simulator, consumerKey, '/orders/list/1')).toBe('ok');
    expect(await probe(simulator, consumerKey, '/orders/make')).toBe('oauth.v2.InvalidApiKeyForGivenResource');
    expect(await probe(simulator, consumerKey, '/test/orders/list/1')).toBe('oauth.v2.InvalidApiKeyForGivenResource');
  });
});

describe('the caches of the message processors', () => {
  it('keep a revoked key alive for 180 s, each for as long as it knew the key', async () => {
    await start({ rules: { messageProcessors: 2, tokenTtlSeconds: 9_999 } });
    const { consumerKey } = simulator.seeded;
    expect(await probe(simulator, consumerKey)).toBe('ok');
    simulator.clock.advance(60_000);
    expect(await probe(simulator, consumerKey)).toBe('ok');
    await act(simulator, `keys/${consumerKey}`, 'revoke');
    simulator.clock.advance(120_000);
    expect([await probe(simulator, consumerKey), await probe(simulator, consumerKey)]).toEqual([
      'oauth.v2.ApiKeyNotApproved',
      'ok',
    ]);
    simulator.clock.advance(60_000);
    expect([await probe(simulator, consumerKey), await probe(simulator, consumerKey)]).toEqual([
      'oauth.v2.ApiKeyNotApproved',
      'oauth.v2.ApiKeyNotApproved',
    ]);
  });

  it('remember a key without products, so that probing it before the grant costs 180 s', async () => {
    await start({ rules: { messageProcessors: 1 } });
    await create(simulator, 'NEW1');
    expect(await probe(simulator, 'NEW1')).toContain('missing_api_product_association');
    await grant(simulator, 'NEW1');
    expect(await probe(simulator, 'NEW1')).toContain('missing_api_product_association');
    simulator.clock.advance(180_000);
    expect(await probe(simulator, 'NEW1')).toBe('ok');
  });

  it('remember an unknown key only where the knob says so', async () => {
    await start({ rules: { messageProcessors: 1 } });
    expect(await probe(simulator, 'NEW1')).toBe('oauth.v2.InvalidApiKey');
    await create(simulator, 'NEW1');
    await grant(simulator, 'NEW1');
    expect(await probe(simulator, 'NEW1')).toBe('ok');
    simulator.rules.negativeCacheMs = 60_000;
    expect(await probe(simulator, 'NEW2')).toBe('oauth.v2.InvalidApiKey');
    await create(simulator, 'NEW2');
    await grant(simulator, 'NEW2');
    expect(await probe(simulator, 'NEW2')).toBe('oauth.v2.InvalidApiKey');
    simulator.clock.advance(60_000);
    expect(await probe(simulator, 'NEW2')).toBe('ok');
  });

  it('read a store that may be behind the management plane', async () => {
    await start({ rules: { runtimeCacheMs: 0, propagationDelayMs: 5_000 } });
    await create(simulator, 'NEW1');
    await grant(simulator, 'NEW1');
    expect(await probe(simulator, 'NEW1')).toBe('oauth.v2.InvalidApiKey');
    simulator.clock.advance(5_000);
    expect(await probe(simulator, 'NEW1')).toBe('ok');
  });
});

describe('the management plane', () => {
  it('shows a write only after the consistency delay, and still knows that the key is taken', async () => {
    await start({ rules: { consistencyDelayMs: 2_000 } });
    await create(simulator, 'NEW1');
    expect((await call(simulator, 'GET', 'keys/NEW1')).status).toBe(404);
    expect((await create(simulator, 'NEW1')).status).toBe(409);
    simulator.clock.advance(2_000);
    expect((await call(simulator, 'GET', 'keys/NEW1')).status).toBe(200);
  });
});
