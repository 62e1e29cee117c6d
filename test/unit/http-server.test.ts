import { connect } from 'node:net';
import { EventEmitter, once } from 'node:events';
import { describe, expect, onTestFinished, test } from 'vitest';
import { KeyturnError } from '../../src/domain/errors.js';
import { startWorkerEndpoint } from '../../src/http/worker-endpoint.js';
import { createLogger } from '../../src/telemetry/log.js';
import { bearerToken, bodyOf, credential, emptyState, hookSecret, reachableTemporal, serve } from './http-harness.js';

const two = credential('blue', 'c-1') + credential('green', 'c-2');
const bearer = 'auth: { kind: bearer, token: "${env:TOKEN}" }';
const noWorker = new KeyturnError('KT-NO-WORKER', 'no worker answers on task queue keyturn');

describe('the API', () => {
  test('lists the state of every credential in the order of the file', async () => {
    const { get } = await serve({ credentials: two });
    const answer = await get('/api/credentials');
    expect(answer.status).toBe(200);
    expect(await bodyOf(answer)).toEqual({ ok: true, data: [emptyState('blue'), emptyState('green')] });
  });

  test('lists a credential that does not answer with its error, and the others all the same', async () => {
    const state = (id: string) => (id === 'blue' ? Promise.reject(noWorker) : Promise.resolve(emptyState(id)));
    const { get } = await serve({ credentials: two, client: { state } });
    const { code, message, hint } = noWorker;
    const { data } = await bodyOf(await get('/api/credentials'));
    expect(data).toEqual([{ credentialId: 'blue', error: { code, message, hint } }, emptyState('green')]);
  });

  test('asks for a bounded number of states at once', async () => {
    const many = Array.from({ length: 60 }, (_, n) => credential(`c${n}`, `consumer-${n}`)).join('');
    let running = 0;
    let most = 0;
    const state = async (id: string) => {
      running += 1;
      most = Math.max(most, running);
      await new Promise(setImmediate);
      running -= 1;
      return emptyState(id);
    };
    const { get } = await serve({ credentials: many, client: { state } });
    const { data } = await bodyOf(await get('/api/credentials'));
    expect(data).toHaveLength(60);
    expect(most).toBe(16);
  });

  test('answers the state of one, 404 for an unknown one and 503 without a worker', async () => {
    const state = (id: string) => (id === 'green' ? Promise.reject(noWorker) : Promise.resolve(emptyState(id)));
    const { get } = await serve({ credentials: two, client: { state } });
    expect(await bodyOf(await get('/api/credentials/blue'))).toEqual({ ok: true, data: emptyState('blue') });
    const unknown = await get('/api/credentials/nobody');
    expect([unknown.status, (await bodyOf(unknown)).error.code]).toEqual([404, 'KT-UNKNOWN-CREDENTIAL']);
    const unanswered = await get('/api/credentials/green');
    expect([unanswered.status, (await bodyOf(unanswered)).error.code]).toEqual([503, 'KT-NO-WORKER']);
    expect(unanswered.headers.get('retry-after')).toBe('5');
  });

  test('hides a defect behind KT-INTERNAL', async () => {
    const { get, lines } = await serve({ client: { state: () => Promise.reject(new TypeError('canary-T7')) } });
    const answer = await get('/api/credentials/core-prod');
    const list = await get('/api/credentials');
    expect([answer.status, list.status]).toEqual([500, 200]);
    expect((await answer.text()) + (await list.text()) + JSON.stringify(lines)).not.toContain('canary-T7');
  });
});

describe('health', () => {
  test('is alive whatever else is down, and ready only with Temporal and the store', async () => {
    let isTemporalUp = true;
    let isStoreUp = true;
    const { get } = await serve({
      client: {
        temporal: reachableTemporal(() => (isTemporalUp ? Promise.resolve({}) : Promise.reject(new Error('away')))),
      },
      storeReady: () => (isStoreUp ? Promise.resolve(true) : Promise.reject(new Error('away'))),
    });
    const ready = async () => (await get('/readyz')).status;
    expect(await ready()).toBe(200);
    isTemporalUp = false;
    expect((await bodyOf(await get('/readyz'))).error.code).toBe('KT-TEMPORAL-UNREACHABLE');
    isTemporalUp = true;
    isStoreUp = false;
    expect([await ready(), (await bodyOf(await get('/readyz'))).error.code]).toEqual([503, 'KT-STORE-UNAVAILABLE']);
    expect((await get('/healthz')).status).toBe(200);
    isStoreUp = true;
    expect(await ready()).toBe(200);
  });

  test('is not ready, and says so in time, when Temporal hangs', async () => {
    const { get } = await serve({ client: { temporal: reachableTemporal(() => new Promise(() => undefined)) } });
    expect((await get('/readyz')).status).toBe(503);
  });
});

