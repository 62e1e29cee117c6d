/** Tiny, the made-up service of examples/plugin-tiny: tokens of one account, over a socket. */
import { randomBytes, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface TinySystem {
  readonly baseUrl: string;
  readonly account: string;
  /** Made before anybody asked: the first one is to be imported, the other one is somebody else's. */
  readonly seeded: { readonly id: string; readonly token: string };
  accepts(token: string): boolean;
  livingIds(): readonly string[];
  close(): Promise<void>;
}

export async function startTinySystem(account = 'acme'): Promise<TinySystem> {
  const tokens = new Map<string, { readonly token: string; readonly createdAt: number }>();
  const make = (): { id: string; token: string } => {
    const made = { id: randomUUID(), token: `tiny-${randomBytes(24).toString('base64url')}` };
    tokens.set(made.id, { token: made.token, createdAt: Date.now() });
    return made;
  };
  const idOf = (token: string): string | undefined => [...tokens].find(([, one]) => one.token === token)?.[0];

  function answer({ method, url = '', headers }: IncomingMessage): { status: number; body?: unknown } {
    const caller = idOf(headers.authorization?.replace(/^Bearer /, '') ?? '');
    if (caller === undefined) return { status: 401, body: { error: 'unknown token' } };
    const [, resource, id] = url.split('/').map(decodeURIComponent);
    if (method === 'GET' && resource === 'whoami') return { status: 200, body: { id: caller, account } };
    if (resource !== 'tokens') return { status: 404 };
    if (method === 'POST') return { status: 201, body: make() };
    if (method === 'DELETE') return { status: tokens.delete(id ?? '') ? 204 : 404 };
    const listed = [...tokens].map(([each, { createdAt }]) => ({ id: each, createdAt }));
    return { status: 200, body: { tokens: listed } };
  }

  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    request.resume().on('end', () => {
      const { status, body } = answer(request);
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(body === undefined ? undefined : JSON.stringify(body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const seeded = make();
  make();
  return {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    account,
    seeded,
    accepts: (token) => idOf(token) !== undefined,
    livingIds: () => [...tokens.keys()],
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
