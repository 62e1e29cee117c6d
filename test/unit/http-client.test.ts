import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { ProviderFailure } from '../../src/domain/failure.js';
import { Secret } from '../../src/domain/secret.js';
import { createHttpClient, type HttpClient, type SendOptions } from '../../src/providers/http.js';
import type { ProviderRequest } from '../../src/providers/provider.js';

const canary = 'canary-i9TCzwUBwyTVQrfPEAhk0oEp';
const closing: (() => Promise<void>)[] = [];

afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()));
});

function clientWith(options: { httpTimeoutMs?: number; connectTimeoutMs?: number } = {}): HttpClient {
  return createHttpClient({ httpTimeoutMs: 2_000, ...options });
}

const isBound = (address: AddressInfo | string | null): address is AddressInfo => typeof address === 'object';

async function listen(server: Server): Promise<string> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  closing.push(
    () =>
      new Promise((done) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => done());
      }),
  );
  const address = server.address();
  if (!isBound(address) || address === null) throw new Error('the server is not listening');
  return `http://127.0.0.1:${address.port}/api`;
}

/** A server that answers raw bytes; `requests` holds what came in, one entry a connection. */
async function rawServer(react: (socket: Socket, text: string) => void) {
  const requests: string[] = [];
  const server = createServer((socket) => {
    socket.once('data', (bytes) => {
      requests.push(bytes.toString('latin1'));
      react(socket, bytes.toString('latin1'));
    });
  });
  return { baseUrl: await listen(server), requests };
}

const httpServer = (listener: RequestListener) => listen(createHttpServer(listener));

const read: ProviderRequest = {
  method: 'GET',
  path: '/consumers/a%2Fb/keys?limit=1',
  route: '/consumers/{id}/keys',
  auth: { kind: 'header', name: 'apiKey', value: new Secret(canary) },
  headers: { accept: 'application/vnd.mambu.v2+json' },
  effect: 'read',
};
const write: ProviderRequest = {
  ...read,
  method: 'POST',
  path: '/consumers/x/apikeys',
  route: '/consumers/{id}/apikeys',
  body: new Secret(`{"secret":"${canary}"}`),
  effect: 'write',
};

async function failure(sending: Promise<unknown>): Promise<ProviderFailure['facts']> {
  const error: unknown = await sending.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof ProviderFailure)) throw new Error('a ProviderFailure was expected');
  expect(JSON.stringify(error.facts) + String(error.stack)).not.toContain(canary);
  expect(error.cause).toBeUndefined();
  return error.facts;
}

const both = async (baseUrl: string, options?: SendOptions, client = clientWith()) => ({
  read: await failure(client.send(baseUrl, read, options)),
  write: await failure(client.send(baseUrl, write, options)),
});

describe('a request', () => {
  test('carries its path untouched below the base URL, the authentication and the body', async () => {
    const { baseUrl, requests } = await rawServer((socket) =>
      socket.end('HTTP/1.1 201 Created\r\nX-Thing: a\r\nX-Thing: b\r\nContent-Length: 5\r\n\r\n{"a"}'),
    );
    const answer = await clientWith().send(`${baseUrl}/`, { ...write, path: '/consumers/%2E%2E/a%2Fb' });
    expect(answer).toMatchObject({ status: 201, text: '{"a"}', headers: { 'x-thing': 'a, b' } });
    expect(requests[0]).toContain('POST /api/consumers/%2E%2E/a%2Fb HTTP/1.1\r\n');
    expect(requests[0]).toContain(`apiKey: ${canary}\r\n`);
    expect(requests[0]).toContain(`{"secret":"${canary}"}`);
  });

  test('without a body has no content type, and basic authentication is encoded as UTF-8', async () => {
    const { baseUrl, requests } = await rawServer((socket) => socket.end('HTTP/1.1 204 No Content\r\n\r\n'));
    const { body: _none, ...bare } = write;
    const auth = { kind: 'basic', username: 'rotätor', password: new Secret('pä:ss') } as const;
    await clientWith().send(baseUrl, { ...bare, auth });
    expect(requests[0]).not.toMatch(/content-type/i);
    expect(requests[0]).toContain(`authorization: Basic ${Buffer.from('rotätor:pä:ss').toString('base64')}\r\n`);
  });

  test('is answered by redirects and server errors as they are: nothing is followed, nothing repeated', async () => {
    for (const status of [301, 307, 308, 401, 429, 500, 503]) {
      let hits = 0;
      const baseUrl = await httpServer((_request, response) => {
        hits += 1;
        response.writeHead(status, { location: '/api/elsewhere', 'retry-after': '0' }).end('x');
      });
      expect((await clientWith().send(baseUrl, write)).status).toBe(status);
      expect((await clientWith().send(baseUrl, read)).status).toBe(status);
      expect(hits).toBe(2);
    }
  });

  test('reads past 102 Processing to the answer', async () => {
    const baseUrl = await httpServer((_request, response) => {
      response.writeProcessing();
      response.writeHead(201).end('done');
    });
    expect(await clientWith().send(baseUrl, write)).toMatchObject({ status: 201, text: 'done' });
  });
});

