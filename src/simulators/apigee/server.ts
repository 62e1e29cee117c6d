import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Answer } from '../shared/answer.js';
import { type Faults, nameOf, wait } from '../shared/faults.js';
import { readBody } from '../shared/http.js';
import { randomBase62, sha256 } from '../shared/random.js';
import { afterProcessing, deliver, type Flavour, insteadOfProcessing } from '../shared/spoil.js';
import { noteCredential } from './auth.js';
import { matchManagement, processManagement } from './process-management.js';
import { keyOfRequest, processRuntime } from './process-runtime.js';
import type { RequestEntry } from './request-log.js';
import { grant } from './tokens.js';
import type { World } from './world.js';

const flavour: Flavour = {
  redirectTo: '/v1/redirected',
  garbage: '<<<{"consumerKey":',
  anotherFields: ['consumerKey'],
  fresh: () => randomBase62(64),
};

/** Route names of the planes that have no templates, for faults and the oracle. */
export const TOKEN_ROUTE = '/oauth/token';
export const RUNTIME_ROUTE = '/{proxy}';

interface Incoming {
  readonly world: World;
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly rawBody: Buffer;
}

interface Received {
  readonly entry: RequestEntry;
  decide(): Answer;
}

/** The management API under /v1, and the token endpoint beside it. */
export const managementHandler = (world: () => World, faults: Faults) =>
  handler(world, faults, (incoming) =>
    incoming.path === TOKEN_ROUTE ? receiveToken(incoming) : receiveManagement(incoming),
  );

/** The proxies. */
export const runtimeHandler = (world: () => World, faults: Faults) => handler(world, faults, receiveRuntime);

function receiveManagement(incoming: Incoming): Received {
  const { world, method, path, headers, query } = incoming;
  const matched = matchManagement(world.rules, method, path.startsWith('/v1/') ? path.slice('/v1'.length) : '');
  const consumerKey = matched.params['key'];
  const entry = open(incoming, 'management', matched.template, consumerKey, query.get('action'));
  noteCredential(headers, entry);
  return { entry, decide: () => processManagement(matched, { ...incoming, entry }) };
}

function receiveToken(incoming: Incoming): Received {
  const { world, rawBody, headers } = incoming;
  const entry = open(incoming, 'token', TOKEN_ROUTE, undefined, null);
  noteCredential(headers, entry);
  return {
    entry,
    decide() {
      const answer = grant(new URLSearchParams(rawBody.toString('utf8')), headers.authorization, world);
      entry.decided = answer.status;
      return answer;
    },
  };
}

function receiveRuntime(incoming: Incoming): Received {
  const { world, headers, query, path } = incoming;
  const consumerKey = keyOfRequest(world.rules, headers, query);
  const entry = open(incoming, 'runtime', RUNTIME_ROUTE, consumerKey, null);
  entry.credential.kind = consumerKey === undefined ? 'none' : 'api-key';
  return { entry, decide: () => processRuntime({ ...incoming, entry }, path) };
}

function open(
  { world, method, path, headers, rawBody }: Incoming,
  plane: RequestEntry['plane'],
  route: string,
  consumerKey: string | undefined,
  action: string | null,
): RequestEntry {
  const serial = consumerKey === undefined ? null : serialOf(world, consumerKey);
  const name = `#${serial ?? '?'}`;
  const shown = consumerKey === undefined ? path : path.replace(encodeURIComponent(consumerKey), name);
  return world.log.open({
    plane,
    method,
    route,
    path: shown,
    action,
    contentType: headers['content-type'] ?? null,
    serial,
    bodySha256: rawBody.length === 0 ? null : sha256(rawBody),
  });
}

/** Also of a key that was deleted: the newest that had this value. */
function serialOf({ ledger }: World, consumerKey: string): number | null {
  for (const { organization } of ledger.chapters().toReversed()) {
    const key = organization.apps.flatMap(({ keys }) => keys).find((one) => one.consumerKey === consumerKey);
    if (key !== undefined) return key.serial;
  }
  return null;
}

function handler(world: () => World, faults: Faults, receive: (incoming: Incoming) => Received) {
  return (request: IncomingMessage, response: ServerResponse): void => {
    serve(world(), faults, receive, request, response).catch((error: unknown) => {
      process.emitWarning(`Apigee simulator: ${error instanceof Error ? (error.stack ?? error.message) : 'failed'}`);
      response.socket?.destroy();
    });
  };
}

async function serve(
  world: World,
  faults: Faults,
  receive: (incoming: Incoming) => Received,
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
  const method = request.method ?? 'GET';
  const query = new URLSearchParams(search);
  const received = receive({ world, method, path, query, headers: request.headers, rawBody });
  const { entry } = received;
  const plan = faults.take(method, entry.route);
  entry.fault = nameOf(plan);
  await wait(plan, 'before');
  const instead = insteadOfProcessing(plan.spoiler, flavour);
  if (instead !== null) {
    entry.status = await deliver(response, instead);
    return;
  }
  const answer = received.decide();
  await wait(plan, 'after');
  entry.status = await deliver(response, afterProcessing(plan.spoiler, answer, flavour));
}
