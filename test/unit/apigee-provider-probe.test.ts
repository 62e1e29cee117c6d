import { describe, expect, test } from 'vitest';
import { Secret } from '../../src/domain/secret.js';
import { bench, type BenchOptions } from './apigee-provider-harness.js';

const probing = ({
  block = () => ({}),
  ...options
}: BenchOptions & { readonly probe?: Record<string, unknown> } = {}) =>
  bench({
    ...options,
    block: (simulator) => ({
      ...block(simulator),
      probe: {
        url: simulator.runtimeUrl + simulator.seeded.proxyPath,
        in: 'header',
        name: 'x-apikey',
        ...options.probe,
      },
    }),
  });

describe('the probe of the runtime', () => {
  test.each([
    ['header', 'x-apikey'],
    ['query', 'apikey'],
  ])('shows by several calls that the new key passes (%s)', async (place, name) => {
    const { simulator, provider, context, old, equipped } = await probing({ probe: { in: place, name, times: 4 } });
    const fresh = await equipped();
    const verified = await provider.verify(context, fresh, await old());
    expect(verified).toMatchObject({ scopeDifference: [], lostProof: null });
    const calls = simulator.oracle().requests.filter(({ plane }) => plane === 'runtime');
    expect(calls.map(({ processor, credential }) => [processor, credential.outcome])).toEqual([
      [0, 'accepted'],
      [1, 'accepted'],
      [0, 'accepted'],
      [1, 'accepted'],
    ]);
  });

  test('waits while a message processor may not know the key yet, and takes a later refusal for a refusal', async () => {
    const { simulator, provider, context, old, equipped, failureOf } = await probing({
      rules: { propagationDelayMs: 60_000 },
    });
    const model = await old();
    const fresh = await equipped();
    const waiting = await failureOf(provider.verify(context, fresh, model));
    expect(waiting).toMatchObject({ class: 'busy', code: 'KT-PROVIDER-BUSY', retryAfterMs: 5_000 });
    simulator.clock.advance(60_000);
    expect(await provider.verify(context, fresh, model)).toMatchObject({ lostProof: null });
    simulator.setAppStatus(simulator.seeded.app, 'revoked');
    simulator.clock.advance(240_000);
    const refused = await failureOf(provider.verify(context, fresh, model));
    expect(refused).toMatchObject({ class: 'credential-refused', code: 'KT-NEW-KEY-REFUSED' });
    expect(refused.message).toContain('the app is not approved');
  });

  test('one processor that refuses is enough', async () => {
    const { simulator, provider, context, old, equipped, failureOf } = await probing({ probe: { times: 2 } });
    const fresh = await equipped();
    simulator.faults.add({
      action: 'fail-before',
      match: { route: '/{proxy}', nth: 2 },
      status: 401,
      body: '{"fault":{"faultstring":"Invalid ApiKey","detail":{"errorcode":"oauth.v2.InvalidApiKey"}}}',
    });
    expect(await failureOf(provider.verify(context, fresh, await old()))).toMatchObject({ class: 'busy' });
  });

  const fault = (errorcode: string) => JSON.stringify({ fault: { faultstring: 'x', detail: { errorcode } } });
  const refused = [
    'oauth.v2.InvalidApiKey',
    'oauth.v2.ApiKeyNotApproved',
    'oauth.v2.InvalidApiKeyForGivenResource',
    'keymanagement.service.consumer_key_missing_api_product_association',
    'keymanagement.service.consumer_key_expired',
    'keymanagement.service.invalid_client-app_not_approved',
    'keymanagement.service.DeveloperStatusNotActive',
    'keymanagement.service.CompanyStatusNotActive',
    'steps.oauth.v2.InvalidApiKey',
  ].map((code) => [code, 401, fault(code), 'credential-refused'] as const);

  test.each([
    ...refused,
    ['a key that the proxy did not find', 401, fault('steps.oauth.v2.FailedToResolveAPIKey'), 'rejected'],
    ['no proxy', 404, fault('messaging.adaptors.http.flow.ApplicationNotFound'), 'rejected'],
    ['429', 429, '', 'busy'],
    ['a gateway that fails', 502, '<html>', 'outage'],
    ['a redirect', 302, '', 'outage'],
    ['a backend that is down', 503, fault('messaging.adaptors.http.flow.ServiceUnavailable'), 'accepted'],
    ['a backend that knows no such path', 404, '{"message":"no"}', 'accepted'],
    ['another 401', 401, '{"message":"who are you"}', 'unproven'],
    ['another 403', 403, '', 'unproven'],
  ] as const)('%s', async (_name, status, body, expected) => {
    const { simulator, provider, context, old, equipped, failureOf } = await probing({
      probe: { patience: '1s', times: 1 },
    });
    const fresh = await equipped();
    simulator.faults.add({ action: 'fail-before', match: { route: '/{proxy}' }, status, body });
    const verifying = provider.verify(context, fresh, await old());
    if (expected === 'accepted') expect((await verifying).lostProof).toBeNull();
    else if (expected === 'unproven') expect((await verifying).lostProof).toContain('not proven');
    else expect((await failureOf(verifying)).class).toBe(expected);
  });

  test('a key in the query of a runtime that cannot be reached is in no message', async () => {
    const { provider, context, old, equipped, failureOf } = await probing({
      probe: { url: 'http://127.0.0.1:9/orders', in: 'query', name: 'apikey' },
    });
    const failure = await failureOf(provider.verify(context, await equipped(), await old()));
    expect(failure).toMatchObject({ class: 'not-sent', code: 'KT-PROVIDER-UNREACHABLE' });
  });

  test('what the query of the URL asks for stays, and the key is encoded', async () => {
    const { simulator, provider, context } = await probing({
      probe: { url: 'http://127.0.0.1:1/x?v=1', in: 'query', name: 'apikey' },
    });
    const paths: string[] = [];
    const spying = {
      ...context,
      send: (request: Parameters<typeof context.send>[0]) => {
        paths.push(`${request.baseUrl ?? ''}${request.path}`);
        return request.baseUrl === undefined
          ? context.send(request)
          : Promise.resolve({ status: 200, headers: {}, text: '{}' });
      },
    };
    const odd = simulator.addKey(simulator.seeded.app, ['orders'], { consumerKey: 'a&b', consumerSecret: 's' });
    const fields = { consumerKey: new Secret(odd.consumerKey), consumerSecret: new Secret(odd.consumerSecret) };
    await provider.verify(spying, { keyId: odd.consumerKey, fields }, null);
    expect(paths.at(-1)).toBe('http://127.0.0.1:1/x?v=1&apikey=a%26b');
  });
});