describe('surely not sent', () => {
  test('when the connection is refused', async () => {
    const closed = createServer();
    const baseUrl = await listen(closed);
    await new Promise((done) => closed.close(done));
    const facts = await both(baseUrl);
    for (const fact of [facts.read, facts.write]) {
      expect(fact).toMatchObject({ class: 'not-sent', code: 'KT-PROVIDER-UNREACHABLE' });
      expect(fact.message).toMatch(
        /^(GET|POST) \/consumers\/\{id\}\/\w+ at 127\.0\.0\.1:\d+ was not sent: ECONNREFUSED$/,
      );
    }
  });

  test('when the name does not resolve', async () => {
    const { write: fact } = await both('http://keyturn-test.invalid/api');
    expect(fact.class).toBe('not-sent');
  });

  test('when TLS fails, also by a reset in the middle of the handshake', async () => {
    const plain = await rawServer((socket) => socket.end('HTTP/1.1 200 OK\r\n\r\n'));
    const resetting = await rawServer((socket) => socket.resetAndDestroy());
    for (const { baseUrl } of [plain, resetting]) {
      const { write: fact } = await both(baseUrl.replace('http:', 'https:'));
      expect(fact.class).toBe('not-sent');
    }
  });

  test('when the handshake does not come to an end in time; a connection that stands later carries nothing', async () => {
    const { baseUrl, requests } = await rawServer(() => undefined);
    const client = clientWith({ connectTimeoutMs: 60 });
    const fact = await failure(client.send(baseUrl.replace('http:', 'https:'), write));
    expect(fact).toMatchObject({ class: 'not-sent' });
    expect(fact.message).toContain('CONNECT_TIMEOUT');
    expect(requests.join('')).not.toContain('POST');
  });

  test('when it was cancelled before', async () => {
    const { baseUrl, requests } = await rawServer(() => undefined);
    const { write: fact, read: readFact } = await both(baseUrl, { signal: AbortSignal.abort() });
    expect([fact.class, readFact.class]).toEqual(['not-sent', 'not-sent']);
    expect(requests).toEqual([]);
  });

  test('when it is cancelled while the connection is being made', async () => {
    const { baseUrl } = await rawServer(() => undefined);
    const cancel = new AbortController();
    const sending = failure(clientWith().send(baseUrl.replace('http:', 'https:'), write, { signal: cancel.signal }));
    await sleep(30);
    cancel.abort();
    expect((await sending).class).toBe('not-sent');
  });

  test('when the credential does not fit into a header; that is final', async () => {
    const { baseUrl, requests } = await rawServer(() => undefined);
    const auth = { kind: 'header', name: 'apiKey', value: new Secret(`${canary}\r\nx: y`) } as const;
    const fact = await failure(clientWith().send(baseUrl, { ...write, auth }));
    expect(fact).toMatchObject({ class: 'rejected', code: 'KT-PROVIDER-REJECTED' });
    expect(requests).toEqual([]);
  });
});

