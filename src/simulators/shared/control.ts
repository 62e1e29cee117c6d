import type { IncomingMessage, ServerResponse } from 'node:http';
import { readBody } from './http.js';

/** One call of the control API. What it returns is the JSON answer; what it throws, an answer 400. */
export type ControlAction<S> = (simulator: S, body: unknown, query: URLSearchParams) => unknown;

/**
 * The control API: for tests in another process, never for a client of the simulated system.
 * `endpoints` are named `METHOD /path`, `adminActions` are POST /admin/NAME with a JSON object.
 */
export function controlHandler<S>(
  simulator: () => S,
  endpoints: Readonly<Record<string, ControlAction<S>>>,
  adminActions: Readonly<Record<string, ControlAction<S>>>,
) {
  async function respond(request: IncomingMessage): Promise<{ status: number; body: unknown }> {
    const raw = await readBody(request);
    const body: unknown = raw.length === 0 ? {} : JSON.parse(raw.toString('utf8'));
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://control');
    const admin = request.method === 'POST' ? adminActions[pathname.replace(/^\/admin\//, '')] : undefined;
    const action = endpoints[`${request.method} ${pathname}`] ?? admin;
    if (action === undefined) return { status: 404, body: { error: `no ${request.method} ${pathname}` } };
    return { status: 200, body: await action(simulator(), body, searchParams) };
  }

  return (request: IncomingMessage, response: ServerResponse): void => {
    respond(request)
      .then(({ status, body }) => send(response, status, body))
      .catch((error: unknown) => {
        send(response, 400, { error: error instanceof Error ? error.message : 'failed' });
      });
  };
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body ?? { ok: true }));
}
