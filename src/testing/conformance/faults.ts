/** A proxy between a provider and its system that can do to an exchange what networks and gateways do. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { request as send } from 'undici';
import type { VendorAnswer } from './subject.js';

/** The method of the provider that makes a request. */
export type Call = 'inventory' | 'create' | 'find' | 'equip' | 'verify' | 'retire' | 'restore' | 'call';

/** Before the system has seen it: the connection is refused, or it is answered instead. After it has: what becomes of the system's answer. */
export type Harm =
  | { readonly kind: 'unreachable' }
  | { readonly kind: 'answered-instead'; readonly answer: VendorAnswer }
  | { readonly kind: 'answer-lost' | 'answer-cut' | 'answer-garbled' | 'answer-500' | 'answer-late' };

export interface Fault {
  readonly on: Call;
  readonly harm: Harm;
  /** How many calls it hits, each at its first request; default 1. */
  readonly times?: number;
}

export interface FaultProxy {
  /** Where an exchange goes that is to be sent to this base URL, with this harm. */
  plan(
    baseUrl: string,
    harm: Harm | null,
  ): { readonly baseUrl: string; readonly headers: Readonly<Record<string, string>> };
  close(): Promise<void>;
}

const TICKET = 'x-conformance-ticket';
const hopByHop: ReadonlySet<string> = new Set([
  'connection',
  'host',
  'keep-alive',
  'transfer-encoding',
  'content-length',
  TICKET,
]);

interface Planned {
  readonly origin: string;
  readonly harm: Harm | null;
}

export async function startFaultProxy(): Promise<FaultProxy> {
  const tickets = new Map<string, Planned>();
  let count = 0;
  const server = createServer((request, response) => {
    const planned = tickets.get(String(request.headers[TICKET]));
    if (planned === undefined) return void response.writeHead(400).end();
    exchange(request, response, planned).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    plan(baseUrl, harm) {
      const { origin, pathname } = new URL(baseUrl);
      const ticket = String((count += 1));
      tickets.set(ticket, { origin, harm });
      // Nothing listens on port 1 (tcpmux) of a machine of today: connections to it are refused at once.
      const host = harm?.kind === 'unreachable' ? '127.0.0.1:1' : `127.0.0.1:${port}`;
      return { baseUrl: `http://${host}${pathname.replace(/\/+$/, '')}`, headers: { [TICKET]: ticket } };
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function exchange(request: IncomingMessage, response: ServerResponse, { origin, harm }: Planned): Promise<void> {
  const body = await bytesOf(request);
  if (harm?.kind === 'answered-instead') {
    const { status, headers, body: text } = harm.answer;
    return void response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(text);
  }
  const answer = await send(origin + (request.url ?? '/'), {
    method: (request.method ?? 'GET') as 'GET',
    headers: endToEnd(request.headers),
    body: body.length === 0 ? null : body,
  });
  const bytes = Buffer.from(await answer.body.arrayBuffer());
  const headers = endToEnd(answer.headers);
  switch (harm?.kind) {
    case undefined:
    case 'unreachable':
      return void response.writeHead(answer.statusCode, headers).end(bytes);
    case 'answer-lost':
      return void request.socket.destroy();
    case 'answer-cut':
      response.writeHead(answer.statusCode, { ...headers, 'content-length': bytes.length + 10 });
      return void response.write(bytes.subarray(0, bytes.length / 2), () => request.socket.destroy());
    case 'answer-garbled':
      return void response.writeHead(200, { 'content-type': 'text/html' }).end('<html>Welcome</html>');
    case 'answer-500':
      return void response.writeHead(500, { 'content-type': 'application/json' }).end('{}');
    case 'answer-late':
      // Never: the client gives up first.
      return;
    default:
      harm satisfies never;
  }
}

async function bytesOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function endToEnd(headers: IncomingMessage['headers']): Record<string, string | string[]> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined || hopByHop.has(name) ? [] : [[name, value]],
    ),
  );
}
