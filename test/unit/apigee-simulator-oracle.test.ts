import { afterEach, describe, expect, it } from 'vitest';
import { oracleOf } from '../../src/simulators/apigee/oracle.js';
import {
  type ApigeeSimulator,
  type ApigeeSimulatorOptions,
  startApigeeSimulator,
} from '../../src/simulators/apigee/index.js';
import { sha256 } from '../../src/simulators/shared/random.js';
import { act, call, create, grant, probe } from './apigee-simulator-caller.js';

let simulator: ApigeeSimulator;
const start = async (options: ApigeeSimulatorOptions = {}) => {
  simulator = await startApigeeSimulator({ ...options, rules: { tokenTtlSeconds: 99_999, ...options.rules } });
};
afterEach(() => simulator.close());

describe('the oracle', () => {
  it('knows when each key was accepted, revoked and deleted, and by which requests', async () => {
    await start();
    const { consumerKey } = simulator.seeded;
    await create(simulator, 'NEW1');
    simulator.clock.advance(1_000);
    await grant(simulator, 'NEW1');
    const grantedMs = simulator.clock.now();
    simulator.clock.advance(1_000);
    await act(simulator, `keys/${consumerKey}`, 'revoke');
    simulator.clock.advance(1_000);
    await call(simulator, 'DELETE', `keys/${consumerKey}`);
    simulator.clock.advance(1_000);
    const oracle = simulator.oracle();
    const [old, fresh] = oracle.keys;
    expect(old).toMatchObject({ serial: 1, by: 'seed', revokedAt: expect.any(Number), deletedAt: expect.any(Number) });
    expect(fresh).toMatchObject({ serial: 2, by: 'create', deletedAt: null, createdByRequest: 1 });
    expect(oracle.acceptedAt(2, grantedMs - 900)).toBe(false);
    expect(oracle.acceptedAt(2, grantedMs)).toBe(true);
    expect(oracle.acceptedAt(1, grantedMs)).toBe(true);
    expect(oracle.acceptedAt(old?.sha256 ?? '', oracle.now)).toBe(false);
    expect(oracle.acceptedSomewhereAt(1, oracle.now, 180_000)).toBe(true);
    expect(oracle.writes.map(({ kind, serials }) => [kind, serials])).toEqual([
      ['create-key', [2]],
      ['update-key', [2]],
      ['revoke-key', [1]],
      ['delete-key', [1]],
    ]);
  });

  it('shows values only when asked, and no key in a path', async () => {
    await start();
    const { consumerKey, consumerSecret, accessToken } = simulator.seeded;
    await call(simulator, 'GET', `keys/${consumerKey}`);
    await call(simulator, 'GET', 'keys/stranger');
    const text = JSON.stringify(simulator.oracle());
    for (const value of [consumerKey, consumerSecret, accessToken, 'stranger']) expect(text).not.toContain(value);
    expect(simulator.oracle().requests.map(({ path }) => path.split('/').at(-1))).toEqual(['#1', '#?']);
    expect(JSON.stringify(simulator.oracle({ values: true }))).toContain(consumerKey);
  });
});

/** Makes a key with a product, and returns the instant of its grant. */
async function made(consumerKey: string): Promise<number> {
  await create(simulator, consumerKey);
  await grant(simulator, consumerKey);
  return simulator.clock.now();
}

const published = (consumerKey: string, fromMs: number, toMs: number) => ({
  sha256: sha256(consumerKey),
  fromMs,
  toMs,
});
const gaps = (consumerKey: string, fromMs: number, toMs: number) =>
  simulator.oracle().gaps([published(consumerKey, fromMs, toMs)]);

const between = (fromMs: number, toMs: number) => (ms: number) => ms >= fromMs && ms <= toMs;

