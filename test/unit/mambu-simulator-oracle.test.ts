import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import {
  describeForStdout,
  type MambuSimulator,
  type OracleData,
  oracleOf,
  startMambuSimulator,
} from '../../src/simulators/mambu/index.js';
import { call, rotate, rotated, seedOf } from './mambu-simulator-caller.js';

let simulator: MambuSimulator;
beforeEach(async () => {
  simulator = await startMambuSimulator();
});
afterEach(() => simulator.close());

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

async function control(method: string, path: string, body?: unknown): Promise<{ status: number; body: unknown }> {
  const payload = body === undefined ? {} : { body: JSON.stringify(body) };
  const response = await fetch(simulator.controlUrl + path, { method, ...payload });
  return { status: response.status, body: await response.json() };
}

describe('the oracle', () => {
  it('names keys by serial and hash, and shows values only when asked', async () => {
    const seed = seedOf(simulator);
    const next = rotated(await rotate(simulator, seed));
    const plain = JSON.stringify(simulator.oracle());
    for (const secret of [seed.apiKey, seed.secretKey, next.apiKey, next.secretKey])
      expect(plain).not.toContain(secret);
    const { keys, secretKeys } = simulator.oracle({ values: true });
    expect(keys.map(({ value }) => value)).toEqual([seed.apiKey, next.apiKey]);
    expect(secretKeys.map(({ value }) => value)).toEqual([seed.secretKey, next.secretKey]);
    expect(keys).toMatchObject([
      { sha256: sha256(seed.apiKey), id: seed.keyId, by: 'seed', createdByRequest: null },
      { sha256: sha256(next.apiKey), id: next.keyId, by: 'rotation', createdByRequest: 1, diesAt: null },
    ]);
    expect(new Set([...keys, ...secretKeys].map(({ serial }) => serial)).size).toBe(4);
  });

  it('records each request with its credential, its outcome and its commit', async () => {
    const { apiKey } = seedOf(simulator);
    const idempotencyKey = crypto.randomUUID();
    const headers = { apiKey, 'Idempotency-Key': idempotencyKey };
    await call(simulator, 'POST', '/consumers/rotator/apikeys', { headers, body: {} });
    await call(simulator, 'GET', '/branches?limit=1', { headers: { apiKey: 'wrong' } });
    const { requests, writes } = simulator.oracle();
    expect(requests).toMatchObject([
      {
        n: 1,
        method: 'POST',
        route: '/consumers/{id}/apikeys',
        path: '/api/consumers/rotator/apikeys',
        consumerId: 'rotator',
        credential: { kind: 'apiKey', serial: 1, outcome: 'accepted' },
        idempotencyKey,
        status: 201,
        committed: true,
        fault: null,
        bodySha256: sha256('{}'),
      },
      {
        n: 2,
        consumerId: null,
        credential: { kind: 'apiKey', serial: null, outcome: 'refused' },
        status: 401,
        committed: false,
        bodySha256: null,
      },
    ]);
    expect(writes).toMatchObject([{ request: 1, kind: 'create-key', consumerId: 'rotator', serials: [3] }]);
  });

  it('knows at any instant whether a key is accepted, and finds the gaps of what was published', async () => {
    const seed = seedOf(simulator);
    const createdAt = simulator.oracle().keys[0]?.createdAt ?? 0;
    simulator.setGrace(1_000);
    await rotate(simulator, seed);
    const oracle = simulator.oracle();
    const [old, fresh] = oracle.keys;
    if (old === undefined || fresh === undefined || old.diesAt === null) throw new Error('two keys, one of them dying');
    expect(oracle.acceptedAt(old.sha256, createdAt - 1)).toBe(false);
    expect(oracle.acceptedAt(old.sha256, createdAt)).toBe(true);
    expect(oracle.acceptedAt(old.serial, old.diesAt - 1)).toBe(true);
    expect(oracle.acceptedAt(old.serial, old.diesAt)).toBe(false);
    expect(oracle.acceptedAt('unknown', old.diesAt)).toBe(false);
    const published = (oldUntil: number) => [
      { fromMs: createdAt, toMs: oldUntil, sha256: old.sha256 },
      { fromMs: oldUntil, toMs: old.diesAt ?? 0, sha256: fresh.sha256 },
    ];
    expect(oracle.gaps(published(old.diesAt - 500))).toEqual([]);
    expect(oracle.gaps([{ fromMs: createdAt, toMs: old.diesAt + 250, sha256: old.sha256 }])).toEqual([
      { fromMs: old.diesAt, toMs: old.diesAt + 250 },
    ]);
    expect(oracle.gaps([{ fromMs: fresh.createdAt - 10, toMs: fresh.createdAt + 10, sha256: fresh.sha256 }])).toEqual([
      { fromMs: fresh.createdAt - 10, toMs: fresh.createdAt },
    ]);
    expect(
      oracle.gaps([
        { fromMs: 1, toMs: 5, sha256: 'unknown' },
        { fromMs: 5, toMs: 9, sha256: 'unknown' },
      ]),
    ).toEqual([{ fromMs: 1, toMs: 9 }]);
  });

  it('finds one long gap for a key that was refused from the first to the last', async () => {
    simulator.rules.freshKeyRefusedMs = 5_000;
    const { keyId } = simulator.createKey('rotator');
    simulator.deleteKey(keyId);
    const [, key] = simulator.oracle().keys;
    if (key === undefined) throw new Error('no key');
    const whole = { fromMs: key.createdAt, toMs: key.createdAt + 10_000 };
    expect(simulator.oracle().gaps([{ ...whole, sha256: key.sha256 }])).toEqual([whole]);
  });
});

