import { describe, expect, test } from 'vitest';
import { Secret } from '../../src/domain/secret.js';
import type { ApigeeSimulator } from '../../src/simulators/apigee/index.js';
import { bench, pairOf, valuesOf } from './apigee-provider-harness.js';

const dialects = ['x', 'edge'] as const;

const keyOf = (simulator: ApigeeSimulator, consumerKey: string) => {
  const key = simulator.oracle({ values: true }).keys.find((one) => one.consumerKey === consumerKey);
  if (key === undefined) throw new Error('no such key');
  return key;
};
const consumerKey = (values: { readonly fields: Readonly<Record<string, Secret>> }): string =>
  values.fields['consumerKey']?.reveal() ?? '';

describe.each(dialects)('dialect %s', (dialect) => {
  test('a new key gets the approved products, scopes and attributes of the old one, and works', async () => {
    const { simulator, provider, context, old, created, asked } = await bench({
      dialect,
      seed: {
        products: [
          { name: 'orders & more', scopes: ['read', 'write'], proxies: ['orders'], environments: ['prod'] },
          { name: 'billing', scopes: ['bill'] },
        ],
        scopes: ['read', 'bill'],
        attributes: [
          { name: 'tier', value: 'gold' },
          { name: 'empty', value: '' },
        ],
      },
    });
    const fresh = await created();
    asked();
    expect(await provider.equip?.(context, fresh, await old())).toEqual({ waitingFor: [] });
    expect(asked()).toEqual(['GET ', 'GET ', 'POST /keys/{key}']);
    const verified = await provider.verify(context, fresh, await old());
    expect(verified).toMatchObject({
      keyId: consumerKey(fresh),
      scopeDifference: [],
      lostProof: null,
      expiresAtMs: null,
    });
    const made = keyOf(simulator, consumerKey(fresh));
    const model = keyOf(simulator, simulator.seeded.consumerKey);
    expect(made).toMatchObject({ products: model.products, scopes: model.scopes, attributes: model.attributes });
    const { oracle, clock } = simulator;
    expect(oracle().acceptedAt(made.serial, clock.now())).toBe(true);
    expect((await old()).scope).toEqual([
      'attribute:empty=',
      'attribute:tier=gold',
      'product:billing',
      'product:orders & more',
      'scope:bill',
      'scope:read',
    ]);
  });

  test('equipping again writes nothing', async () => {
    const { provider, context, old, equipped, asked } = await bench({ dialect });
    const fresh = await equipped();
    const model = await old();
    asked();
    expect(await provider.equip?.(context, fresh, model)).toEqual({ waitingFor: [] });
    expect(asked()).toEqual(['GET ']);
  });

  test('nothing that was not approved on the old key is approved on the new one', async () => {
    const { simulator, provider, context, old, created } = await bench({
      dialect,
      seed: { products: [{ name: 'a' }, { name: 'pending' }, { name: 'revoked' }], scopes: [] },
    });
    const { seeded } = simulator;
    simulator.setProductStatus(seeded.consumerKey, 'pending', 'pending');
    simulator.setProductStatus(seeded.consumerKey, 'revoked', 'revoked');
    const fresh = await created();
    expect(await provider.equip?.(context, fresh, await old())).toEqual({ waitingFor: [] });
    expect(keyOf(simulator, consumerKey(fresh)).products).toEqual([{ apiproduct: 'a', status: 'approved' }]);
    expect((await provider.verify(context, fresh, await old())).scopeDifference).toEqual([]);
  });

  test('what the new key has too much is taken away, also when another call has just done so', async () => {
    const { simulator, provider, context, old, asked, failureOf } = await bench({ dialect, seed: { scopes: [] } });
    simulator.setProduct({ name: 'extra' });
    const more = simulator.addKey(simulator.seeded.app, ['orders', 'extra']);
    const values = { keyId: more.consumerKey, fields: { consumerKey: new Secret(more.consumerKey) } };
    simulator.clock.advance(60_000);
    simulator.faults.add({ action: 'drop-after-commit', match: { method: 'DELETE' } });
    const lost = provider.equip?.(context, values, await old()) ?? Promise.resolve();
    expect(await failureOf(lost)).toMatchObject({ class: 'outage' });
    // The listing that lags behind names the product still: 400 on X, 500 on Edge.
    simulator.rules.consistencyDelayMs = 30_000;
    expect(await provider.equip?.(context, values, await old())).toEqual({ waitingFor: [] });
    expect(keyOf(simulator, more.consumerKey).products).toEqual([{ apiproduct: 'orders', status: 'approved' }]);
    expect(asked().filter((request) => request.startsWith('DELETE'))).toHaveLength(2);
  });

  test('a product with manual approval is approved where we may', async () => {
    const { simulator, provider, context, old, created } = await bench({
      dialect,
      seed: { products: [{ name: 'orders', approvalType: 'manual' }], scopes: [] },
    });
    simulator.setProductStatus(simulator.seeded.consumerKey, 'orders', 'approved');
    const fresh = await created();
    expect(await provider.equip?.(context, fresh, await old())).toEqual({ waitingFor: [] });
    expect(keyOf(simulator, consumerKey(fresh)).products).toEqual([{ apiproduct: 'orders', status: 'approved' }]);
  });

  test('where we may not approve, it is said what is waited for, until somebody has done it', async () => {
    const { simulator, provider, context, old, created } = await bench({
      dialect,
      seed: {
        products: [
          { name: 'b', approvalType: 'manual' },
          { name: 'a', approvalType: 'manual' },
        ],
        scopes: [],
      },
    });
    for (const name of ['a', 'b']) simulator.setProductStatus(simulator.seeded.consumerKey, name, 'approved');
    const fresh = await created();
    const denied = dialect === 'x' ? { error: { code: 403, status: 'PERMISSION_DENIED' } } : { code: 'AccessDenied' };
    simulator.faults.add({
      action: 'fail-before',
      match: {
        method: 'POST',
        route: '/organizations/{org}/developers/{developer}/apps/{app}/keys/{key}/apiproducts/{product}',
        times: 'always',
      },
      status: 403,
      body: JSON.stringify(denied),
    });
    expect(await provider.equip?.(context, fresh, await old())).toEqual({ waitingFor: ['approval:a', 'approval:b'] });
    simulator.setProductStatus(consumerKey(fresh), 'a', 'approved');
    expect(await provider.equip?.(context, fresh, await old())).toEqual({ waitingFor: ['approval:b'] });
    simulator.setProductStatus(consumerKey(fresh), 'b', 'approved');
    expect(await provider.equip?.(context, fresh, await old())).toEqual({ waitingFor: [] });
  });

  test('many approvals and removals are made in parts, none of which is more than a step’s share of the quota', async () => {
    const products = Array.from({ length: 7 }, (_, n) => ({ name: `p${n}`, approvalType: 'manual' as const }));
    const { simulator, provider, context, old, created, asked } = await bench({
      dialect,
      seed: { products, scopes: [] },
    });
    const seeded = simulator.seeded.consumerKey;
    const approved = (status: 'approved' | 'revoked', names: readonly { readonly name: string }[]): void => {
      for (const { name } of names) simulator.setProductStatus(seeded, name, status);
    };
    const fresh = await created();
    const model = await old();
    const parts = async (): Promise<readonly number[]> => {
      const calls: number[] = [];
      for (let more: boolean | undefined = true; more;) {
        asked();
        ({ more } = (await provider.equip?.(context, fresh, model)) ?? {});
        calls.push(asked().length);
      }
      return calls;
    };
    approved('approved', products);
    expect(await parts()).toEqual([4, 4, 3]);
    expect(keyOf(simulator, consumerKey(fresh)).products.map(({ status }) => status)).toEqual(
      products.map(() => 'approved'),
    );
    approved('revoked', products.slice(3));
    expect(await parts()).toEqual([4, 2]);
    expect(keyOf(simulator, consumerKey(fresh)).products.map(({ apiproduct }) => apiproduct)).toEqual([
      'p0',
      'p1',
      'p2',
    ]);
  });

  test('where we may not approve, products for which one call has no share are waited for, too', async () => {
    const products = Array.from({ length: 5 }, (_, n) => ({ name: `p${n}`, approvalType: 'manual' as const }));
    const { simulator, provider, context, old, created } = await bench({ dialect, seed: { products, scopes: [] } });
    for (const { name } of products) simulator.setProductStatus(simulator.seeded.consumerKey, name, 'approved');
    const fresh = await created();
    const denied = dialect === 'x' ? { error: { code: 403, status: 'PERMISSION_DENIED' } } : { code: 'AccessDenied' };
    simulator.faults.add({
      action: 'fail-before',
      match: {
        method: 'POST',
        route: '/organizations/{org}/developers/{developer}/apps/{app}/keys/{key}/apiproducts/{product}',
        times: 'always',
      },
      status: 403,
      body: JSON.stringify(denied),
    });
    const equipped = await provider.equip?.(context, fresh, await old());
    expect(equipped).toEqual({ waitingFor: products.map(({ name }) => `approval:${name}`) });
  });

  test('revoke can be undone, delete cannot, and of a key that is gone both say so', async () => {
    const { simulator, provider, context, equipped, asked, failureOf } = await bench({ dialect });
    const fresh = await equipped();
    const acting = { ...context, credential: fresh };
    const old = simulator.seeded.consumerKey;
    asked();
    expect(await provider.retire(acting, old, 'suspend')).toBe('done');
    expect((await provider.inventory(acting)).find(({ keyId }) => keyId === old)?.revoked).toBe(true);
    await provider.restore?.(acting, old);
    expect(keyOf(simulator, old).status).toBe('approved');
    expect(await provider.retire(acting, old, 'destroy')).toBe('done');
    expect(await provider.retire(acting, old, 'destroy')).toBe('absent');
    expect(await provider.retire(acting, old, 'suspend')).toBe('absent');
    expect(await failureOf(provider.restore?.(acting, old) ?? Promise.resolve())).toMatchObject({ class: 'absent' });
    expect(asked()).toEqual([
      'POST /keys/{key}?revoke',
      'GET ',
      'POST /keys/{key}?approve',
      'DELETE /keys/{key}',
      'DELETE /keys/{key}',
      'POST /keys/{key}?revoke',
      'POST /keys/{key}?approve',
    ]);
    expect(await failureOf(provider.retire(acting, consumerKey(fresh), 'destroy'))).toMatchObject({
      code: 'KT-INTERNAL',
    });
  });

  test('other credentials of the app are never touched', async () => {
    const { simulator, provider, context, equipped } = await bench({ dialect, seed: { otherKeys: 3 } });
    const others = () =>
      simulator
        .oracle({ values: true })
        .keys.filter(({ by, consumerKey: value }) => by === 'seed' && value !== simulator.seeded.consumerKey);
    const before = others();
    const acting = { ...context, credential: await equipped() };
    await provider.retire(acting, simulator.seeded.consumerKey, 'suspend');
    await provider.retire(acting, simulator.seeded.consumerKey, 'destroy');
    expect(before).toHaveLength(3);
    expect(others()).toEqual(before);
    const written = simulator.oracle().writes.flatMap(({ serials }) => serials);
    expect(written.filter((serial) => before.some((key) => key.serial === serial))).toEqual([]);
  });
});

