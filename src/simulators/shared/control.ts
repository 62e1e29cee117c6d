import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { z } from 'zod';
import { type Fault, parseFaults } from './faults.js';
import { readBody } from './http.js';

/** What every simulator can be asked and told. */
export interface Controlled {
  oracle(options: { values: boolean }): unknown;
  readonly faults: { add(fault: Fault): void; clear(): void };
  readonly clock: { now(): number; advance(ms: number): void };
  readonly rules: object;
  reset(): unknown;
}

/** One call of the control API. What it returns is the JSON answer; what it throws, an answer 400. */
export type ControlAction<S> = (simulator: S, body: unknown, query: URLSearchParams) => unknown;

/** Makes actions of one kind of simulator, each with a JSON object of its shape. */
export const actionsOf =
  <S>() =>
  <Z extends z.ZodObject>(shape: Z, run: (simulator: S, asked: z.output<Z>) => unknown): ControlAction<S> =>
  (simulator, body) =>
    run(simulator, shape.parse(body));

export interface Control<S extends Controlled> {
  readonly simulator: () => S;
  /** What a process that runs it prints for its parent. */
  readonly describe: (simulator: S) => unknown;
  /** @throws Error where the rules may not be so */
  readonly changeRules: (simulator: S, changes: unknown) => object;
  /** POST /admin/NAME with a JSON object. */
  readonly adminActions: Readonly<Record<string, ControlAction<S>>>;
}

/** The control API: for tests in another process, never for a client of the simulated system. */
export function controlHandler<S extends Controlled>(control: Control<S>): RequestListener {
  const endpoints = endpointsOf(control);

  async function respond(request: IncomingMessage): Promise<{ status: number; body: unknown }> {
    const raw = await readBody(request);
    const body: unknown = raw.length === 0 ? {} : JSON.parse(raw.toString('utf8'));
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://control');
    const admin = request.method === 'POST' ? control.adminActions[pathname.replace(/^\/admin\//, '')] : undefined;
    const action = endpoints[`${request.method} ${pathname}`] ?? admin;
    if (action === undefined) return { status: 404, body: { error: `no ${request.method} ${pathname}` } };
    return { status: 200, body: await action(control.simulator(), body, searchParams) };
  }

  return (request, response): void => {
    respond(request)
      .then(({ status, body }) => send(response, status, body))
      .catch((error: unknown) => {
        send(response, 400, { error: error instanceof Error ? error.message : 'failed' });
      });
  };
}

const endpointsOf = <S extends Controlled>({
  describe,
  changeRules,
}: Control<S>): Readonly<Record<string, ControlAction<S>>> => ({
  'GET /': (simulator) => describe(simulator),
  'GET /oracle': (simulator, _body, query) => simulator.oracle({ values: query.get('values') === '1' }),
  'POST /faults': ({ faults }, body) => {
    const added = parseFaults(body);
    for (const fault of added) faults.add(fault);
    return { added: added.length };
  },
  'DELETE /faults': ({ faults }) => faults.clear(),
  'POST /clock': ({ clock }, body) => {
    clock.advance(z.strictObject({ advanceMs: z.number().min(0) }).parse(body).advanceMs);
    return { now: clock.now() };
  },
  'POST /reset': (simulator) => {
    simulator.reset();
    return describe(simulator);
  },
  'GET /rules': ({ rules }) => rules,
  'PUT /rules': (simulator, body) => changeRules(simulator, body),
});

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body ?? { ok: true }));
}
