import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import type { Hono } from 'hono';
import type { Endpoint } from '../config.js';
import { KeyturnError } from '../domain/errors.js';
import { boundConnections } from './connections.js';

export interface Listening {
  /** Without a slash at its end. */
  readonly url: string;
  /** Takes no new request, lets running ones finish within `CLOSE_WITHIN_MS`, then ends every connection. */
  close(): Promise<void>;
}

/** A slow client holds a socket no longer than this; without the checking interval it would be up to 30 s longer. */
const limits = {
  headersTimeout: 5_000,
  requestTimeout: 10_000,
  keepAliveTimeout: 5_000,
  connectionsCheckingInterval: 1_000,
  maxHeaderSize: 16 * 1024,
};

/** Far above what Mambu, a monitor and operators open, far below what a process may. */
const MAX_CONNECTIONS = 1_000;

/** Above the longest a webhook or a query may take. */
const CLOSE_WITHIN_MS = 12_000;

/** @throws KeyturnError KT-CONFLICT when the address is taken, KT-CONFIG when it cannot be had */
export async function listen(app: Hono, endpoint: Endpoint): Promise<Listening> {
  const handle = getRequestListener(app.fetch, { overrideGlobalObjects: false });
  const server = createServer(limits, (request, response) => void handle(request, response));
  boundConnections(server, MAX_CONNECTIONS);
  const running = new Set<ServerResponse>();
  let isClosing = false;
  server.prependListener('request', (_, response: ServerResponse) => {
    if (isClosing) response.setHeader('connection', 'close');
    running.add(response);
    response.once('close', () => running.delete(response));
  });
  await bind(server, endpoint);
  return {
    url: urlOf(server),
    close: async () => {
      isClosing = true;
      for (const response of running) if (!response.headersSent) response.setHeader('connection', 'close');
      const closed = once(server, 'close');
      server.close();
      const deadline = AbortSignal.timeout(CLOSE_WITHIN_MS);
      await Promise.race([
        Promise.all([...running].map((response) => once(response, 'close'))),
        once(deadline, 'abort'),
      ]);
      server.closeAllConnections();
      await closed;
    },
  };
}

async function bind(server: Server, { host, port }: Endpoint): Promise<void> {
  server.listen(port, host);
  try {
    await once(server, 'listening');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    throw code === 'EADDRINUSE'
      ? new KeyturnError('KT-CONFLICT', `something else listens at ${host}:${port}`, {
          hint: 'Stop it, or choose another `listen` address in keyturn.yaml.',
        })
      : new KeyturnError('KT-CONFIG', `cannot listen at ${host}:${port}: ${code}`);
  }
}

function urlOf(server: Server): string {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no TCP address');
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  return `http://${host}:${address.port}`;
}
