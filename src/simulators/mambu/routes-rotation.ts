import { json, Refusal } from './answers.js';
import type { Consumer } from './consumers.js';
import {
  commit,
  type Exchange,
  expirationSeconds,
  jsonBody,
  requireNoMaintenance,
  type Route,
  textField,
} from './exchange.js';
import { type ApiKey, isDead } from './key-ring.js';

/** The consumer's living key that the body names; of two values with one id, the newer. @throws Refusal */
function rotatedKey(exchange: Exchange, consumer: Consumer, body: Record<string, unknown>): ApiKey {
  const { rules, ring, clock } = exchange.world;
  const value = textField(body, 'apiKey');
  const id = textField(body, 'id');
  if (id === undefined && rules.rotationNeeds !== 'either') throw new Refusal(400, 'INVALID_PARAMETERS', 'id');
  if (value === undefined && rules.rotationNeeds === 'both') throw new Refusal(400, 'INVALID_PARAMETERS', 'apiKey');
  if (value === undefined && id === undefined) throw new Refusal(400, 'INVALID_PARAMETERS', 'apiKey');
  const key = ring
    .apiKeys()
    .findLast(
      (one) =>
        one.consumer === consumer &&
        one.deletedAtMs === null &&
        !isDead(one, clock.now()) &&
        (rules.secondRotationInGrace || one.rotatedAtMs === null) &&
        (value ?? one.value) === one.value &&
        (id ?? one.id) === one.id,
    );
  if (key !== undefined) return key;
  throw new Refusal(rules.unknownRotationTargetStatus, id === undefined ? 'INVALID_API_KEY' : 'INVALID_API_KEY_ID');
}

export const rotationRoutes: readonly Route[] = [
  {
    method: 'POST',
    template: '/apikey/rotation',
    scheme: 'secret-key',
    idempotent: false,
    consumersFeature: true,
    handle(exchange) {
      const { world, principal, entry } = exchange;
      const { consumer, secret } = principal;
      if (consumer === null || secret === null) throw new Refusal(401, 'INVALID_CREDENTIALS', 'credentials');
      const body = jsonBody(exchange, 'required');
      const asked = expirationSeconds(exchange, body);
      const old = rotatedKey(exchange, consumer, body);
      requireNoMaintenance(exchange);
      const made = { consumer, by: 'rotation', request: entry.n } as const;
      const seconds = world.rules.automaticExpirySeconds ?? asked;
      const [key, next] = world.ring.rotate(old, secret, { ...made, expirationSeconds: seconds });
      commit(exchange, 'rotate', consumer, [key.serial, next.serial]);
      return json(200, { apiKey: key.value, id: key.id, secretKey: next.value });
    },
  },
];
