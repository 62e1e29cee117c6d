import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Fault, type MambuSimulator, startMambuSimulator } from '../../src/simulators/mambu/index.js';
import { call, rotate, rotated, seedOf } from './mambu-simulator-caller.js';

let simulator: MambuSimulator;
beforeEach(async () => {
  simulator = await startMambuSimulator();
});
afterEach(() => simulator.close());

const branches = () => call(simulator, 'GET', '/branches', { headers: { apiKey: seedOf(simulator).apiKey } });
const rotation = { method: 'POST', route: '/apikey/rotation' } as const;
const lastRequest = () => simulator.oracle().requests.at(-1);
const kinds = () => simulator.oracle().writes.map(({ kind }) => kind);

describe('what a fault hits', () => {
  it('is the nth request of a method and route, as often as it says', async () => {
    simulator.faults.add({ match: { method: 'GET', route: '/branches', nth: 2, times: 2 }, action: 'fail-before' });
    const statuses: number[] = [];
    for (let turn = 0; turn < 4; turn += 1) {
      await call(simulator, 'GET', '/loans', { headers: { apiKey: seedOf(simulator).apiKey } });
      statuses.push((await branches()).status);
    }
    expect(statuses).toEqual([200, 503, 503, 200]);
  });

  it('is one request by default, every one with "always", and none after a clear', async () => {
    simulator.faults.add({ match: {}, action: 'fail-before' });
    expect([(await branches()).status, (await branches()).status]).toEqual([503, 200]);
    simulator.faults.add({ match: { times: 'always' }, action: 'fail-before' });
    expect([(await branches()).status, (await branches()).status]).toEqual([503, 503]);
    simulator.faults.clear();
    expect((await branches()).status).toBe(200);
  });

  it('refuses a fault it does not know', () => {
    expect(() => simulator.faults.add({ match: { rout: '/x' }, action: 'fail-before' } as Fault)).toThrow('rout');
  });
});

describe('faults before processing', () => {
  it('fail-before answers with status, headers and body, and nothing happened', async () => {
    const headers = { 'retry-after': '7' };
    simulator.faults.add({ match: rotation, action: 'fail-before', status: 429, headers, body: 'slow down' });
    const reply = await rotate(simulator, seedOf(simulator));
    expect(reply).toMatchObject({ status: 429, body: 'slow down' });
    expect(reply.headers.get('retry-after')).toBe('7');
    expect(lastRequest()).toMatchObject({ status: 429, decided: null, committed: false, fault: 'fail-before' });
    expect(lastRequest()?.credential).toMatchObject({ kind: 'secretKey', outcome: 'unchecked' });
    expect(kinds()).toEqual([]);
    expect((await rotate(simulator, seedOf(simulator))).status).toBe(200);
  });

  it('fail-before can reset the connection instead', async () => {
    simulator.faults.add({ match: rotation, action: 'fail-before', reset: true });
    await expect(rotate(simulator, seedOf(simulator))).rejects.toThrow();
    expect(lastRequest()).toMatchObject({ status: null, committed: false });
  });

  it('redirect points at a path of the tenant, where a client that follows is seen', async () => {
    simulator.faults.add({ match: rotation, action: 'redirect' });
    const reply = await rotate(simulator, seedOf(simulator));
    expect(reply.status).toBe(307);
    const location = new URL(reply.headers.get('location') ?? '', simulator.baseUrl);
    await fetch(location);
    expect(lastRequest()).toMatchObject({ route: 'unknown', path: '/api/redirected', status: 404 });
    expect(kinds()).toEqual([]);
  });

  it('status answers instead of the tenant, before or after the commit', async () => {
    simulator.faults.add({ match: rotation, action: 'status', status: 502 });
    expect((await rotate(simulator, seedOf(simulator))).status).toBe(502);
    expect(kinds()).toEqual([]);
    simulator.faults.add({ match: rotation, action: 'status', status: 504, commit: true });
    expect((await rotate(simulator, seedOf(simulator))).status).toBe(504);
    expect(kinds()).toEqual(['rotate']);
    expect(lastRequest()).toMatchObject({ status: 504, decided: 200, committed: true });
  });
});

