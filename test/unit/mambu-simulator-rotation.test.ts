import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type MambuSimulator, startMambuSimulator } from '../../src/simulators/mambu/index.js';
import { call, field, refusedFor, rotate, rotated, seedOf } from './mambu-simulator-caller.js';

let simulator: MambuSimulator;
beforeEach(async () => {
  simulator = await startMambuSimulator();
});
afterEach(() => simulator.close());

const GRACE_MS = 1_800_000;
const works = async (apiKey: string) =>
  (await call(simulator, 'GET', '/branches', { headers: { apiKey } })).status === 200;
const listed = async (apiKey: string) => {
  const { body } = await call(simulator, 'GET', '/consumers/rotator/keys', { headers: { apiKey } });
  if (!Array.isArray(body)) throw new Error('no list');
  return body;
};

describe('a rotation', () => {
  it('answers 200 with exactly apiKey, id and secretKey, all new', async () => {
    const seed = seedOf(simulator);
    const reply = await rotate(simulator, seed, { body: { expirationTime: 100_000_000 } });
    expect(reply.status).toBe(200);
    expect(Object.keys(reply.body ?? {}).toSorted()).toEqual(['apiKey', 'id', 'secretKey']);
    const next = rotated(reply);
    expect([next.apiKey, next.keyId, next.secretKey]).not.toContain(seed.apiKey);
    expect(next.keyId).not.toBe(seed.keyId);
    expect(await works(next.apiKey)).toBe(true);
  });

  it('lets the old key live 1800 s from the rotation and not longer', async () => {
    const seed = seedOf(simulator);
    await rotate(simulator, seed);
    simulator.clock.advance(GRACE_MS - 5_000);
    expect(await works(seed.apiKey)).toBe(true);
    simulator.clock.advance(5_000);
    expect(await works(seed.apiKey)).toBe(false);
    const [old] = simulator.oracle().keys;
    expect((old?.diesAt ?? 0) - (old?.rotatedAt ?? 0)).toBe(GRACE_MS);
  });

  it('kills the old key and the old secret key at once when the grace is 0', async () => {
    const seed = seedOf(simulator);
    simulator.setGrace(0);
    const next = rotated(await rotate(simulator, seed));
    expect(await works(seed.apiKey)).toBe(false);
    expect((await rotate(simulator, seed)).status).toBe(401);
    expect((await rotate(simulator, next)).status).toBe(200);
  });

  it('gives the new key the asked life, which the UI expiry overrides', async () => {
    const first = rotated(await rotate(simulator, seedOf(simulator), { body: { expirationTime: 600 } }));
    expect((await listed(first.apiKey)).find(({ id }) => id === first.keyId)).toMatchObject({ expirationTime: 600 });
    simulator.setAutomaticExpiry(60);
    const second = rotated(await rotate(simulator, first, { body: { expirationTime: 600 } }));
    expect((await listed(second.apiKey)).find(({ id }) => id === second.keyId)).toMatchObject({ expirationTime: 60 });
  });

  it('can keep the id: old and new value share it during the grace, and a delete kills both', async () => {
    simulator.rules.rotationKeepsId = true;
    const seed = seedOf(simulator);
    const next = rotated(await rotate(simulator, seed));
    expect(next.keyId).toBe(seed.keyId);
    expect((await listed(next.apiKey)).map(({ id }) => id)).toEqual([seed.keyId, seed.keyId]);
    expect([await works(seed.apiKey), await works(next.apiKey)]).toEqual([true, true]);
    await call(simulator, 'DELETE', `/consumers/rotator/apikeys/${seed.keyId}`, { headers: { apiKey: next.apiKey } });
    expect([await works(seed.apiKey), await works(next.apiKey)]).toEqual([false, false]);
  });
});

