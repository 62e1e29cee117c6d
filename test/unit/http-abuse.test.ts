/** The HTTP server against senders who mean no good, on real sockets. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { createBrake, MOST_WAITING } from '../../src/http/brake.js';
import { credential, hookSecret, serve } from './http-harness.js';

const genuine = `Host: x\r\nx-keyturn-secret: ${hookSecret}\r\napiConsumerId: c-1\r\n`;

/** All that the server answers to these bytes, until it falls silent or closes. */
async function answerTo(url: string, bytes: string): Promise<string> {
  const socket = opened(url);
  socket.write(bytes, 'latin1');
  let answer = '';
  socket.on('data', (data: Buffer) => (answer += data.toString('latin1')));
  await Promise.race([once(socket, 'close'), vi.waitUntil(() => /^HTTP\/1\.1 [2-5]/.test(answer), { timeout: 8_000 })]);
  return answer;
}

function opened(url: string): Socket {
  const { port, hostname } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined);
  onTestFinished(() => void socket.destroy());
  return socket;
}

const statusOf = (answer: string): number => Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1] ?? 0);

describe('a path', () => {
  const post = (target: string) => `POST ${target} HTTP/1.1\r\n${genuine}Content-Length: 0\r\n\r\n`;

  test.each([
    '/webhooks/mambu/%2e%2e/mambu',
    '/webhooks/mambu/../mambu',
    '/webhooks/mambu/./core-prod',
    '/webhooks/%6dambu',
    '/webhooks/mambu/core%2dprod',
    '/webhooks/mambu/..%2fmambu',
    '/webhooks/mambu/core-prod%2f',
    '/webhooks/mambu/core-prod%00',
    '/webhooks/mambu/core-prod.',
    '/webhooks/mambu/core-prod/',
    '//webhooks/mambu',
    '/webhooks//mambu',
    '/webhooks/mambu//core-prod',
    '/webhooks/mambu;a=b',
    '/webhooks/mambu#core-prod',
    '/WEBHOOKS/mambu',
    'http://evil.example/webhooks/mambu',
    `/webhooks/mambu/${'x'.repeat(12_000)}`,
  ])('%s that only means a route by some reading of it is 404', async (target) => {
    const { webhookUrl, asked } = await serve();
    expect(statusOf(await answerTo(webhookUrl, post(target)))).toBe(404);
    expect(asked).toEqual([]);
  });

  test.each([
    '*',
    '\\webhooks\\mambu',
    '/webhooks\\mambu',
    '/webhooks/mambu/\u001b[31m',
    'webhooks/mambu',
    `/${'x'.repeat(20_000)}`,
  ])('%j that is none at all is 4xx', async (target) => {
    const { webhookUrl, asked } = await serve();
    expect(String(statusOf(await answerTo(webhookUrl, post(target))))).toMatch(/^4/);
    expect(asked).toEqual([]);
  });

  test('below /webhooks never leads out of there: a proxy that lets only those through is not deceived', async () => {
    const { url } = await serve();
    for (const way of [
      '/webhooks/mambu/../../metrics',
      '/webhooks/%2e%2e/metrics',
      '/webhooks/..%2fmetrics',
      '/webhooks/.%2e/api/credentials',
    ])
      expect([way, statusOf(await answerTo(url, `GET ${way} HTTP/1.1\r\n${genuine}\r\n`))]).toEqual([way, 404]);
    expect(statusOf(await answerTo(url, `GET /metrics HTTP/1.1\r\n${genuine}\r\n`))).toBe(200);
  });

  test('may have a query, which means nothing', async () => {
    const { webhookUrl, asked } = await serve();
    expect(statusOf(await answerTo(webhookUrl, post('/webhooks/mambu?x=%0d%0aSet-Cookie:a')))).toBe(202);
    expect(asked).toHaveLength(1);
  });
});

