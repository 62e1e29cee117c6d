import { noContent } from '../shared/answer.js';
import { json, Refusal } from './answers.js';
import {
  commit,
  consumerOf,
  expirationSeconds,
  jsonBody,
  requireNoMaintenance,
  requirePermission,
  type Route,
} from './exchange.js';
import { type ApiKey, isDead, prefixOf } from './key-ring.js';
import type { World } from './world.js';

const common = { scheme: 'key', consumersFeature: true } as const;

export const keyRoutes: readonly Route[] = [
  {
    ...common,
    method: 'GET',
    template: '/consumers/{id}/keys',
    idempotent: false,
    handle(exchange) {
      requirePermission(exchange, 'VIEW_API_CONSUMERS_AND_KEYS');
      const consumer = consumerOf(exchange);
      const keys = exchange.world.ring.apiKeys().filter((key) => key.consumer === consumer);
      return json(
        200,
        keys.filter((key) => isListed(exchange.world, key)).map((key) => listed(exchange.world, key)),
      );
    },
  },
  {
    ...common,
    method: 'POST',
    template: '/consumers/{id}/apikeys',
    idempotent: true,
    handle(exchange) {
      requirePermission(exchange, 'CREATE_API_CONSUMERS_AND_KEYS');
      const consumer = consumerOf(exchange);
      const seconds = expirationSeconds(exchange, jsonBody(exchange, 'optional'));
      requireNoMaintenance(exchange);
      const made = { consumer, by: 'create', request: exchange.entry.n } as const;
      const key = exchange.world.ring.createKey({ ...made, expirationSeconds: seconds });
      commit(exchange, 'create-key', consumer, [key.serial]);
      return json(201, { id: key.id, apiKey: key.value, ...(seconds === null ? {} : { expirationTime: seconds }) });
    },
  },
  {
    ...common,
    method: 'DELETE',
    template: '/consumers/{id}/apikeys/{keyId}',
    idempotent: false,
    handle(exchange) {
      requirePermission(exchange, 'DELETE_API_CONSUMERS_AND_KEYS');
      const consumer = consumerOf(exchange);
      const killed = exchange.world.ring.deleteKey(exchange.params['keyId'] ?? '', consumer);
      if (killed.length === 0) throw new Refusal(404, 'INVALID_API_KEY_ID');
      commit(
        exchange,
        'delete-key',
        consumer,
        killed.map(({ serial }) => serial),
      );
      return noContent;
    },
  },
  {
    ...common,
    method: 'POST',
    template: '/consumers/{id}/secretkeys',
    idempotent: true,
    handle(exchange) {
      requirePermission(exchange, 'CREATE_API_CONSUMERS_AND_KEYS');
      const consumer = consumerOf(exchange);
      if (exchange.rawBody.length > 0) throw new Refusal(400, 'INVALID_PARAMETERS', 'body');
      requireNoMaintenance(exchange);
      const secret = exchange.world.ring.createSecret({ consumer, by: 'create', request: exchange.entry.n });
      commit(exchange, 'create-secret', consumer, [secret.serial]);
      return json(201, { secretKey: secret.value });
    },
  },
];

function isListed({ rules, clock }: World, key: ApiKey): boolean {
  if (key.deletedAtMs !== null || isDead(key, clock.now())) return false;
  return key.rotatedAtMs === null || rules.listShowsGraceKeys;
}

/** A key in a list: its full id, six characters of its value, and its life in seconds when it has an end. */
function listed({ rules, clock }: World, key: ApiKey) {
  const remaining = key.diesAtMs === null ? null : Math.ceil((key.diesAtMs - clock.now()) / 1000);
  const seconds = rules.listedExpiration === 'remaining' ? remaining : key.expirationSeconds;
  return { id: key.id, apiKey: prefixOf(key), ...(seconds === null ? {} : { expirationTime: seconds }) };
}