describe('bearer authentication', () => {
  test('covers everything but webhooks and health', async () => {
    const { get, send } = await serve({ server: bearer });
    for (const path of ['/', '/metrics', '/api/credentials', '/api/credentials/core-prod', '/nothing', '/healthz/x']) {
      const answer = await get(path);
      expect([path, answer.status, answer.headers.get('www-authenticate')]).toEqual([
        path,
        401,
        'Bearer realm="keyturn"',
      ]);
    }
    for (const path of ['/healthz', '/readyz']) expect((await get(path)).status).toBe(200);
    expect((await send()).status).toBe(202);
  });

  test('takes the token, and nothing else', async () => {
    const { get } = await serve({ server: bearer });
    const status = async (authorization: string) => (await get('/metrics', { headers: { authorization } })).status;
    expect(await status(`Bearer ${bearerToken}`)).toBe(200);
    expect(await status(`bearer ${bearerToken}`)).toBe(200);
    for (const wrong of [`Bearer ${bearerToken}x`, 'Bearer', 'Bearer ', `Basic ${bearerToken}`, bearerToken]) {
      expect(await status(wrong)).toBe(401);
    }
  });
});

describe('a webhook listener of its own', () => {
  test('serves webhooks and its health only, and the main one no webhooks', async () => {
    const { url, webhookUrl, send, get } = await serve({ server: 'webhookListen: 127.0.0.1:0' });
    const origin = new URL(webhookUrl).origin;
    expect(origin).not.toBe(url);
    expect((await send()).status).toBe(202);
    expect((await fetch(`${origin}/healthz`)).status).toBe(200);
    for (const path of ['/', '/metrics', '/api/credentials', '/readyz']) {
      expect([path, (await fetch(origin + path)).status]).toEqual([path, 404]);
    }
    expect((await get('/webhooks/mambu', { method: 'POST' })).status).toBe(404);
    expect((await get('/')).status).toBe(200);
  });
});

describe('the server', () => {
  test('answers what it does not know in the envelope, with headers that let nothing be loaded, framed or kept', async () => {
    const { get } = await serve();
    for (const path of ['/nothing', '/', '/api/credentials', '/healthz']) {
      const { headers } = await get(path);
      expect(headers.get('content-security-policy')).toContain("default-src 'none'");
      expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('cache-control')).toBe('no-store');
      expect(headers.get('access-control-allow-origin')).toBeNull();
    }
    expect((await bodyOf(await get('/nothing'))).error.code).toBe('KT-INPUT');
  });

  test('refuses an address that is taken with what to do about it', async () => {
    const { url } = await serve();
    const taken = startWorkerEndpoint({
      listen: { host: '127.0.0.1', port: Number(new URL(url).port) },
      ready: () => Promise.resolve(true),
      metricsUrl: null,
      log: createLogger({ level: 'silent' }),
    });
    await expect(taken).rejects.toMatchObject({ code: 'KT-CONFLICT' });
  });

  test('does not hold the socket of a client that never finishes its headers', async () => {
    const { url } = await serve();
    const socket = connect(Number(new URL(url).port), '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\nHost: x\r\n'));
    socket.resume();
    const startedAtMs = performance.now();
    await once(socket, 'close');
    expect(performance.now() - startedAtMs).toBeLessThan(8_000);
  });

  test('finishes a running webhook when it closes, takes no new one, and ends idle connections at once', async () => {
    const gate = new EventEmitter();
    const asking = once(gate, 'asked');
    const server = await serve({
      client: {
        requestRotation: async () => {
          gate.emit('asked');
          await once(gate, 'accepted');
          return { workflowId: 'credential/core-prod' };
        },
      },
    });
    const idle = connect(Number(new URL(server.url).port), '127.0.0.1');
    await once(idle, 'connect');
    const sending = fetch(server.webhookUrl, {
      method: 'POST',
      headers: { 'x-keyturn-secret': hookSecret, apiConsumerId: 'c-1' },
    });
    await asking;
    const closing = server.close();
    await expect(server.get('/healthz')).rejects.toThrow();
    gate.emit('accepted');
    const answer = await sending;
    expect([answer.status, answer.headers.get('connection')]).toEqual([202, 'close']);
    const startedAtMs = performance.now();
    await closing;
    expect(performance.now() - startedAtMs).toBeLessThan(1_000);
    idle.destroy();
  });
});

describe('the worker’s endpoint', () => {
  async function endpoint(metricsUrl: string | null, ready: () => Promise<boolean> = () => Promise.resolve(true)) {
    const listen = { host: '127.0.0.1', port: 0 };
    const running = await startWorkerEndpoint({ listen, ready, metricsUrl, log: createLogger({ level: 'silent' }) });
    onTestFinished(() => running.close());
    return (path: string) => fetch(running.url + path);
  }

  test('passes the exporter’s text on', async () => {
    const { url } = await serve();
    const answer = await (await endpoint(`${url}/metrics`))('/metrics');
    expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(await answer.text()).toContain('# TYPE keyturn_webhook_requests_total counter');
  });

  test('is 503 for metrics without an exporter, and follows no redirect', async () => {
    expect((await (await endpoint(null))('/metrics')).status).toBe(503);
    expect((await (await endpoint('http://127.0.0.1:1/metrics'))('/metrics')).status).toBe(503);
  });

  test('is ready when the worker is, and alive in any case', async () => {
    let isReady = false;
    const get = await endpoint(null, () => Promise.resolve(isReady));
    expect([(await get('/healthz')).status, (await get('/readyz')).status]).toEqual([200, 503]);
    isReady = true;
    expect((await get('/readyz')).status).toBe(200);
  });
});
