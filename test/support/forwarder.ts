/** Stands before a simulator or a service and passes every request on, so that a test can count them, or be quicker than one of them. */
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'vitest';

interface Passing {
  readonly method: string;
  readonly url: string;
  readonly body: string;
}

export interface Forwarder {
  /** `http://127.0.0.1:PORT` */
  readonly origin: string;
  /** Where requests go. */
  leadTo(origin: string): void;
}

/** @param before is done with each request, read to its end, before it is passed on */
export async function startForwarder(
  onTestFinished: TestContext['onTestFinished'],
  before: (passing: Passing) => void,
): Promise<Forwarder> {
  let target = '';
  const pass = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = 'GET', url = '/', headers } = incoming;
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    before({ method, url, body: body.toString('utf8') });
    const outgoing = request(target + url, { method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    outgoing.on('error', () => response.destroy());
    outgoing.end(body);
  };
  const server = createServer((incoming, response) => void pass(incoming, response).catch(() => response.destroy()));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    leadTo(origin) {
      target = origin;
    },
  };
}