describe('perhaps executed: unknown for a write, an outage for a read', () => {
  const classes = (facts: { read: { class: string }; write: { class: string } }) => [
    facts.read.class,
    facts.write.class,
  ];

  test.each([
    ['the connection is reset after the request', (socket: Socket) => socket.resetAndDestroy()],
    ['the connection is closed without an answer', (socket: Socket) => socket.end()],
    ['the answer is no HTTP', (socket: Socket) => socket.end('garbage\r\n\r\n')],
    ['the head is cut', (socket: Socket) => socket.end('HTTP/1.1 201 Created\r\nContent-Le')],
    [
      'the body is shorter than announced',
      (socket: Socket) =>
        socket.end('HTTP/1.1 201 Created\r\nConnection: close\r\nContent-Length: 50\r\n\r\n{"apiKey":"'),
    ],
    [
      'the body is shorter than announced, with keep-alive',
      (socket: Socket) => socket.end('HTTP/1.1 201 Created\r\nContent-Length: 50\r\n\r\n{"apiKey":"'),
    ],
    [
      'the last chunk is missing',
      (socket: Socket) => socket.end('HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"apiK\r\n'),
    ],
    [
      'the connection is reset in the middle of the body',
      (socket: Socket) => {
        socket.write('HTTP/1.1 201 Created\r\nConnection: close\r\nContent-Length: 50\r\n\r\n{"apiKey":"', () =>
          setImmediate(() => socket.resetAndDestroy()),
        );
      },
    ],
  ])('when %s', async (_name, react) => {
    const { baseUrl, requests } = await rawServer(react);
    expect(classes(await both(baseUrl))).toEqual(['outage', 'unknown']);
    expect(requests).toHaveLength(2);
  });

  test('when the head does not come in time', async () => {
    const { baseUrl } = await rawServer(() => undefined);
    const facts = await both(baseUrl, {}, clientWith({ httpTimeoutMs: 80 }));
    expect(classes(facts)).toEqual(['outage', 'unknown']);
    expect(facts.write).toMatchObject({ code: 'KT-OUTCOME-UNKNOWN' });
    expect(facts.write.message).toContain('TIMEOUT');
  });

  test('when 102 Processing is all that comes', async () => {
    const { baseUrl } = await rawServer((socket) => socket.write('HTTP/1.1 102 Processing\r\n\r\n'));
    expect(classes(await both(baseUrl, { httpTimeoutMs: 80 }))).toEqual(['outage', 'unknown']);
  });

  test('when the body drips: the time-out is for the whole exchange, not for each byte', async () => {
    const baseUrl = await httpServer((_request, response) => {
      response.writeHead(201);
      const drip = setInterval(() => response.write(' '), 10);
      response.on('close', () => clearInterval(drip));
    });
    expect(classes(await both(baseUrl, { httpTimeoutMs: 150 }))).toEqual(['outage', 'unknown']);
  });

  test('when the answer is longer than 1 MiB', async () => {
    const baseUrl = await httpServer((_request, response) =>
      response.writeHead(201).end(Buffer.alloc(1024 * 1024 + 1, 'x')),
    );
    const facts = await both(baseUrl);
    expect(classes(facts)).toEqual(['outage', 'unknown']);
    expect(facts.write).toMatchObject({ code: 'KT-PROVIDER-ANSWER' });
  });

  test('when a success is not UTF-8; an error page may be', async () => {
    const latin1 = (status: number) =>
      httpServer((_request, response) => response.writeHead(status).end(Buffer.from('schl\u00fcssel', 'latin1')));
    expect(classes(await both(await latin1(201)))).toEqual(['outage', 'unknown']);
    expect((await clientWith().send(await latin1(502), write)).status).toBe(502);
  });
});

describe('cancellation', () => {
  test('ends a read at once, and leaves a write that was sent to its answer', async () => {
    const baseUrl = await httpServer((_request, response) => {
      setTimeout(() => response.writeHead(201).end('answered'), 150);
    });
    const cancel = new AbortController();
    const reading = failure(clientWith().send(baseUrl, read, { signal: cancel.signal }));
    const writing = clientWith().send(baseUrl, write, { signal: cancel.signal });
    await sleep(70);
    cancel.abort();
    expect(await reading).toMatchObject({ class: 'outage', message: expect.stringContaining('CANCELLED') });
    expect(await writing).toMatchObject({ status: 201, text: 'answered' });
  });
});

