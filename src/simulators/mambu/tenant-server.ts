import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { noteCredential } from './auth.js';
import type { Delay, Faults, FaultPlan } from './faults.js';
import { readBody } from './http.js';
import { type Incoming, processRequest } from './process.js';
import { sha256 } from './random.js';
import { matchRoute } from './routes.js';
import { afterProcessing, deliver, insteadOfProcessing } from './spoil.js';
import type { World } from './world.js';

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
  const matched = matchRoute(method, path.startsWith('/api/') ? path.slice('/api'.length) : '');
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
  const instead = insteadOfProcessing(plan.spoiler);
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
    entry.status = await deliver(response, afterProcessing(plan.spoiler, original));
    return;
  }
  await wait(plan, 'after');
  processed.settle();
  entry.status = await deliver(response, afterProcessing(plan.spoiler, processed.answer));
}

async function wait({ delays }: FaultPlan, when: Delay['when']): Promise<void> {
  const ms = delays.filter((delay) => delay.when === when).reduce((sum, delay) => sum + delay.ms, 0);
  if (ms > 0) await sleep(ms, undefined, { ref: false });
}

function nameOf({ delays, spoiler }: FaultPlan): string | null {
  const names = [...delays, ...(spoiler === null ? [] : [spoiler])].map(({ action }) => action);
  return names.length === 0 ? null : names.join('+');
}
