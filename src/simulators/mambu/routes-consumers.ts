import { isObject } from '../shared/body.js';
import { noContent } from '../shared/answer.js';
import { json, Refusal } from './answers.js';
import type { Consumer } from './consumers.js';
import {
  commit,
  consumerOf,
  jsonBody,
  page,
  requireNoMaintenance,
  requirePermission,
  type Route,
  textField,
} from './exchange.js';
import { addConsumer } from './world.js';

const shown = ({ encodedKey, id, name, permissions, createdAtMs }: Consumer) => ({
  encodedKey,
  id,
  name,
  access: { apiAccess: true, administratorAccess: false, permissions },
  creationDate: new Date(createdAtMs).toISOString(),
});

const common = { scheme: 'key', consumersFeature: true } as const;

export const consumerRoutes: readonly Route[] = [
  {
    ...common,
    method: 'GET',
    template: '/consumers',
    idempotent: false,
    handle(exchange) {
      requirePermission(exchange, 'VIEW_API_CONSUMERS_AND_KEYS');
      const { rows, headers } = page(exchange, exchange.world.directory.consumers());
      return json(200, rows.map(shown), headers);
    },
  },
  {
    ...common,
    method: 'POST',
    template: '/consumers',
    idempotent: true,
    handle(exchange) {
      requirePermission(exchange, 'CREATE_API_CONSUMERS_AND_KEYS');
      const body = jsonBody(exchange, 'required');
      const name = textField(body, 'name');
      if (name === undefined) throw new Refusal(400, 'INVALID_PARAMETERS', 'name');
      const id = textField(body, 'id');
      const { directory } = exchange.world;
      const isTaken = directory.consumers().some((one) => one.id === id || one.name === name);
      if (isTaken) throw new Refusal(400, 'API_CONSUMER_ALREADY_EXISTS', 'name');
      requireNoMaintenance(exchange);
      const consumer = addConsumer(exchange.world, { name, id, permissions: permissionsIn(body) });
      commit(exchange, 'create-consumer', consumer, []);
      return json(201, shown(consumer));
    },
  },
  {
    ...common,
    method: 'GET',
    template: '/consumers/{id}',
    idempotent: false,
    handle(exchange) {
      requirePermission(exchange, 'VIEW_API_CONSUMERS_AND_KEYS');
      return json(200, shown(consumerOf(exchange)));
    },
  },
  {
    ...common,
    method: 'DELETE',
    template: '/consumers/{id}',
    idempotent: false,
    handle(exchange) {
      requirePermission(exchange, 'DELETE_API_CONSUMERS_AND_KEYS');
      const consumer = consumerOf(exchange);
      if (consumer.performedActivity) {
        throw new Refusal(400, 'CANNOT_DELETE_API_CONSUMER_WITH_PERFORMED_ACTIVITIES');
      }
      exchange.world.ring.killAll(consumer);
      exchange.world.directory.remove(consumer);
      commit(exchange, 'delete-consumer', consumer, []);
      return noContent;
    },
  },
];

function permissionsIn({ access }: Record<string, unknown>): string[] {
  if (access === undefined) return [];
  const permissions = isObject(access) ? (access['permissions'] ?? []) : null;
  if (!Array.isArray(permissions) || !permissions.every((one) => typeof one === 'string')) {
    throw new Refusal(400, 'INVALID_PARAMETERS', 'access');
  }
  return permissions;
}