describe('a 404 to a retirement', () => {
  const html = '<html>not here</html>';

  test('that a gateway gave is no death while the app lists the key', async () => {
    const { simulator, provider, context, equipped, failureOf } = await bench();
    const acting = { ...context, credential: await equipped() };
    simulator.faults.add({ action: 'fail-before', match: { method: 'DELETE' }, status: 404, body: html });
    const failure = await failureOf(provider.retire(acting, simulator.seeded.consumerKey, 'destroy'));
    expect(failure).toMatchObject({ class: 'rejected', code: 'KT-PROVIDER-ANSWER' });
    expect(failure.message).toContain('still lists the key');
    simulator.deleteKey(simulator.seeded.consumerKey);
    simulator.faults.add({ action: 'fail-before', match: { method: 'DELETE' }, status: 404, body: html });
    expect(await provider.retire(acting, simulator.seeded.consumerKey, 'destroy')).toBe('absent');
  });

  test('about the app proves nothing of the key', async () => {
    const { simulator, provider, settings, context, equipped, failureOf } = await bench();
    const acting = { ...context, settings: { ...settings, app: 'gone' }, credential: await equipped() };
    const failure = await failureOf(provider.retire(acting, simulator.seeded.consumerKey, 'destroy'));
    expect(failure).toMatchObject({ class: 'absent', code: 'KT-CONSUMER-GONE' });
  });
});