describe('faults after processing', () => {
  it('drop-after-commit rotates and answers nothing', async () => {
    simulator.faults.add({ match: rotation, action: 'drop-after-commit' });
    await expect(rotate(simulator, seedOf(simulator))).rejects.toThrow();
    expect(lastRequest()).toMatchObject({ status: null, decided: 200, committed: true, fault: 'drop-after-commit' });
    expect(kinds()).toEqual(['rotate']);
  });

  it('truncate announces the whole length and ends in the middle', async () => {
    simulator.faults.add({ match: rotation, action: 'truncate' });
    const { apiKey, keyId, secretKey } = seedOf(simulator);
    const response = await fetch(`${simulator.baseUrl}/apikey/rotation`, {
      method: 'POST',
      headers: { accept: 'application/vnd.mambu.v2+json', 'content-type': 'application/json', secretkey: secretKey },
      body: JSON.stringify({ apiKey, id: keyId }),
    });
    expect(response.status).toBe(200);
    expect(Number(response.headers.get('content-length'))).toBeGreaterThan(100);
    await expect(response.text()).rejects.toThrow();
    expect(kinds()).toEqual(['rotate']);
  });

  it('garbage keeps status and content type and spoils the body', async () => {
    simulator.faults.add({ match: rotation, action: 'garbage' });
    const reply = await rotate(simulator, seedOf(simulator));
    expect(reply).toMatchObject({ status: 200, body: '<<<{"apiKey":' });
    expect(kinds()).toEqual(['rotate']);
  });

  it('answer-for-another is right in form and names another key', async () => {
    simulator.faults.add({ match: rotation, action: 'answer-for-another' });
    const reply = rotated(await rotate(simulator, seedOf(simulator)));
    const made = simulator.oracle({ values: true }).keys.at(-1);
    expect(reply.keyId).toMatch(/^[0-9a-f]{32}$/);
    expect(reply.keyId).not.toBe(made?.id);
    expect(reply.apiKey).toBe(made?.value);
    simulator.faults.add({ match: {}, action: 'answer-for-another', fields: ['id', 'apiKey'] });
    const { body } = await call(simulator, 'GET', '/consumers/rotator/keys', { headers: { apiKey: reply.apiKey } });
    expect(body).toMatchObject([{ apiKey: expect.stringMatching(/^.{6}$/) }, {}]);
    expect(JSON.stringify(body)).not.toContain(made?.id);
  });
});

describe('delays', () => {
  it('before: a request whose client has given up is still processed when it arrives', async () => {
    simulator.faults.add({ match: rotation, action: 'delay', ms: 500, when: 'before' });
    const { apiKey, keyId, secretKey } = seedOf(simulator);
    const attempt = fetch(`${simulator.baseUrl}/apikey/rotation`, {
      method: 'POST',
      headers: { accept: 'application/vnd.mambu.v2+json', 'content-type': 'application/json', secretkey: secretKey },
      body: JSON.stringify({ apiKey, id: keyId }),
      signal: AbortSignal.timeout(30),
    });
    await expect(attempt).rejects.toThrow();
    await expect.poll(kinds, { interval: 5 }).toEqual(['rotate']);
    await expect.poll(() => lastRequest()?.decided).toBe(200);
    expect(lastRequest()?.status).toBeNull();
  });

  it('add up with another fault on the same request', async () => {
    simulator.faults.add({ match: rotation, action: 'delay', ms: 20, when: 'after' });
    simulator.faults.add({ match: rotation, action: 'drop-after-commit' });
    const before = performance.now();
    await expect(rotate(simulator, seedOf(simulator))).rejects.toThrow();
    expect(performance.now() - before).toBeGreaterThan(18);
    expect(lastRequest()?.fault).toBe('delay+drop-after-commit');
  });

  it('before: a credential is judged when the request arrives, not when it was sent', async () => {
    simulator.faults.add({ match: { route: '/branches' }, action: 'delay', ms: 60, when: 'before' });
    const late = branches();
    await expect.poll(() => simulator.oracle().requests.length, { interval: 5 }).toBe(1);
    simulator.deleteKey(seedOf(simulator).keyId);
    expect((await late).status).toBe(401);
  });
});
