import type { RequestListener } from 'node:http';
import type { Faults } from '../shared/faults.js';
import { sha256 } from '../shared/random.js';
import { matchRoute } from '../shared/routing.js';
import { handlerOf, type Incoming, type Received } from '../shared/serve.js';
import type { Flavour } from '../shared/spoil.js';
import { credentialOf } from './auth.js';
import { processRequest } from './process.js';
import { randomEncodedKey, randomKeyValue } from './random.js';
import { routes } from './routes.js';
import type { World } from './world.js';

const flavour: Flavour = {
  redirectTo: '/api/redirected',
  garbage: '<<<{"apiKey":',
  anotherFields: ['id'],
  fresh: (field) => (field === 'id' ? randomEncodedKey() : randomKeyValue()),
};

/** The tenant's API under /api, with the faults between it and the client. */
export const tenantHandler = (world: () => World, faults: Faults): RequestListener =>
  handlerOf({ name: 'Mambu simulator', world, faults, flavour, receive });

function receive({ world, method, path, query, headers, rawBody }: Incoming<World>): Received {
  const matched = matchRoute(routes, method, path.startsWith('/api/') ? path.slice('/api'.length) : '');
  const entry = world.log.open({
    method,
    route: matched.template,
    path,
    consumerId: null,
    credential: credentialOf(world, headers, matched.route?.scheme ?? 'key'),
    idempotencyKey: headers['idempotency-key']?.toString() ?? null,
    replayed: false,
    bodySha256: rawBody.length === 0 ? null : sha256(rawBody),
  });
  return { entry, decide: () => processRequest({ world, headers, query, rawBody, entry, matched }) };
}