describe('a key that keyturn chooses', () => {
  test('is drawn anew each time, of letters, digits and hyphens only', async () => {
    const { intent } = await bench();
    const pairs = await Promise.all(Array.from({ length: 50 }, async () => pairOf(await intent())));
    for (const pair of pairs) {
      expect(pair.consumerKey).toMatch(/^[A-Za-z0-9][A-Za-z0-9-]{47}$/);
      expect(pair.consumerSecret).toMatch(/^[A-Za-z0-9][A-Za-z0-9-]{63}$/);
    }
    expect(new Set(pairs.flatMap((pair) => Object.values(pair))).size).toBe(100);
  });

  test.each(dialects)('a lost answer is found again by its id and secret (%s)', async (dialect) => {
    const { simulator, provider, context, intent, failureOf } = await bench({ dialect });
    const wanted = await intent();
    expect(await provider.find?.(context, wanted)).toBeNull();
    simulator.faults.add({ action: 'drop-after-commit', match: { method: 'POST' } });
    expect(await failureOf(provider.create(context, wanted))).toMatchObject({
      class: 'unknown',
      code: 'KT-OUTCOME-UNKNOWN',
    });
    expect(await failureOf(provider.create(context, wanted))).toMatchObject({ class: 'unknown', code: 'KT-KEY-TAKEN' });
    const found = await provider.find?.(context, wanted);
    expect(found?.fields['consumerSecret']?.reveal()).toBe(pairOf(wanted).consumerSecret);
    expect(found?.keyId).toBe(pairOf(wanted).consumerKey);
  });

  test('an id that another key has is not ours: here with another secret, elsewhere not to be found', async () => {
    const { simulator, provider, context, intent, failureOf } = await bench();
    const here = await intent();
    simulator.addKey(simulator.seeded.app, [], { ...pairOf(here), consumerSecret: 'another-secret' });
    expect(await failureOf(provider.create(context, here))).toMatchObject({ class: 'unknown', code: 'KT-KEY-TAKEN' });
    const failure = await failureOf(provider.find?.(context, here) ?? Promise.resolve());
    expect(failure).toMatchObject({ class: 'rejected', code: 'KT-KEY-TAKEN' });
    const elsewhere = await intent();
    simulator.addApp('other', []);
    simulator.addKey('other', [], pairOf(elsewhere));
    expect(await failureOf(provider.create(context, elsewhere))).toMatchObject({ code: 'KT-KEY-TAKEN' });
    expect(await provider.find?.(context, elsewhere)).toBeNull();
  });

  test('an unusable answer leaves the outcome unknown, and another key in it is not taken for ours', async () => {
    const { simulator, provider, context, intent, failureOf } = await bench();
    for (const action of ['truncate', 'garbage', 'answer-for-another'] as const) {
      simulator.faults.add({ action, match: { method: 'POST' } });
      expect((await failureOf(provider.create(context, await intent()))).class).toBe('unknown');
    }
  });

  test('lives as long as the one before it, or for keyTtl', async () => {
    const life = 30 * 86_400;
    const first = await bench({ seed: { expiresInSeconds: life } });
    const fresh = await first.equipped();
    const verified = await first.provider.verify(first.context, fresh, await first.old());
    expect(verified.scopeDifference).toEqual([]);
    expect(verified.expiresAtMs).toBe(keyOf(first.simulator, consumerKey(fresh)).expiresAt);
    expect(verified.expiresAtMs).toBeGreaterThan(first.simulator.clock.now() + (life - 60) * 1_000);

    const second = await bench({ seed: {}, block: () => ({ keyTtl: '90d' }) });
    const short = await second.equipped();
    const withTtl = await second.provider.verify(second.context, short, await second.old());
    expect(withTtl.scopeDifference).toEqual([]);
    expect(withTtl.expiresAtMs).toBeLessThanOrEqual(second.simulator.clock.now() + 90 * 86_400_000);
    expect(second.provider.capability(second.settings).keyTtlMs).toBe(90 * 86_400_000);
  });

  test('that could never equal the old one is refused at plan', async () => {
    const edge = await bench({ dialect: 'edge', seed: { expiresInSeconds: 86_400 } });
    expect(edge.provider.incurable?.(edge.settings, await edge.old())).toContain('classic Edge');
    const forEver = await bench({ dialect: 'edge' });
    expect(forEver.provider.incurable?.(forEver.settings, await forEver.old())).toBeNull();
    const x = await bench({ seed: { expiresInSeconds: 86_400 } });
    expect(x.provider.incurable?.(x.settings, await x.old())).toBeNull();
    expect(x.provider.incurable?.(x.settings, { keyId: 'k', expiresAtMs: 1 })).toContain('keyTtl');
  });
});

