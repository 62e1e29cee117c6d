/** A door in front of a simulator that can be shut: connections are then refused by the operating system, not answered. */
import { connect, createServer, type AddressInfo } from 'node:net';
import type { TestContext } from 'vitest';

export interface Gate {
  /** As the simulator's, but through this door. */
  readonly baseUrl: string;
  /** Where it leads. */
  leadTo(baseUrl: string): void;
  shut(): Promise<void>;
  /** Shuts as soon as so many connections have passed from now on. */
  shutAfter(connections: number): void;
  open(): Promise<void>;
}

export async function startGate(onTestFinished: TestContext['onTestFinished']): Promise<Gate> {
  let target = 0;
  let left = Number.POSITIVE_INFINITY;
  const server = createServer((incoming) => {
    left -= 1;
    if (left <= 0) server.close();
    const outgoing = connect(target, '127.0.0.1');
    incoming.on('error', () => outgoing.destroy());
    outgoing.on('error', () => incoming.destroy());
    incoming.pipe(outgoing).pipe(incoming);
  });
  const listen = (port: number): Promise<void> =>
    new Promise((resolve) => server.listen(port, '127.0.0.1', () => resolve()));
  await listen(0);
  const { port } = server.address() as AddressInfo;
  onTestFinished(() => void server.close());
  return {
    baseUrl: `http://127.0.0.1:${port}/api`,
    leadTo(baseUrl) {
      target = Number(new URL(baseUrl).port);
    },
    async shut() {
      if (server.listening) await new Promise<void>((resolve) => (server.close(), resolve()));
    },
    shutAfter(connections) {
      left = connections;
    },
    async open() {
      left = Number.POSITIVE_INFINITY;
      if (!server.listening) await listen(port);
    },
  };
}
