import type { IncomingMessage, ServerResponse } from 'node:http';
import { noteCredential } from './auth.js';
import { type FaultPlan, type Faults, nameOf, wait } from '../shared/faults.js';
import { readBody } from '../shared/http.js';
import { matchRoute } from '../shared/routing.js';
import { type Incoming, processRequest } from './process.js';
import { sha256 } from '../shared/random.js';
import { routes } from './routes.js';
import { afterProcessing, deliver, type Flavour, insteadOfProcessing } from '../shared/spoil.js';
import { randomEncodedKey, randomKeyValue } from './random.js';
import type { World } from './world.js';

const flavour: Flavour = {
  redirectTo: '/api/redirected',
  garbage: '<<<{"apiKey":',
  anotherFields: ['id'],
  fresh: (field) => (field === 'id' ? randomEncodedKey() : randomKeyValue()),
};

/** The tenant's API under /api, with the faults between it and the client. */
export function tenantHandler(world: () => World, faults: Faults) {
  return (request: IncomingMessage, response: ServerResponse): void => {
    serve(world(), faults, request, response).catch((error: unknown) => {
      process.emitWarning(`Mambu simulator: ${error instanceof Error ? (error.stack ?? error.message) : 'failed'}`);
      response.socket?.destroy();
    });
  };
}

async function serve(world: World, faults: Faults, request: IncomingMessage, response: ServerResponse): Promise<void> {
  response.on('error', () => undefined);
  const rawBody = await readBody(request).catch(() => null);
  if (rawBody === null) {
    response.socket?.destroy();
    return;
  }
  const { headers } = request;
  const method = request.method ?? 'GET';
  const [path = '/', search = ''] = (request.url ?? '/').split('?', 2);
  const matched = matchRoute(routes, method, path.startsWith('/api/') ? path.slice('/api'.length) : '');
  const entry = world.log.open({
    method,
    route: matched.template,
    path,
    idempotencyKey: headers['idempotency-key']?.toString() ?? null,
    bodySha256: rawBody.length === 0 ? null : sha256(rawBody),
  });
  noteCredential(world, headers, matched.route?.scheme ?? 'key', entry);
  const plan = faults.take(method, matched.template);
  entry.fault = nameOf(plan);
  await wait(plan, 'before');
  const query = new URLSearchParams(search);
  await answer({ world, headers, query, rawBody, entry, matched }, plan, response);
}

async function answer(incoming: Incoming, plan: FaultPlan, response: ServerResponse): Promise<void> {
  const { entry } = incoming;
  const instead = insteadOfProcessing(plan.spoiler, flavour);
  if (instead !== null) {
    entry.status = await deliver(response, instead);
    return;
  }
  const processed = processRequest(incoming);
  if (processed.kind === 'informational') {
    response.writeProcessing();
    if (processed.original === null) return;
    const original = await processed.original;
    entry.decided = original.status;
    entry.status = await deliver(response, afterProcessing(plan.spoiler, original, flavour));
    return;
  }
  await wait(plan, 'after');
  processed.settle();
  entry.status = await deliver(response, afterProcessing(plan.spoiler, processed.answer, flavour));
}