describe('its credential', () => {
  it.each([
    ['apiKey', (key: string) => ({ apiKey: key })],
    ['an empty apikey', () => ({ apikey: '' })],
    ['Authorization', (key: string) => ({ authorization: `Basic ${btoa(`u:${key}`)}` })],
  ])('is refused with 401 code 2 as soon as a header %s is present', async (_name, header) => {
    const seed = seedOf(simulator);
    const reply = await rotate(simulator, seed, { headers: header(seed.apiKey) });
    expect(reply).toMatchObject({
      status: 401,
      body: { errors: [{ errorCode: 2, errorReason: 'INVALID_CREDENTIALS' }] },
    });
    expect(simulator.oracle().keys).toHaveLength(1);
  });

  it('must be in the header secretkey, and the status of a bad one is a knob', async () => {
    const seed = seedOf(simulator);
    const elsewhere = { apiKey: seed.secretKey };
    expect((await rotate(simulator, seed, { headers: elsewhere })).status).toBe(401);
    const none = await call(simulator, 'POST', '/apikey/rotation', { body: { apiKey: seed.apiKey, id: seed.keyId } });
    expect(none.status).toBe(401);
    simulator.rules.badSecretStatus = 403;
    expect((await rotate(simulator, { ...seed, secretKey: 'wrong' })).status).toBe(403);
  });

  it('stays good for a second rotation during the grace, of the old key too, and leaves the first new key alive', async () => {
    const seed = seedOf(simulator);
    const lost = rotated(await rotate(simulator, seed));
    const again = await rotate(simulator, seed);
    expect(again.status).toBe(200);
    expect(await works(lost.apiKey)).toBe(true);
    simulator.clock.advance(GRACE_MS);
    expect((await rotate(simulator, lost)).status).toBe(401);
    expect((await rotate(simulator, rotated(again))).status).toBe(200);
    expect(await works(seed.apiKey)).toBe(false);
  });

  it('is spent by its first use where the tenant says so', async () => {
    simulator.rules.secondRotationInGrace = false;
    await rotate(simulator, seedOf(simulator));
    expect((await rotate(simulator, seedOf(simulator))).status).toBe(401);
    simulator.reset();
    simulator.rules.secretLifeAfterUseMs = 0;
    await rotate(simulator, seedOf(simulator));
    expect((await rotate(simulator, seedOf(simulator))).status).toBe(401);
    expect(simulator.oracle().requests.at(-1)?.credential).toMatchObject({ kind: 'secretKey', outcome: 'expired' });
  });
});

describe('its body', () => {
  it('must name the current key by value and id, unless the tenant is content with less', async () => {
    const seed = seedOf(simulator);
    const send = (body: unknown) =>
      call(simulator, 'POST', '/apikey/rotation', { headers: { secretkey: seed.secretKey }, body });
    expect((await send({})).status).toBe(400);
    expect((await send({ id: seed.keyId })).status).toBe(400);
    expect((await send({ apiKey: seed.apiKey })).status).toBe(400);
    expect((await send({ apiKey: 1, id: seed.keyId })).status).toBe(400);
    simulator.rules.rotationNeeds = 'id';
    expect((await send({ id: seed.keyId })).status).toBe(200);
    simulator.rules.rotationNeeds = 'either';
    expect((await send({ apiKey: seed.apiKey })).status).toBe(200);
    expect((await send({})).status).toBe(400);
  });

  it('with an unknown id, another consumer’s key or a wrong pair is refused with 400 or 403, without a strike', async () => {
    const seed = seedOf(simulator);
    const other = simulator.addConsumer({ id: 'other' });
    const wrong = [
      { ...seed, keyId: 'f'.repeat(32) },
      { ...seed, apiKey: seed.apiKey.slice(0, 6) },
      { ...seed, apiKey: other.apiKey, keyId: other.keyId },
    ];
    for (const body of wrong) {
      expect(await rotate(simulator, body)).toMatchObject({ status: 400, body: refusedFor('INVALID_API_KEY_ID') });
    }
    simulator.rules.unknownRotationTargetStatus = 403;
    for (const body of wrong) expect((await rotate(simulator, body)).status).toBe(403);
    expect(simulator.oracle()).toMatchObject({ strikes: { total: 0 }, writes: [] });
    expect((await rotate(simulator, seed)).status).toBe(200);
  });

  it('cannot name a key whose grace is over or that was deleted, however good the secret key', async () => {
    const seed = seedOf(simulator);
    const next = rotated(await rotate(simulator, seed));
    simulator.clock.advance(GRACE_MS);
    expect((await rotate(simulator, { ...seed, secretKey: next.secretKey })).status).toBe(400);
    simulator.deleteKey(next.keyId);
    expect((await rotate(simulator, next)).status).toBe(400);
  });

  it('is JSON with its content type, and expirationTime is checked before anything happens', async () => {
    const seed = seedOf(simulator);
    expect((await rotate(simulator, seed, { headers: { 'content-type': 'text/plain' } })).status).toBe(400);
    expect((await rotate(simulator, seed, { body: { expirationTime: 100_000_001 } })).status).toBe(400);
    expect(simulator.oracle().writes).toEqual([]);
  });
});

it('ignores an Idempotency-Key on rotation, or replays by it where the tenant says so', async () => {
  const headers = { 'idempotency-key': crypto.randomUUID() };
  const first = await rotate(simulator, seedOf(simulator), { headers });
  const second = await rotate(simulator, seedOf(simulator), { headers });
  expect(field(second, 'apiKey')).not.toBe(field(first, 'apiKey'));
  simulator.rules.idempotencyOnRotation = 'replay';
  const third = await rotate(simulator, seedOf(simulator), { headers });
  expect((await rotate(simulator, seedOf(simulator), { headers })).body).toEqual(third.body);
  expect(simulator.oracle().writes).toHaveLength(3);
});
