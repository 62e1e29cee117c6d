/** A developer app's key, from the first rotation to the death of the old one, in both dialects. */
import { expect, it } from 'vitest';
import { sha256 } from '../support/installation.js';
import { apigeeInstallation, type ApigeeInstallation } from '../support/apigee-installation.js';
import { expectApigeeInvariants } from '../support/apigee-invariants.js';

const KEY = '/organizations/{org}/developers/{developer}/apps/{app}/keys/{key}';
const living = (i: ApigeeInstallation) => i.simulator.oracle().keys.filter((k) => k.deletedAt === null);
const writes = (i: ApigeeInstallation) => i.simulator.oracle().writes.map((w) => w.kind);
const settled = (i: ApigeeInstallation, version = 2) =>
  i.until(
    `version ${version} is current, and nothing is left to do`,
    (s) => s.current?.version === version && s.rotation === null && s.previous.length === 0 && s.debts.length === 0,
  );

/** Two products, a scope and an attribute, an old key that may not use one of its products, and keys of others beside it. */
const busyApp = {
  products: [
    { name: 'orders', scopes: ['orders.read', 'orders.write'], proxies: ['orders'], environments: ['prod'] },
    { name: 'reports' },
    { name: 'withdrawn' },
  ],
  scopes: ['orders.read'],
  attributes: [{ name: 'tier', value: 'gold' }],
  otherKeys: 2,
};

it.concurrent.for(['x', 'edge'] as const)(
  'dialect %s: the new key may do what the old one may, takes over, and the old one is revoked, then deleted',
  async (dialect, { onTestFinished }) => {
    const i = await apigeeInstallation({
      onTestFinished,
      dialect,
      seed: busyApp,
      policy: { grace: '1s' },
      timing: { observe: '1500ms' },
    });
    i.simulator.setProductStatus(i.simulator.seeded.consumerKey, 'withdrawn', 'revoked');
    const others = living(i).filter((k) => k.sha256 !== sha256(i.simulator.seeded.consumerKey));
    await i.worker();
    await i.request('r-1');
    const held = await i.until('the old key is held', (s) => s.previous[0]?.retirement === 'held');
    const [old] = living(i).filter((k) => k.sha256 === sha256(i.simulator.seeded.consumerKey));
    expect(old).toMatchObject({ status: 'revoked', deletedAt: null });
    expect(held.current).toMatchObject({ version: 2, verified: true });
    expect(held.current?.keyId).toBe(held.current?.fingerprint);
    expect(held.capability).toBe('A');

    const done = await settled(i);
    expect(done.lastRotation).toMatchObject({ requestId: 'r-1', outcome: 'rotated', version: 2 });
    expect(done.lastRotation?.steps.map((s) => s.step)).toEqual([
      ...['plan', 'rotate', 'persist', 'equip', 'verify', 'publish'],
    ]);
    const [fresh, ...rest] = living(i).filter((k) => k.by === 'create');
    expect(rest).toEqual([]);
    expect(fresh).toMatchObject({ status: 'approved', scopes: ['orders.read'] });
    expect(fresh?.attributes).toEqual([{ name: 'tier', value: 'gold' }]);
    expect(fresh?.products.map((p) => p.apiproduct).toSorted()).toEqual(['orders', 'reports']);
    expect(fresh?.products.every((p) => p.status === 'approved')).toBe(true);
    for (const other of others) expect(living(i)).toContainEqual(other);
    expect(writes(i).filter((kind) => kind === 'create-key')).toHaveLength(1);
    await expectApigeeInvariants(i);
  },
);

it.concurrent('a key in an app of an AppGroup rotates as one of a developer does', async ({ onTestFinished }) => {
  const i = await apigeeInstallation({ onTestFinished, seed: { ...busyApp, appGroup: 'partners' } });
  await i.worker();
  await i.request('r-1');
  await settled(i);
  await i.request('r-2');
  await settled(i, 3);
  await expectApigeeInvariants(i);
});

it.concurrent('a key that expires is followed by one with the same lifetime', async ({ onTestFinished }) => {
  const lifeSeconds = 30 * 86_400;
  const i = await apigeeInstallation({ onTestFinished, seed: { expiresInSeconds: lifeSeconds } });
  await i.worker();
  await i.request('r-1');
  const done = await settled(i);
  const [fresh] = living(i).filter((k) => k.by === 'create');
  expect((fresh?.expiresAt ?? 0) - (fresh?.createdAt ?? 0)).toBe(lifeSeconds * 1_000);
  expect(Date.parse(done.current?.expiresAt ?? '')).toBe(fresh?.expiresAt);
  await expectApigeeInvariants(i);
});

it.concurrent('Edge with an expiring old key is refused at plan, and nothing is made', async ({ onTestFinished }) => {
  const i = await apigeeInstallation({ onTestFinished, dialect: 'edge', seed: { expiresInSeconds: 30 * 86_400 } });
  await i.worker();
  await i.request('r-1');
  const failed = await i.until('it has failed', (s) => s.lastRotation?.outcome === 'failed');
  expect(failed.lastRotation?.error).toMatchObject({ code: 'KT-SCOPE-DIFFERS' });
  expect(failed.lastRotation?.error?.message).toMatch(/expire/);
  expect(failed.current?.version).toBe(1);
  expect(writes(i)).toEqual([]);
});