describe('apps of an AppGroup', () => {
  test('are rotated like those of a developer', async () => {
    const seed = {
      appGroup: 'partners',
      products: [{ name: 'orders', approvalType: 'manual' as const, scopes: ['read'] }],
      attributes: [{ name: 'tier', value: 'gold' }],
    };
    const { simulator, provider, context, old, created } = await bench({ seed });
    simulator.setProductStatus(simulator.seeded.consumerKey, 'orders', 'approved');
    const fresh = await created();
    expect(await provider.equip?.(context, fresh, await old())).toEqual({ waitingFor: [] });
    expect((await provider.verify(context, fresh, await old())).scopeDifference).toEqual([]);
    const acting = { ...context, credential: fresh };
    const { consumerKey: oldKey } = simulator.seeded;
    expect(await provider.retire(acting, oldKey, 'suspend')).toBe('done');
    expect(keyOf(simulator, oldKey).status).toBe('revoked');
    await provider.restore?.(acting, oldKey);
    expect(keyOf(simulator, oldKey).status).toBe('approved');
    expect(await provider.retire(acting, oldKey, 'destroy')).toBe('done');
  });
});

describe('verify', () => {
  test.each([
    [
      'a product withdrawn from the old key',
      (s: ApigeeSimulator, old: string) => s.setProductStatus(old, 'orders', 'revoked'),
      'product:orders is too much',
    ],
    [
      'an attribute added to the old key',
      (s: ApigeeSimulator, old: string) => s.setKeyAttributes(old, [{ name: 'a', value: 'b' }]),
      'attribute:a=b is missing',
    ],
    [
      'a scope taken from the old key',
      (s: ApigeeSimulator, old: string) => s.setKeyScopes(old, []),
      'scope:orders.read is too much',
    ],
    [
      'a product withdrawn from the new key',
      (s: ApigeeSimulator, _old: string, fresh: string) => s.setProductStatus(fresh, 'orders', 'revoked'),
      'product:orders is missing',
    ],
  ])('notices %s during the rotation', async (_name, edit, difference) => {
    const { simulator, provider, context, old, equipped } = await bench();
    const planned = await old();
    const fresh = await equipped();
    edit(simulator, simulator.seeded.consumerKey, consumerKey(fresh));
    const { scopeDifference } = await provider.verify(context, fresh, planned);
    expect(scopeDifference).toContain(difference);
  });

  test('notices a product that waits for approval on the new key only', async () => {
    const { simulator, provider, context, old } = await bench({ seed: { scopes: [] } });
    simulator.setProduct({ name: 'extra', approvalType: 'manual' });
    const pair = pairOf({
      kind: 'create-key',
      idempotencyKey: 'i',
      body: provider.prepare(context, 'create-key', null),
    });
    simulator.addKey(simulator.seeded.app, ['orders', 'extra'], pair);
    simulator.clock.advance(31_000);
    const fields = { consumerKey: new Secret(pair.consumerKey), consumerSecret: new Secret(pair.consumerSecret) };
    const { scopeDifference } = await provider.verify(context, { keyId: pair.consumerKey, fields }, await old());
    expect(scopeDifference).toEqual(['product:extra is too much']);
  });

  test('notices another life than the old one had', async () => {
    const { simulator, provider, context, old } = await bench({ seed: { expiresInSeconds: 86_400 } });
    const model = await old();
    const body = provider.prepare(context, 'create-key', null);
    const fresh = valuesOf(await provider.create(context, { kind: 'create-key', idempotencyKey: 'i', body }));
    await provider.equip?.(context, fresh, model);
    simulator.clock.advance(31_000);
    expect((await provider.verify(context, fresh, model)).scopeDifference).toEqual([
      'lives for ever instead of for 1d',
    ]);
  });

  test('equip waits for a listing that lags behind', async () => {
    const { simulator, provider, context, old, created, failureOf } = await bench({
      rules: { consistencyDelayMs: 3_000 },
    });
    simulator.clock.advance(3_000);
    const model = await old();
    const fresh = await created();
    expect(await failureOf(provider.equip?.(context, fresh, model) ?? Promise.resolve())).toMatchObject({
      class: 'busy',
    });
    simulator.clock.advance(3_000);
    expect(await provider.equip?.(context, fresh, model)).toEqual({ waitingFor: [] });
  });

  test('of a key that is revoked, expired, gone or has another secret', async () => {
    const { simulator, provider, context, old, equipped, failureOf } = await bench({
      seed: { expiresInSeconds: 3_600 },
      rules: { tokenTtlSeconds: 86_400 },
    });
    const fresh = await equipped();
    const model = await old();
    const refused = { class: 'credential-refused', code: 'KT-NEW-KEY-REFUSED' };
    const wrong = { ...fresh, fields: { ...fresh.fields, consumerSecret: new Secret('another') } };
    expect(await failureOf(provider.verify(context, wrong, model))).toMatchObject({
      class: 'rejected',
      code: 'KT-SCOPE-DIFFERS',
    });
    simulator.setKeyStatus(consumerKey(fresh), 'revoked');
    expect(await failureOf(provider.verify(context, fresh, model))).toMatchObject(refused);
    simulator.setKeyStatus(consumerKey(fresh), 'approved');
    simulator.clock.advance(3_600_000);
    expect((await failureOf(provider.verify(context, fresh, model))).message).toContain('expired');
    simulator.deleteKey(consumerKey(fresh));
    expect(await failureOf(provider.verify(context, fresh, model))).toMatchObject(refused);
  });

  test('an old key that somebody has deleted: publishing goes on with a lost proof, equipping cannot', async () => {
    const { simulator, provider, context, old, created, equipped, failureOf } = await bench();
    const fresh = await equipped();
    const unequipped = await created();
    const model = await old();
    simulator.deleteKey(simulator.seeded.consumerKey);
    const verified = await provider.verify(context, fresh, model);
    expect(verified).toMatchObject({ scopeDifference: [] });
    expect(verified.lostProof).toContain('not in the app any more');
    const failure = await failureOf(provider.equip?.(context, unequipped, model) ?? Promise.resolve());
    expect(failure).toMatchObject({ class: 'rejected', code: 'KT-CAPABILITY-LOST' });
  });

  test('an old key that one listing lacks, and that exists: equipping waits for a better one', async () => {
    const { simulator, provider, context, old, created, failureOf } = await bench();
    const fresh = await created();
    const model = await old();
    const match = { method: 'GET', route: '/organizations/{org}/developers/{developer}/apps/{app}' };
    simulator.faults.add({ match, action: 'answer-for-another', fields: ['consumerKey', 'consumerSecret'] });
    const failure = await failureOf(provider.equip?.(context, fresh, model) ?? Promise.resolve());
    expect(failure).toMatchObject({ class: 'busy', code: 'KT-PROVIDER-BUSY' });
    expect(await provider.equip?.(context, fresh, model)).toEqual({ waitingFor: [] });
  });
});