describe('the control API', () => {
  const oracleBody = z.custom<OracleData>((value) => typeof value === 'object' && value !== null && 'keys' in value);

  it('serves the oracle, from which the same questions can be asked', async () => {
    const { apiKey } = seedOf(simulator);
    const plain = await control('GET', '/oracle');
    expect(JSON.stringify(plain.body)).not.toContain(apiKey);
    const oracle = oracleOf(oracleBody.parse((await control('GET', '/oracle?values=1')).body));
    expect(oracle.keys[0]?.value).toBe(apiKey);
    expect(oracle.acceptedAt(sha256(apiKey), oracle.now)).toBe(true);
  });

  it('adds faults, one or several, and clears them', async () => {
    const fault = { match: { route: '/branches' }, action: 'fail-before', status: 500 };
    expect((await control('POST', '/faults', [fault, fault])).body).toEqual({ added: 2 });
    expect((await control('POST', '/faults', fault)).body).toEqual({ added: 1 });
    const get = async () =>
      (await call(simulator, 'GET', '/branches', { headers: { apiKey: seedOf(simulator).apiKey } })).status;
    expect(await get()).toBe(500);
    await control('POST', '/faults', { ...fault, match: { times: 'always' } });
    await control('DELETE', '/faults');
    expect(await get()).toBe(200);
    expect((await control('POST', '/faults', { match: {}, action: 'explode' })).status).toBe(400);
  });

  it('jumps forward in time, never back', async () => {
    const before = simulator.clock.now();
    const { body } = await control('POST', '/clock', { advanceMs: 3_600_000 });
    expect(body).toMatchObject({ now: expect.any(Number) });
    expect(simulator.clock.now() - before).toBeGreaterThanOrEqual(3_600_000);
    expect((await control('POST', '/clock', { advanceMs: -1 })).status).toBe(400);
    expect(() => simulator.clock.advance(Number.NaN)).toThrow(RangeError);
    const { now, realNow } = simulator.oracle();
    expect(now - realNow).toBeGreaterThanOrEqual(3_600_000);
  });

  it('shows and changes the rules, and refuses unknown knobs', async () => {
    expect((await control('GET', '/rules')).body).toMatchObject({ graceMs: 1_800_000, strikeLimit: 10 });
    expect((await control('PUT', '/rules', { graceMs: 5 })).body).toMatchObject({ graceMs: 5, strikeLimit: 10 });
    expect(simulator.rules.graceMs).toBe(5);
    expect((await control('PUT', '/rules', { graceMs: 6, grace: 1 })).status).toBe(400);
    expect(simulator.rules.graceMs).toBe(5);
  });

  it('resets to new seeds, the first rules, the real clock and no faults', async () => {
    const before = seedOf(simulator);
    simulator.rules.graceMs = 5;
    simulator.clock.advance(1_000_000);
    simulator.faults.add({ match: {}, action: 'fail-before' });
    const { body } = await control('POST', '/reset');
    expect(body).toEqual(describeForStdout(simulator));
    const after = seedOf(simulator);
    expect(after.apiKey).not.toBe(before.apiKey);
    expect(simulator.rules.graceMs).toBe(1_800_000);
    expect(simulator.oracle()).toMatchObject({ requests: [], writes: [] });
    expect((await call(simulator, 'GET', '/branches', { headers: { apiKey: after.apiKey } })).status).toBe(200);
    expect(Math.abs(simulator.clock.now() - Date.now())).toBeLessThan(1_000);
  });

  it('does what the administrator does', async () => {
    const admin = (action: string, body?: unknown) => control('POST', `/admin/${action}`, body);
    const added = await admin('add-consumer', { id: 'other', permissions: [] });
    expect(added).toMatchObject({ status: 200, body: { consumerId: 'other' } });
    expect((await admin('set-permissions', { consumerId: 'other', permissions: ['VIEW_BRANCH_DETAILS'] })).status).toBe(
      200,
    );
    const made = z.object({ keyId: z.string(), apiKey: z.string() });
    const { keyId, apiKey } = made.parse((await admin('create-key', { consumerId: 'other' })).body);
    expect((await call(simulator, 'GET', '/branches', { headers: { apiKey } })).status).toBe(200);
    expect((await admin('delete-key', { keyId })).status).toBe(200);
    expect((await admin('delete-key', { keyId })).status).toBe(400);
    expect((await admin('regenerate-secret', { consumerId: 'other' })).body).toHaveProperty('secretKey');
    expect((await admin('delete-consumer', { consumerId: 'other' })).status).toBe(200);
    expect((await admin('set-user', { username: 'a', password: 'b', permissions: [] })).status).toBe(200);
    expect((await admin('unblock-ip')).body).toEqual({ ok: true });
    await admin('set-grace', { graceMs: 7 });
    await admin('set-automatic-expiry', { seconds: 60 });
    expect(simulator.rules).toMatchObject({ graceMs: 7, automaticExpirySeconds: 60 });
    expect((await admin('clone-sandbox')).body).toMatchObject({
      consumers: [],
      baseUrl: expect.stringMatching(/\/api$/),
    });
    expect((await admin('nothing')).status).toBe(404);
    expect((await control('GET', '/admin/unblock-ip')).status).toBe(404);
  });

  it('describes the simulator as a parent process needs it', async () => {
    const described = describeForStdout(simulator);
    expect((await control('GET', '/')).body).toEqual(described);
    expect(Object.keys(described)).toEqual(['baseUrl', 'controlUrl', 'consumers']);
    expect(Object.keys(seedOf(simulator))).toEqual(['consumerId', 'encodedKey', 'keyId', 'apiKey', 'secretKey']);
  });
});

it('refuses a wrong rule and a taken port', async () => {
  await expect(startMambuSimulator({ tenant: { graceMs: -1 } })).rejects.toThrow('graceMs');
  const controlPort = Number(new URL(simulator.controlUrl).port);
  await expect(startMambuSimulator({ controlPort })).rejects.toThrow('EADDRINUSE');
});

it('takes tenant rules and seeds', async () => {
  const other = await startMambuSimulator({
    tenant: { graceMs: 5 },
    seed: [
      { id: 'a', expirationTime: 60 },
      { name: 'B', permissions: [] },
    ],
  });
  expect(other.rules.graceMs).toBe(5);
  expect(other.seeded.map(({ consumerId }) => consumerId)).toEqual(['a', expect.stringMatching(/^[0-9a-f]{8}$/)]);
  const [first] = other.oracle().keys;
  expect((first?.diesAt ?? 0) - (first?.createdAt ?? 0)).toBe(60_000);
  await other.close();
});