describe('a request that is malformed on purpose', () => {
  test.each([
    ['a bare CR in a header', `x-a: b\rlevel: evil\r\n${genuine}Content-Length: 0\r\n\r\n`],
    ['a bare LF in a header', `x-a: b\nlevel: evil\r\n${genuine}Content-Length: 0\r\n\r\n`],
    ['a folded header', `${genuine}x-a: b\r\n level: evil\r\nContent-Length: 0\r\n\r\n`],
    ['a NUL in a header', `x-a: b\0c\r\n${genuine}Content-Length: 0\r\n\r\n`],
    ['length and chunks', `${genuine}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    ['two lengths', `${genuine}Content-Length: 0\r\nContent-Length: 5\r\n\r\n`],
    ['a negative length', `${genuine}Content-Length: -1\r\n\r\n`],
    ['chunks that are packed', `${genuine}Transfer-Encoding: chunked, gzip\r\n\r\n`],
    ['a host that is none', `${genuine.replace('Host: x', 'Host: a b<script>')}Content-Length: 0\r\n\r\n`],
    ['no host', `${genuine.replace('Host: x\r\n', '')}Content-Length: 0\r\n\r\n`],
    ['headers of 20 kB', `${genuine}x-a: ${'a'.repeat(20_000)}\r\n\r\n`],
    ['two secrets', `x-keyturn-secret: guess\r\n${genuine}Content-Length: 0\r\n\r\n`],
    ['two consumers', `apiConsumerId: c-2\r\n${genuine}Content-Length: 0\r\n\r\n`],
  ])('by %s is 4xx and asks for nothing', async (_, rest) => {
    const { webhookUrl, asked, lines } = await serve();
    const answer = await answerTo(webhookUrl, `POST /webhooks/mambu HTTP/1.1\r\n${rest}`);
    expect(String(statusOf(answer))).toMatch(/^4/);
    expect(answer).not.toContain('evil');
    expect(asked).toEqual([]);
    expect(JSON.stringify(lines)).not.toContain('evil');
  });

  test.each([
    `CONNECT x:1 HTTP/1.1\r\n${genuine}\r\n`,
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    '\u0016\u0003\u0001\u0002\u0000\u0001',
    '\u001b[31m\r\n\r\n',
  ])('%j leaves the server as it is', async (bytes) => {
    const { webhookUrl, send } = await serve();
    expect(await answerTo(webhookUrl, bytes)).toMatch(/^$|^HTTP\/1\.1 4/);
    expect((await send()).status).toBe(202);
  });
});

describe('what a header says', () => {
  test('reaches log, answer and metrics as printable characters only, short, one line an event', async () => {
    const { webhookUrl, asked, lines, get } = await serve();
    // What may stand in a header: no control character but the tab, and bytes above ASCII.
    const byte = fc.oneof(
      fc.integer({ min: 0x20, max: 0x7e }),
      fc.integer({ min: 0x80, max: 0xff }),
      fc.constant(0x09),
    );
    const value = fc
      .array(byte, { minLength: 1, maxLength: 300 })
      .map((bytes) => Buffer.from(bytes).toString('latin1'));
    await fc.assert(
      fc.asyncProperty(value, async (text) => {
        const head = `POST /webhooks/mambu HTTP/1.1\r\nHost: x\r\nx-keyturn-secret: ${hookSecret}\r\nConnection: close\r\n`;
        const answer = await answerTo(
          webhookUrl,
          `${head}apiConsumerId: x${text}\r\nx-notifications-idempotency-key: ${text}\r\nContent-Length: 0\r\n\r\n`,
        );
        expect(statusOf(answer)).toBe(404);
        expect(answer.split('\r\n\r\n').at(-1)).toMatch(/^[\x20-\x7e]*$/);
      }),
      { numRuns: 40 },
    );
    expect(asked).toEqual([]);
    expect(lines.length).toBeGreaterThan(5);
    for (const { apiConsumerId } of lines) expect(apiConsumerId).toMatch(/^[\x20-\x7e]{1,64}…?$/);
    expect(await (await get('/metrics')).text()).toMatch(/^[\x20-\x7e\n]*$/);
  });
});

describe('a body without end', () => {
  test.each([
    ['of a stranger', 'Host: x\r\n', 401],
    ['of one who has the secret', genuine, 413],
  ])('%s is answered at once and not listened to for long', async (_, head, status) => {
    const { webhookUrl } = await serve();
    const socket = opened(webhookUrl);
    let answer = '';
    socket.on('data', (data: Buffer) => (answer += data.toString()));
    socket.write(`POST /webhooks/mambu HTTP/1.1\r\n${head}Content-Length: 9000000000\r\n\r\n`);
    const pour = setInterval(() => socket.write(Buffer.alloc(64 * 1024)), 5);
    onTestFinished(() => clearInterval(pour));
    await once(socket, 'close');
    expect(statusOf(answer)).toBe(status);
  });
});

describe('many sockets that say nothing, or a little at a time', () => {
  test('are bounded, and end each other before a sender who means it', { timeout: 30_000 }, async () => {
    const { webhookUrl, send } = await serve();
    const slow: Socket[] = [];
    let ended = 0;
    for (let n = 0; n < 1_500; n += 1) {
      const socket = opened(webhookUrl);
      socket.on('close', () => (ended += 1));
      socket.on('connect', () => n % 2 === 0 && socket.write('POST /webhooks/mambu HTTP/1.1\r\nHost: x\r\nx-a: '));
      slow.push(socket);
      if (n % 250 === 249) expect((await send()).status).toBe(202);
    }
    await expect.poll(() => ended, { timeout: 10_000 }).toBeGreaterThanOrEqual(490);
    expect((await send()).status).toBe(202);
  });
});

describe('a flood', () => {
  test('of strangers does not keep one honest sender waiting: all of its deliveries are taken', async () => {
    const { send, asked } = await serve();
    const flood = Array.from({ length: 8 }, async () => {
      const statuses: number[] = [];
      for (let n = 0; n < 60; n += 1)
        statuses.push((await send({ headers: { 'x-keyturn-secret': `guess ${n}` } })).status);
      return statuses;
    });
    for (let n = 0; n < 40; n += 1) expect((await send({ body: `event ${n}` })).status).toBe(202);
    const refused = (await Promise.all(flood)).flat();
    expect(new Set(refused)).toEqual(new Set([401, 429]));
    expect(asked).toHaveLength(40);
  });

  test('for one credential leaves room for the others', async () => {
    const { send, asked } = await serve({ credentials: credential('blue', 'c-1') + credential('green', 'c-2') });
    const flood = await Promise.all(Array.from({ length: 1_200 }, (_, n) => send({ body: `event ${n}` })));
    expect(new Set(flood.map(({ status }) => status))).toEqual(new Set([202, 429]));
    expect((await send({ headers: { apiConsumerId: 'c-2' } })).status).toBe(202);
    expect(asked.filter(({ credentialId }) => credentialId === 'green')).toHaveLength(1);
  });

  test('that no worker works off is held back, and let through again when one does', async () => {
    let waiting = 0;
    const { send, asked, countOf } = await serve({
      client: {
        requestRotation: async () => {
          waiting += 1;
          return { workflowId: 'credential/core-prod' };
        },
        backlog: (_, most) => Promise.resolve(Math.min(waiting, most)),
      },
    });
    const answers = await Promise.all(
      Array.from({ length: MOST_WAITING + 50 }, (_, n) => send({ body: `event ${n}` })),
    );
    expect(waiting).toBe(MOST_WAITING);
    const held = answers.filter(({ status }) => status === 429);
    expect([held.length, held[0]?.headers.get('retry-after')]).toEqual([50, '5']);
    expect(await held[0]?.json()).toMatchObject({ error: { code: 'KT-NO-WORKER' } });
    expect(await countOf('backlog')).toBe(50);
    expect(asked).toEqual([]);
    waiting = 0;
    await expect.poll(async () => (await send({ body: 'later' })).status, { timeout: 5_000 }).toBe(202);
  });
});

describe('the brake', () => {
  test('looks once for as many as may pass, and once a second while too many wait', async () => {
    let looks = 0;
    let waiting = MOST_WAITING - 3;
    let nowMs = 0;
    const backlog = (): Promise<number> => Promise.resolve(((looks += 1), waiting));
    const brake = createBrake(backlog, () => nowMs);
    const pass = async (count: number) =>
      (await Promise.all(Array.from({ length: count }, () => brake.allows('a')))).filter(Boolean).length;
    expect([await pass(10), looks]).toEqual([3, 1]);
    waiting = MOST_WAITING;
    expect([await pass(10), looks]).toEqual([0, 2]);
    expect([await pass(1_000), looks]).toEqual([0, 2]);
    nowMs += 1_000;
    waiting = 0;
    expect([await pass(MOST_WAITING), looks]).toEqual([MOST_WAITING, 3]);
    expect(await brake.allows('b')).toBe(true);
  });

  test('lets nothing pass when it cannot look, and looks again', async () => {
    let isUp = false;
    const brake = createBrake(() => (isUp ? Promise.resolve(0) : Promise.reject(new Error('away'))));
    await expect(brake.allows('a')).rejects.toThrow('away');
    isUp = true;
    expect(await brake.allows('a')).toBe(true);
  });
});
