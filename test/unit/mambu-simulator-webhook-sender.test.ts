import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createCircuitBreaker, sendWebhook } from '../../src/simulators/mambu/index.js';

interface Seen {
  method: string;
  path: string;
  headers: IncomingMessage['headers'];
  body: string;
}

let seen: Seen[];
let reply: (response: ServerResponse, nth: number) => void;
let to: string;
let close: () => void;

beforeEach(async () => {
  seen = [];
  reply = (response) => response.writeHead(202).end('{"ok":true}');
  const server = createServer((request, response) => {
    const chunks: string[] = [];
    request.setEncoding('utf8');
    request.on('data', (chunk: string) => chunks.push(chunk));
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      seen.push({ method, path: url, headers, body: chunks.join('') });
      reply(response, seen.length);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  to = typeof address === 'object' && address !== null ? `http://127.0.0.1:${address.port}/webhooks/mambu` : '';
  close = () => {
    server.close();
    server.closeAllConnections();
  };
});
afterEach(() => close());

const quick = { attempts: 3, backoffMs: 1 };
const keys = () => seen.map(({ headers }) => headers['x-notifications-idempotency-key']);

describe('a delivery', () => {
  it('is a JSON POST with the static headers and a filled template', async () => {
    const [report] = await sendWebhook({ to, consumerId: '8a8186f9', headers: { 'x-secret': 's3cret' } });
    const [request] = seen;
    expect(request).toMatchObject({ method: 'POST', path: '/webhooks/mambu' });
    expect(request?.headers).toMatchObject({
      'content-type': 'application/json',
      apiconsumerid: '8a8186f9',
      'x-secret': 's3cret',
      'x-notifications-idempotency-key': report?.idempotencyKey,
    });
    expect(JSON.parse(request?.body ?? '')).toMatchObject({ event: 'EOD', state: 'COMPLETE' });
    expect(report).toMatchObject({ kind: 'first', delivered: true, status: 202, answer: '{"ok":true}' });
  });

  it('fills the five placeholders and leaves other braces alone', async () => {
    const values = { START_DATE: 'a', END_DATE: 'b', STATE: 'c', CURRENT_DATE_TIME: 'd', ENCODED_KEY: 'e' };
    const template = '{START_DATE}{END_DATE}{STATE}{CURRENT_DATE_TIME}{ENCODED_KEY}{ACCOUNT_ID}{x}';
    await sendWebhook({ to, consumerId: 'c', template, values });
    expect(seen[0]?.body).toBe('abcde{ACCOUNT_ID}{x}');
  });

  it('sends a literal body as it is, without consumer or idempotency header where the tenant has none', async () => {
    await sendWebhook({
      to,
      consumerId: null,
      body: '<a>{STATE}</a>',
      contentType: 'application/xml',
      method: 'PUT',
      idempotencyHeader: false,
    });
    expect(seen[0]).toMatchObject({ method: 'PUT', body: '<a>{STATE}</a>' });
    expect(seen[0]?.headers['content-type']).toBe('application/xml');
    expect(seen[0]?.headers).not.toHaveProperty('apiconsumerid');
    expect(seen[0]?.headers).not.toHaveProperty('x-notifications-idempotency-key');
  });

  it('strips reserved headers and never reports the value of a custom one', async () => {
    reply = (response) => response.writeHead(200).end('you sent s3cret');
    const headers = { Host: 'evil', 'Content-Length': '1', 'x-secret': 's3cret' };
    const reports = await sendWebhook({ to, consumerId: 'c', headers });
    expect(seen[0]?.headers.host).toBe(new URL(to).host);
    expect(JSON.stringify(reports)).not.toContain('s3cret');
  });
});

describe('retries', () => {
  it.each([301, 307, 400, 401, 500])('follow a %i, with the same body and idempotency key', async (status) => {
    reply = (response, nth) => response.writeHead(nth < 3 ? status : 204, { location: '/elsewhere' }).end();
    const [report] = await sendWebhook({ to, consumerId: 'c', ...quick });
    expect(report).toMatchObject({ delivered: true, status: 204 });
    expect(report?.attempts.map((attempt) => attempt.status)).toEqual([status, status, 204]);
    expect(new Set(keys()).size).toBe(1);
    expect(new Set(seen.map(({ body }) => body)).size).toBe(1);
    expect(seen.map(({ path }) => path)).not.toContain('/elsewhere');
  });

  it('end after the fifth failure', async () => {
    reply = (response) => response.writeHead(503).end();
    const [report] = await sendWebhook({ to, consumerId: 'c', backoffMs: 1 });
    expect(report).toMatchObject({ delivered: false, status: 503 });
    expect(seen).toHaveLength(5);
  });

  it('follow a time-out and a lost connection', async () => {
    reply = (response, nth) => {
      if (nth === 2) response.socket?.destroy();
      if (nth === 3) response.writeHead(200).end();
    };
    const [report] = await sendWebhook({ to, consumerId: 'c', ...quick, timeoutMs: 500 });
    expect(report?.attempts.map(({ error }) => error)).toEqual(['timeout', 'connection', null]);
  });
});

describe('several deliveries', () => {
  it('have a new idempotency key each, and duplicates have the same', async () => {
    const reports = await sendWebhook({ to, consumerId: 'c', times: 2, duplicates: 1 });
    expect(reports.map(({ kind }) => kind)).toEqual(['first', 'duplicate', 'first', 'duplicate']);
    const [a, b, c, d] = keys();
    expect([a === b, c === d, a === c]).toEqual([true, true, false]);
  });

  it('by a manual resend carry the stored body under a new key', async () => {
    const reports = await sendWebhook({ to, consumerId: 'c', manualResend: true });
    expect(reports.map(({ kind }) => kind)).toEqual(['first', 'manual-resend']);
    expect(seen[0]?.body).toBe(seen[1]?.body);
    expect(keys()[0]).not.toBe(keys()[1]);
  });
});

describe('the legacy circuit breaker', () => {
  it('opens after 5 bad of the last 10, closes after one good trial, and opens again after a bad one', () => {
    let nowMs = 0;
    const breaker = createCircuitBreaker(() => nowMs);
    for (const good of [true, false, false, true, false, false]) breaker.record(good);
    expect(breaker.isOpen()).toBe(false);
    breaker.record(false);
    expect(breaker.isOpen()).toBe(true);
    nowMs += 5_000;
    expect(breaker.isOpen()).toBe(false);
    breaker.record(false);
    expect(breaker.isOpen()).toBe(true);
    nowMs += 5_000;
    breaker.record(true);
    for (let bad = 0; bad < 4; bad += 1) breaker.record(false);
    expect(breaker.isOpen()).toBe(false);
  });

  it('keeps attempts from the destination while it is open', async () => {
    reply = (response) => response.writeHead(500).end();
    const circuitBreaker = createCircuitBreaker();
    const [report] = await sendWebhook({ to, consumerId: 'c', attempts: 7, backoffMs: 1, circuitBreaker });
    expect(report?.attempts.slice(-2).map(({ error }) => error)).toEqual(['circuit-open', 'circuit-open']);
    expect(seen).toHaveLength(5);
  });

  it('counts a delivery over 500 ms as slow although it succeeded', async () => {
    reply = (response) => void setTimeout(() => response.writeHead(200).end(), 520);
    const [report] = await sendWebhook({ to, consumerId: 'c' });
    expect(report).toMatchObject({ delivered: true, attempts: [{ slow: true, status: 200 }] });
  });
});
