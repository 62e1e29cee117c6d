import type { Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/**
 * At most `most` sockets are open: one more ends the oldest that has no request in hand. So whoever only opens sockets, or sends headers byte by
 * byte, ends their own, and a sender whose request comes at once is served.
 */
export function boundConnections(server: Server, most: number): void {
  const open = new Set<Socket>();
  const requests = new Map<Socket, number>();
  server.on('connection', (socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    if (open.size <= most) return;
    for (const one of open) {
      if (requests.has(one)) continue;
      open.delete(one);
      one.destroy();
      return;
    }
  });
  server.prependListener('request', ({ socket }, response: ServerResponse) => {
    requests.set(socket, (requests.get(socket) ?? 0) + 1);
    response.once('close', () => {
      const left = (requests.get(socket) ?? 1) - 1;
      if (left > 0) requests.set(socket, left);
      else requests.delete(socket);
    });
  });
}
