import type { RequestListener } from 'node:http';
import type { Answer } from '../shared/answer.js';
import type { Faults } from '../shared/faults.js';
import { randomBase62, sha256 } from '../shared/random.js';
import { handlerOf, type Incoming, type Received } from '../shared/serve.js';
import type { Flavour } from '../shared/spoil.js';
import { credentialOf } from './auth.js';
import { matchMetadata, processMetadata } from './metadata.js';
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

const system = { name: 'Apigee simulator', flavour } as const;

/** Route names of the planes that have no templates, for faults and the oracle. */
export const TOKEN_ROUTE = '/oauth/token';
export const RUNTIME_ROUTE = '/{proxy}';

/** The management API under /v1, and the token endpoint beside it. */
export const managementHandler = (world: () => World, faults: Faults): RequestListener =>
  handlerOf({
    ...system,
    world,
    faults,
    receive: (incoming) => (incoming.path === TOKEN_ROUTE ? receiveToken(incoming) : receiveManagement(incoming)),
  });

/** The proxies. */
export const runtimeHandler = (world: () => World, faults: Faults): RequestListener =>
  handlerOf({ ...system, world, faults, receive: receiveRuntime });

/** The metadata server. */
export const metadataHandler = (world: () => World, faults: Faults): RequestListener =>
  handlerOf({ ...system, world, faults, receive: receiveMetadata });

function receiveManagement(incoming: Incoming<World>): Received {
  const { world, method, path, headers, query } = incoming;
  const matched = matchManagement(world.rules, method, path.startsWith('/v1/') ? path.slice('/v1'.length) : '');
  const entry = open(incoming, {
    plane: 'management',
    route: matched.template,
    consumerKey: matched.params['key'],
    credential: credentialOf(headers),
    action: query.get('action'),
  });
  return received(entry, () => processManagement(matched, { ...incoming, entry }));
}

function receiveToken(incoming: Incoming<World>): Received {
  const { world, rawBody, headers } = incoming;
  const credential = credentialOf(headers);
  const entry = open(incoming, { plane: 'token', route: TOKEN_ROUTE, consumerKey: undefined, credential });
  return received(entry, () => grant(new URLSearchParams(rawBody.toString('utf8')), headers.authorization, world));
}

function receiveMetadata(incoming: Incoming<World>): Received {
  const { world, method, path, headers } = incoming;
  const matched = matchMetadata(method, path);
  const credential = credentialOf(headers);
  const entry = open(incoming, { plane: 'metadata', route: matched.template, consumerKey: undefined, credential });
  return received(entry, () => processMetadata(matched, headers, world));
}

function receiveRuntime(incoming: Incoming<World>): Received {
  const { world, headers, query, path } = incoming;
  const consumerKey = keyOfRequest(world.rules, headers, query);
  const credential = { kind: consumerKey === undefined ? 'none' : 'api-key', outcome: 'unchecked' } as const;
  const entry = open(incoming, { plane: 'runtime', route: RUNTIME_ROUTE, consumerKey, credential });
  return received(entry, () => processRuntime({ ...incoming, entry }, path));
}

const received = (entry: RequestEntry, answer: () => Answer): Received => ({
  entry,
  decide: () => ({ kind: 'answer', answer: answer() }),
});

function open(
  { world, method, path, headers, rawBody }: Incoming<World>,
  known: Pick<RequestEntry, 'plane' | 'route' | 'credential'> & {
    consumerKey: string | undefined;
    action?: string | null;
  },
): RequestEntry {
  const { consumerKey, action = null, ...seen } = known;
  const serial = consumerKey === undefined ? null : serialOf(world, consumerKey);
  const name = `#${serial ?? '?'}`;
  return world.log.open({
    ...seen,
    method,
    path: consumerKey === undefined ? path : path.replace(encodeURIComponent(consumerKey), name),
    action,
    contentType: headers['content-type'] ?? null,
    serial,
    processor: null,
    code: null,
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