describe('at most once', () => {
  test('a write after an answer on a connection that the server kept and then closed is sent once, on a new connection', async () => {
    const seen: string[] = [];
    const server = createServer((socket) => {
      socket.on('data', (bytes) => {
        const [line = ''] = bytes.toString('latin1').split('\r\n');
        seen.push(line);
        if (line.startsWith('GET')) {
          socket.write('HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\n[]');
          return;
        }
        socket.resetAndDestroy();
      });
    });
    const baseUrl = await listen(server);
    const client = clientWith();
    await client.send(baseUrl, read);
    expect(await failure(client.send(baseUrl, write))).toMatchObject({ class: 'unknown' });
    expect(await failure(client.send(baseUrl, { ...write, method: 'DELETE' }))).toMatchObject({ class: 'unknown' });
    await sleep(50);
    expect(seen.map((line) => line.split(' ')[0])).toEqual(['GET', 'POST', 'DELETE']);
  });

  test('no two requests share a connection', async () => {
    const ports = new Set<number | undefined>();
    const baseUrl = await httpServer((request, response) => {
      ports.add(request.socket.remotePort);
      response.writeHead(200).end('[]');
    });
    const client = clientWith();
    await client.send(baseUrl, read);
    await client.send(baseUrl, write);
    await Promise.all([client.send(baseUrl, write), client.send(baseUrl, write)]);
    expect(ports.size).toBe(4);
  });
});

describe('proxies of the environment', () => {
  async function throughProxy<T>(proxyUrl: string, use: () => Promise<T>): Promise<T> {
    const before = process.env['HTTP_PROXY'];
    process.env['HTTP_PROXY'] = proxyUrl;
    try {
      return await use();
    } finally {
      if (before === undefined) delete process.env['HTTP_PROXY'];
      else process.env['HTTP_PROXY'] = before;
    }
  }

  test('are used for other hosts, never for a loopback address', async () => {
    const proxied: string[] = [];
    const proxy = createHttpServer();
    proxy.on('connect', (request, socket) => {
      proxied.push(String(request.url));
      socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
    });
    const baseUrl = await httpServer((_request, response) => response.writeHead(200).end('direct'));
    await throughProxy(new URL(await listen(proxy)).origin, async () => {
      expect(await clientWith().send(baseUrl, read)).toMatchObject({ text: 'direct' });
      expect((await both('http://keyturn-test.invalid/api')).write).toMatchObject({ class: 'not-sent' });
    });
    expect(proxied).toEqual(['keyturn-test.invalid:80', 'keyturn-test.invalid:80']);
  });

  test('carry a request through their tunnel once', async () => {
    const baseUrl = await httpServer((_request, response) => response.writeHead(201).end('through'));
    const proxy = createHttpServer();
    proxy.on('connect', (_request, socket) => {
      const upstream = connect(Number(new URL(baseUrl).port), '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
        upstream.pipe(socket).pipe(upstream);
      });
      upstream.on('error', () => socket.destroy());
    });
    const answer = await throughProxy(new URL(await listen(proxy)).origin, () =>
      clientWith().send('http://keyturn-test.invalid', write),
    );
    expect(answer).toMatchObject({ status: 201, text: 'through' });
  });

  test('that cannot be read end in a failure without their password', async () => {
    const fact = await throughProxy(`http://user:${canary}@127.0.0.1:1/path`, () =>
      failure(clientWith().send('http://keyturn-test.invalid/api', write)),
    );
    expect(fact).toMatchObject({ class: 'not-sent', message: expect.stringContaining('PROXY_SETTINGS') });
  });

  test('that end the connection are asked once, not in a loop', async () => {
    const proxy = await rawServer((socket) => socket.end());
    const fact = await throughProxy(new URL(proxy.baseUrl).origin, () =>
      failure(clientWith().send('http://keyturn-test.invalid/api', write)),
    );
    await sleep(50);
    expect(fact).toMatchObject({ class: 'not-sent', code: 'KT-PROVIDER-UNREACHABLE' });
    expect(proxy.requests).toHaveLength(1);
  });
});
