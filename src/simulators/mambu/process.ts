import type { Answer } from '../shared/answer.js';
import { Refusal, refuse, v1Error } from './answers.js';
import { authenticate } from './auth.js';
import type { Exchange, Route } from './exchange.js';
import { sha256 } from '../shared/random.js';
import type { Decision } from '../shared/serve.js';
import type { RequestEntry } from './request-log.js';
import type { MatchedRoute } from './routes.js';
import type { World } from './world.js';

type Incoming = Omit<Exchange, 'principal' | 'params'> & { readonly matched: MatchedRoute };

const V2 = 'application/vnd.mambu.v2+json';

/** Decides one request. Until its decision settles, it is in progress for a duplicate. */
export function processRequest(incoming: Incoming): Decision {
  try {
    return decide(incoming);
  } catch (error) {
    return answered(refusalAnswer(incoming.world, error));
  }
}

const answered = (answer: Answer): Decision => ({ kind: 'answer', answer });

function refusalAnswer({ rules }: World, error: unknown): Answer {
  if (!(error instanceof Refusal)) throw error;
  return refuse(error, rules.errorFormat);
}

function decide(incoming: Incoming): Decision {
  const { world, matched, headers, entry } = incoming;
  const { rules } = world;
  if (world.strikes.blocked()) throw new Refusal(rules.blockedStatus, rules.blockedReason);
  const { route, methods, params } = matched;
  if (route === null && methods.length === 0) throw new Refusal(404, 'OBJECT_NOT_FOUND');
  if (route === null) throw new Refusal(405, 'METHOD_NOT_ALLOWED', undefined, { allow: methods.join(', ') });
  const isV2 = headers.accept?.toLowerCase().includes(V2) ?? false;
  if (!isV2 && rules.withoutV2Accept === 'v1-error') return answered(v1Error);
  const principal = authenticate(world, headers, route.scheme, entry);
  if (route.consumersFeature && !rules.apiConsumersFeature) throw new Refusal(403, 'FEATURE_DISABLED');
  return onceOnly(route, { ...incoming, principal, params });
}

/** Runs the handler, at most once for an Idempotency-Key where the route honours one. */
function onceOnly(route: Route, exchange: Exchange): Decision {
  const { world, entry, rawBody } = exchange;
  const honoursKey =
    route.idempotent || (route.scheme === 'secret-key' && world.rules.idempotencyOnRotation === 'replay');
  if (!honoursKey || entry.idempotencyKey === null) return answered(route.handle(exchange));
  const turn = world.idempotency.begin(entry.idempotencyKey, `${entry.method} ${entry.path} ${sha256(rawBody)}`);
  switch (turn.kind) {
    case 'first': {
      const answer = handled(route, exchange);
      return { kind: 'answer', answer, settle: () => turn.finish(answer) };
    }
    case 'replay':
      entry.replayed = true;
      return answered(turn.answer);
    case 'in-progress':
      return duplicateInProgress(world, entry, turn.settled);
    default:
      return turn satisfies never;
  }
}

function handled(route: Route, exchange: Exchange): Answer {
  try {
    return route.handle(exchange);
  } catch (error) {
    return refusalAnswer(exchange.world, error);
  }
}

function duplicateInProgress({ rules }: World, entry: RequestEntry, settled: Promise<Answer>): Decision {
  const how = rules.idempotencyInProgress;
  if (how === '409') throw new Refusal(409, 'IDEMPOTENCY_REQUEST_IN_PROGRESS', 'Idempotency-Key');
  if (how === '102-then-silence') return { kind: 'informational', original: null };
  entry.replayed = true;
  return { kind: 'informational', original: settled };
}