it.concurrent(
  'products with manual approval are approved where keyturn may, also more of them than one step has calls for',
  async ({ onTestFinished }) => {
    const products = Array.from({ length: 6 }, (_, n) => ({
      name: `orders-${n}`,
      proxies: ['orders'],
      approvalType: 'manual' as const,
    }));
    const i = await apigeeInstallation({ onTestFinished, seed: { products } });
    await i.worker();
    await i.request('r-1');
    const done = await settled(i);
    expect(done.lastRotation?.steps.filter(({ step }) => step === 'equip')).toHaveLength(3);
    expect(writes(i).filter((kind) => kind === 'approve-product')).toHaveLength(6);
    const [fresh] = living(i).filter((k) => k.by === 'create');
    expect(fresh?.products.map(({ status }) => status)).toEqual(products.map(() => 'approved'));
    await expectApigeeInvariants(i);
  },
);

it.concurrent(
  'where it may not, the rotation is parked visibly with the old key current, and goes on after the approval',
  async ({ onTestFinished }) => {
    const seed = { products: [{ name: 'orders', proxies: ['orders'], approvalType: 'manual' as const }] };
    const i = await apigeeInstallation({ onTestFinished, seed });
    i.simulator.faults.add({
      match: { method: 'POST', route: `${KEY}/apiproducts/{product}`, times: 'always' },
      action: 'fail-before',
      status: 403,
      body: JSON.stringify({ error: { code: 403, status: 'PERMISSION_DENIED', message: 'Permission denied' } }),
    });
    await i.worker();
    await i.request('r-1');
    const parked = await i.until('it is parked', (s) => s.rotation?.parked === true && s.rotation.step === 'equip');
    expect(parked.rotation?.waitingFor).toEqual(['approval:orders']);
    expect(parked.current?.version).toBe(1);
    expect(parked.attention.map((a) => a.code)).toEqual(['KT-APPROVAL-NEEDED']);
    const [fresh] = i.simulator.oracle({ values: true }).keys.filter((k) => k.by === 'create');
    i.simulator.setProductStatus(fresh?.consumerKey ?? '', 'orders', 'approved');
    const done = await settled(i);
    expect(done.attention).toEqual([]);
    await expectApigeeInvariants(i);
  },
);

it.concurrent(
  'a scope that somebody changes in mid-rotation is followed before publish',
  async ({ onTestFinished }) => {
    const i = await apigeeInstallation({ onTestFinished, seed: busyApp, policy: { activationLag: '1500ms' } });
    await i.worker();
    await i.request('r-1');
    await i.until('the new key waits out its lag', () => writes(i).includes('update-key'));
    i.simulator.setKeyAttributes(i.simulator.seeded.consumerKey, [{ name: 'tier', value: 'platinum' }]);
    await settled(i);
    const [fresh] = living(i).filter((k) => k.by === 'create');
    expect(fresh?.attributes).toEqual([{ name: 'tier', value: 'platinum' }]);
    await expectApigeeInvariants(i);
  },
);

it.concurrent('a rollback while the old key is held is one approval', async ({ onTestFinished }) => {
  const i = await apigeeInstallation({ onTestFinished, timing: { observe: '1h' } });
  await i.worker();
  await i.request('r-1');
  await i.until('version 1 is held', (s) => s.previous[0]?.retirement === 'held');
  await i.client.rollback(i.credentialId, { by: 'test' });
  const back = await i.until('version 3 is current', (s) => s.current?.version === 3);
  expect(back.lastRotation).toMatchObject({ reason: 'rollback', outcome: 'rotated' });
  const first = living(i).find((k) => k.sha256 === sha256(i.simulator.seeded.consumerKey));
  expect(first?.status).toBe('approved');
  expect(writes(i).filter((kind) => kind === 'approve-key')).toHaveLength(1);
  await i.until('version 2 is held in its turn', (s) => s.previous[0]?.retirement === 'held');
  expect(living(i).find((k) => k.by === 'create')?.status).toBe('revoked');
});

it.concurrent('a leak kills a held key at once, without observation', async ({ onTestFinished }) => {
  const i = await apigeeInstallation({ onTestFinished, timing: { observe: '1h' } });
  await i.worker();
  await i.request('r-1');
  await i.until('version 1 is held', (s) => s.previous[0]?.retirement === 'held');
  await i.request('leak', { reason: 'compromise' });
  await settled(i, 3);
  expect(living(i).map((k) => k.by)).toEqual(['create']);
  await expectApigeeInvariants(i, { gapByOthers: true });
});

it.concurrent('the runtime’s caches: verified when every processor knows the key', async ({ onTestFinished }) => {
  const rules = { messageProcessors: 2, runtimeCacheMs: 2_000, negativeCacheMs: 2_000, propagationDelayMs: 1_000 };
  const i = await apigeeInstallation({
    onTestFinished,
    rules,
    apigee: ({ runtimeUrl, seeded }) => ({
      probe: { url: runtimeUrl + seeded.proxyPath, in: 'header', name: 'x-apikey' },
    }),
  });
  await i.worker();
  await i.request('r-1');
  await settled(i);
  const probes = i.simulator.oracle().requests.filter((r) => r.plane === 'runtime');
  expect(probes.some((r) => r.status === 401)).toBe(true);
  expect(probes.slice(-3).every((r) => r.status === 200)).toBe(true);
  await expectApigeeInvariants(i);
});
