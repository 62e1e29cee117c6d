// A door in front of a simulator that can be shut within one call: the operating system then refuses the connection.
import { connect, createServer } from 'node:net';
import { once } from 'node:events';

export async function startGate({ port, leadsTo }) {
  const sockets = new Set();
  const server = createServer((incoming) => {
    const outgoing = connect(leadsTo, '127.0.0.1');
    for (const socket of [incoming, outgoing]) {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
    }
    incoming.on('error', () => outgoing.destroy());
    outgoing.on('error', () => incoming.destroy());
    incoming.pipe(outgoing).pipe(incoming);
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    /** From the next instant on: the listening socket is closed before this returns. */
    shut: () => void server.close(),
    open: () => void server.listen(port, '127.0.0.1'),
    async close() {
      for (const socket of sockets) socket.destroy();
      if (server.listening) await new Promise((resolve) => server.close(resolve));
    },
  };
}
