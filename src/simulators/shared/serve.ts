import type { IncomingHttpHeaders, IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Answer } from './answer.js';
import { type FaultPlan, type Faults, nameOf, wait } from './faults.js';
import { readBody } from './http.js';
import type { SeenRequest } from './request-log.js';
import { afterProcessing, deliver, type Flavour, insteadOfProcessing } from './spoil.js';

/** One request, read to its end. */
export interface Incoming<W> {
  readonly world: W;
  readonly method: string;
  /** Still percent-encoded, without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly rawBody: Buffer;
}

/** `informational`: 102 now, and then the answer of another request that is in progress, or nothing ever. */
export type Decision =
  | {
      readonly kind: 'answer';
      readonly answer: Answer;
      /** Called once the answer is about to leave, or to be lost. */
      readonly settle?: () => void;
    }
  | { readonly kind: 'informational'; readonly original: Promise<Answer> | null };

/** A request that stands in the log and waits for the decision. */
export interface Received {
  readonly entry: SeenRequest;
  readonly decide: () => Decision;
}

export interface System<W> {
  /** For warnings. */
  readonly name: string;
  readonly world: () => W;
  readonly faults: Faults;
  readonly flavour: Flavour;
  readonly receive: (incoming: Incoming<W>) => Received;
}

/** Serves a simulated system, with the faults between it and its client. */
export function handlerOf<W>(system: System<W>): RequestListener {
  return (request, response): void => {
    serve(system, system.world(), request, response).catch((error: unknown) => {
      process.emitWarning(`${system.name}: ${error instanceof Error ? (error.stack ?? error.message) : 'failed'}`);
      response.socket?.destroy();
    });
  };
}

async function serve<W>(
  system: System<W>,
  world: W,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  response.on('error', () => undefined);
  const rawBody = await readBody(request).catch(() => null);
  if (rawBody === null) {
    response.socket?.destroy();
    return;
  }
  const [path = '/', search = ''] = (request.url ?? '/').split('?', 2);
  const { method = 'GET', headers } = request;
  const query = new URLSearchParams(search);
  const received = system.receive({ world, method, path, query, headers, rawBody });
  const plan = system.faults.take(method, received.entry.route);
  received.entry.fault = nameOf(plan);
  await wait(plan, 'before');
  received.entry.status = await answered(received, plan, system.flavour, response);
}

/** Resolves with the status that went out, or null when none did. */
async function answered(
  { entry, decide }: Received,
  plan: FaultPlan,
  flavour: Flavour,
  response: ServerResponse,
): Promise<number | null> {
  const instead = insteadOfProcessing(plan.spoiler, flavour);
  if (instead !== null) return deliver(response, instead);
  const decision = decide();
  if (decision.kind === 'informational') {
    entry.decided = 102;
    response.writeProcessing();
    if (decision.original === null) return null;
    const original = await decision.original;
    entry.decided = original.status;
    return deliver(response, afterProcessing(plan.spoiler, original, flavour));
  }
  const { answer, settle } = decision;
  entry.decided = answer.status;
  await wait(plan, 'after');
  settle?.();
  return deliver(response, afterProcessing(plan.spoiler, answer, flavour));
}
