import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

const MAX_BODY_BYTES = 1_048_576;

/** @throws Error when the body is longer than 1 MiB, or when the client goes away in the middle of it */
export async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    if (!Buffer.isBuffer(chunk)) throw new TypeError('a body is bytes');
    length += chunk.length;
    if (length > MAX_BODY_BYTES) throw new Error('body too long');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

interface Listening {
  readonly origin: string;
  close(): Promise<void>;
}

const HOST = '127.0.0.1';

/** Listens on the loopback address; port 0 takes any free one. */
async function listen(handler: RequestListener, port = 0): Promise<Listening> {
  const server = createServer(handler);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, HOST, () => {
      server.off('error', reject);
      resolve();
    });
  });
  return { origin: `http://${HOST}:${portOf(server)}`, close: () => closeServer(server) };
}

/** The servers of one simulator: they end together, and when one cannot start. */
export interface Ports {
  /** Resolves with the origin. */
  open(handler: RequestListener, port?: number): Promise<string>;
  close(): Promise<void>;
}

export function createPorts(): Ports {
  const listening: Listening[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(listening.map((one) => one.close()));
  };
  return {
    close,
    async open(handler, port) {
      try {
        const one = await listen(handler, port);
        listening.push(one);
        return one.origin;
      } catch (error) {
        await close();
        throw error;
      }
    },
  };
}

const isBound = (address: string | AddressInfo | null): address is AddressInfo =>
  typeof address === 'object' && address !== null;

function portOf(server: Server): number {
  const address = server.address();
  if (!isBound(address)) throw new Error('the server is not listening');
  return address.port;
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.close((error) => (error === undefined ? resolve() : reject(error)));
    server.closeAllConnections();
  });
}