describe('the gaps of what was published', () => {
  it('are none while an accepted key always follows another, and begin with a revoke', async () => {
    await start();
    const { consumerKey } = simulator.seeded;
    const importedMs = simulator.clock.now();
    simulator.clock.advance(10_000);
    const grantedMs = await made('NEW1');
    simulator.clock.advance(10_000);
    await act(simulator, `keys/${consumerKey}`, 'revoke');
    const revokedMs = simulator.oracle().keys[0]?.revokedAt ?? 0;
    simulator.clock.advance(10_000);
    const nowMs = simulator.clock.now();
    const oracle = oracleOf(simulator.oracle());
    const timeline = (until: number) => [
      published(consumerKey, importedMs, until),
      published('NEW1', grantedMs, nowMs),
    ];
    expect(oracle.gaps(timeline(revokedMs))).toEqual([]);
    expect(oracle.gaps(timeline(revokedMs + 5_000))).toEqual([{ fromMs: revokedMs, toMs: revokedMs + 5_000 }]);
    expect(gaps('unknown', 1, 5)).toEqual([{ fromMs: 1, toMs: 5 }]);
    await act(simulator, `keys/${consumerKey}`, 'approve');
    const approvedMs = simulator.clock.now();
    expect(gaps(consumerKey, importedMs, approvedMs + 1_000)).toEqual([
      { fromMs: revokedMs, toMs: expect.any(Number) },
    ]);
  });

  it('last as long as one message processor remembers a key from before its grant', async () => {
    await start();
    await create(simulator, 'NEW1');
    const beforeMs = simulator.clock.now();
    expect(await probe(simulator, 'NEW1')).toContain('missing_api_product_association');
    const afterMs = simulator.clock.now();
    await grant(simulator, 'NEW1');
    const grantedMs = simulator.clock.now();
    const oracle = simulator.oracle();
    expect(oracle.acceptedAt(2, grantedMs)).toBe(true);
    const [gap, ...rest] = oracle.gaps([published('NEW1', grantedMs, grantedMs + 600_000)]);
    expect(rest).toEqual([]);
    expect(gap?.fromMs).toBe(grantedMs);
    expect(gap?.toMs).toSatisfy(between(beforeMs + 180_000, afterMs + 180_000));
    const [everywhere, somewhere] = [oracle.keys[1]?.runtime[0]?.everywhere, oracle.keys[1]?.runtime[0]?.somewhere];
    expect(everywhere).toEqual([{ fromMs: gap?.toMs, toMs: null }]);
    expect(somewhere?.[0]?.fromMs).toBeLessThanOrEqual(grantedMs);
    expect(await probe(simulator, 'NEW1')).toBe('ok');
    expect(await probe(simulator, 'NEW1')).not.toBe('ok');
  });

  it('count what a message processor remembers of an unknown key, and how far its store is behind', async () => {
    await start({ rules: { messageProcessors: 1, negativeCacheMs: 60_000, propagationDelayMs: 5_000 } });
    const beforeMs = simulator.clock.now();
    const fromMs = await made('NEW1');
    const [delayed, ...none] = gaps('NEW1', fromMs, fromMs + 600_000);
    expect(none).toEqual([]);
    expect(delayed?.toMs).toSatisfy(between(beforeMs + 5_000, fromMs + 5_000));
    expect(await probe(simulator, 'NEW1')).toBe('oauth.v2.InvalidApiKey');
    const [remembered] = gaps('NEW1', fromMs, fromMs + 600_000);
    expect(remembered?.toMs).toSatisfy(between(fromMs + 60_000, simulator.clock.now() + 60_000));
  });

  it('are of every proxy unless some are named, and end with the life of the key', async () => {
    await start({
      seed: {
        products: [
          { name: 'orders', proxies: ['orders'] },
          { name: 'stock', proxies: ['stock'], paths: ['/list/**'] },
        ],
        proxies: [
          { name: 'orders', environment: 'prod', basePath: '/orders' },
          { name: 'stock', environment: 'prod', basePath: '/stock' },
        ],
      },
    });
    await create(simulator, 'NEW1', { expiresInSeconds: 60 });
    await grant(simulator, 'NEW1', ['orders']);
    const fromMs = simulator.clock.now();
    const expiresAt = simulator.oracle().keys[1]?.expiresAt ?? 0;
    const timeline = [published('NEW1', fromMs, expiresAt + 1_000)];
    expect(simulator.oracle().gaps(timeline)).toEqual([{ fromMs, toMs: expiresAt + 1_000 }]);
    expect(simulator.oracle().gaps(timeline, ['/orders'])).toEqual([{ fromMs: expiresAt, toMs: expiresAt + 1_000 }]);
    await grant(simulator, 'NEW1', ['stock']);
    expect(gaps('NEW1', simulator.clock.now(), expiresAt)).toEqual([]);
  });
});
