import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type MambuSimulator, startMambuSimulator } from '../../src/simulators/mambu/index.js';
import { call, field, refusedFor, rotate, rotated, seedOf } from './mambu-simulator-caller.js';

let simulator: MambuSimulator;
beforeEach(async () => {
  simulator = await startMambuSimulator();
});
afterEach(() => simulator.close());

const basic = (username: string, password: string) => ({
  authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`,
});

describe('credentials', () => {
  it.each(['apiKey', 'apikey', 'APIKEY'])('takes the key from the header %s', async (name) => {
    const reply = await call(simulator, 'GET', '/branches?limit=1', { headers: { [name]: seedOf(simulator).apiKey } });
    expect(reply.status).toBe(200);
    expect(reply.body).toHaveLength(1);
    expect(reply.headers.get('content-type')).toBe('application/vnd.mambu.v2+json');
  });

  it('takes Basic authentication of a user, whose password may hold colons, and refuses a wrong password', async () => {
    simulator.setUser({ username: 'ada', password: 'p:w', permissions: ['VIEW_BRANCH_DETAILS'] });
    expect((await call(simulator, 'GET', '/branches', { headers: basic('ada', 'p:w') })).status).toBe(200);
    const wrong = await call(simulator, 'GET', '/branches', { headers: basic('ada', 'p') });
    expect(wrong).toMatchObject({ status: 401, body: refusedFor('INVALID_CREDENTIALS') });
  });

  it('makes keys of 32 base62 characters and ids of 32 hex characters', () => {
    const seed = seedOf(simulator);
    expect(seed.apiKey).toMatch(/^[A-Za-z0-9]{32}$/);
    expect(seed.secretKey).toMatch(/^[A-Za-z0-9]{32}$/);
    expect(seed.keyId).toMatch(/^[0-9a-f]{32}$/);
    expect(seed.encodedKey).toMatch(/^[0-9a-f]{32}$/);
  });

  it('answers 401 with code 2 to an unknown key, to none, and to a secret key outside rotation', async () => {
    const error = { errors: [{ errorCode: 2, errorSource: 'credentials', errorReason: 'INVALID_CREDENTIALS' }] };
    const unknown = await call(simulator, 'GET', '/branches', { headers: { apiKey: 'x'.repeat(32) } });
    const none = await call(simulator, 'GET', '/branches');
    const secret = await call(simulator, 'GET', '/branches', { headers: { secretkey: seedOf(simulator).secretKey } });
    for (const reply of [unknown, none, secret]) expect(reply).toMatchObject({ status: 401, body: error });
  });

  it('can say INVALID_API_KEY, a bare object with a string code, or gateway HTML instead', async () => {
    const wrong = () => call(simulator, 'GET', '/branches', { headers: { apiKey: 'wrong' } });
    simulator.rules.invalidKeyReason = 'INVALID_API_KEY';
    expect((await wrong()).body).toEqual(refusedFor('INVALID_API_KEY'));
    simulator.rules.invalidKeyReason = 'INVALID_CREDENTIALS';
    simulator.rules.errorFormat = 'bare-string-code';
    expect((await wrong()).body).toMatchObject({ errorCode: '2', errorReason: 'INVALID_CREDENTIALS' });
    simulator.rules.errorFormat = 'gateway-html';
    const html = await wrong();
    expect(html.status).toBe(401);
    expect(html.headers.get('content-type')).toBe('text/html');
    expect(html.body).toContain('<html>');
  });

  it('treats a request without the v2 Accept header as v1, unless the tenant is lenient', async () => {
    const headers = { apiKey: seedOf(simulator).apiKey, accept: 'application/json' };
    const strict = await call(simulator, 'GET', '/consumers/rotator/keys', { headers });
    expect(strict).toMatchObject({ status: 400, body: { returnCode: 4, returnStatus: 'INVALID_PARAMETERS' } });
    simulator.rules.withoutV2Accept = 'accept';
    expect((await call(simulator, 'GET', '/consumers/rotator/keys', { headers })).status).toBe(200);
  });
});

describe('permissions and features', () => {
  it('answers 403 INVALID_PERMISSIONS per permission, which is no strike', async () => {
    const { apiKey, keyId } = seedOf(simulator);
    const headers = { apiKey };
    const attempts = [
      ['VIEW_API_CONSUMERS_AND_KEYS', 'GET', '/consumers/rotator/keys'],
      ['CREATE_API_CONSUMERS_AND_KEYS', 'POST', '/consumers/rotator/apikeys'],
      ['CREATE_API_CONSUMERS_AND_KEYS', 'POST', '/consumers/rotator/secretkeys'],
      ['VIEW_BRANCH_DETAILS', 'GET', '/branches'],
      ['DELETE_API_CONSUMERS_AND_KEYS', 'DELETE', `/consumers/rotator/apikeys/${keyId}`],
    ] as const;
    simulator.setPermissions('rotator', []);
    for (const [, method, path] of attempts) {
      const reply = await call(simulator, method, path, { headers });
      expect(reply).toMatchObject({
        status: 403,
        body: { errors: [{ errorCode: 15, errorReason: 'INVALID_PERMISSIONS' }] },
      });
    }
    for (const [permission, method, path] of attempts) {
      simulator.setPermissions('rotator', [permission]);
      expect((await call(simulator, method, path, { headers })).status).toBeLessThan(300);
    }
    expect(simulator.oracle().strikes.total).toBe(0);
  });

  it('answers 403 FEATURE_DISABLED where API consumers are not enabled, while business paths work', async () => {
    const headers = { apiKey: seedOf(simulator).apiKey };
    simulator.rules.apiConsumersFeature = false;
    const keys = await call(simulator, 'GET', '/consumers/rotator/keys', { headers });
    expect(keys).toMatchObject({ status: 403, body: { errors: [{ errorCode: 19, errorReason: 'FEATURE_DISABLED' }] } });
    expect((await rotate(simulator, seedOf(simulator))).status).toBe(403);
    expect((await call(simulator, 'GET', '/loans', { headers })).status).toBe(200);
  });

  it('generates nothing in a maintenance window, and leaves the secret key unused', async () => {
    const headers = { apiKey: seedOf(simulator).apiKey };
    simulator.rules.maintenance = true;
    simulator.rules.maintenanceStatus = 503;
    const readOnly = { status: 503, body: { errors: [{ errorCode: 32, errorReason: 'READ_ONLY_MODE' }] } };
    expect(await call(simulator, 'POST', '/consumers/rotator/apikeys', { headers })).toMatchObject(readOnly);
    expect(await call(simulator, 'POST', '/consumers/rotator/secretkeys', { headers })).toMatchObject(readOnly);
    expect(await rotate(simulator, seedOf(simulator))).toMatchObject(readOnly);
    expect((await call(simulator, 'GET', '/consumers/rotator/keys', { headers })).status).toBe(200);
    simulator.rules.maintenance = false;
    expect((await rotate(simulator, seedOf(simulator))).status).toBe(200);
  });
});

describe('the IP block', () => {
  const strike = () => call(simulator, 'GET', '/branches', { headers: { apiKey: 'wrong' } });
  const good = () => call(simulator, 'GET', '/branches', { headers: { apiKey: seedOf(simulator).apiKey } });

  it('comes with the tenth invalid call ever, whatever succeeds and however much time passes in between', async () => {
    for (let strikes = 1; strikes <= 9; strikes += 1) {
      await strike();
      simulator.clock.advance(30 * 86_400_000);
      expect((await good()).status).toBe(200);
    }
    expect(simulator.oracle().strikes).toMatchObject({ total: 9, blocked: false });
    expect((await strike()).status).toBe(401);
    const blocked = await good();
    expect(blocked).toMatchObject({
      status: 403,
      body: { errors: [{ errorCode: 24, errorReason: 'EXCESSIVE_INVALID_REQUESTS' }] },
    });
    expect(simulator.oracle().strikes).toMatchObject({ total: 10, blocked: true });
  });

  it('stops rotation too, stays over time, and ends only by the administrator', async () => {
    simulator.rules.strikeLimit = 1;
    simulator.rules.blockedReason = 'INVALID_IP_ADDRESS';
    await strike();
    simulator.clock.advance(365 * 86_400_000);
    expect(await rotate(simulator, seedOf(simulator))).toMatchObject({
      status: 403,
      body: { errors: [{ errorCode: 16, errorReason: 'INVALID_IP_ADDRESS' }] },
    });
    simulator.unblockIp();
    expect((await good()).status).toBe(200);
    expect(simulator.oracle().strikes).toMatchObject({ total: 1, sinceUnblock: 0, blocked: false });
  });

  it('counts bad secret keys and mixed credentials on rotation', async () => {
    const seed = seedOf(simulator);
    await rotate(simulator, { ...seed, secretKey: 'wrong' });
    await rotate(simulator, seed, { headers: { apiKey: seed.apiKey } });
    expect(simulator.oracle().strikes.total).toBe(2);
  });
});

describe('the credential cache', () => {
  it('refuses a fresh key for a while, and longer when it remembers the refusal', async () => {
    simulator.rules.freshKeyRefusedMs = 1_000;
    const created = await call(simulator, 'POST', '/consumers/rotator/apikeys', {
      headers: { apiKey: seedOf(simulator).apiKey },
    });
    const use = () => call(simulator, 'GET', '/branches', { headers: { apiKey: field(created, 'apiKey') } });
    expect((await use()).status).toBe(401);
    simulator.clock.advance(1_000);
    expect((await use()).status).toBe(200);

    simulator.rules.refusalRememberedMs = 300_000;
    const next = rotated(await rotate(simulator, seedOf(simulator)));
    const useNext = () => call(simulator, 'GET', '/branches', { headers: { apiKey: next.apiKey } });
    expect((await useNext()).status).toBe(401);
    simulator.clock.advance(200_000);
    expect((await useNext()).status).toBe(401);
    simulator.clock.advance(300_000);
    expect((await useNext()).status).toBe(200);
  });

  it('accepts a deleted key for a while, although it is listed no more', async () => {
    simulator.rules.deletedKeyAcceptedMs = 60_000;
    const { apiKey, keyId } = seedOf(simulator);
    const headers = { apiKey };
    expect((await call(simulator, 'DELETE', `/consumers/rotator/apikeys/${keyId}`, { headers })).status).toBe(204);
    expect((await call(simulator, 'GET', '/consumers/rotator/keys', { headers })).body).toEqual([]);
    simulator.clock.advance(60_000);
    expect((await call(simulator, 'GET', '/branches', { headers })).status).toBe(401);
  });
});
