/** What happens around a rotation, through the entity's own handlers. */
import { queryNames, signalNames, updateNames } from '../../src/contract.js';
import { currentOf } from '../../src/domain/record.js';
import type { RotationRequest } from '../../src/domain/request.js';
import { minute, type WorldEvent } from './scenario.js';
import type { World } from './world.js';

export const AWAY_MS = 30 * minute;

export function happen(world: World, event: WorldEvent): void {
  switch (event) {
    case 'terminate':
      return world.terminate();
    case 'continue-as-new':
      return world.suggestContinueAsNew();
    case 'worker-away':
      return world.away(AWAY_MS);
    case 'compromise':
      return request(world, { requestId: 'leak', reason: 'compromise', source: 'operator' });
    case 'old-leaked':
      return request(world, { requestId: 'old-leak', reason: 'compromise', source: 'workflow', leakedVersion: 1 });
    case 'duplicate':
      return request(world, firstRequest);
    case 'second':
      return request(world, { requestId: 'second', reason: 'routine', source: 'operator' });
    case 'rollback':
      world.send(updateNames.rollback, {});
      return;
    case 'ack':
      return acknowledge(world, 'billing');
    case 'pause':
      world.send(updateNames.pause, { by: 'somebody' });
      return;
    case 'resume':
      world.send(updateNames.resume, {});
      return;
    case 'new-policy':
      return newPolicy(world, { graceMs: 3 * minute, refreshWithinMs: 2 * minute });
    case 'foreign-key':
      // While a rotation is under way, nobody else makes keys by hand (docs/guarantees.md, condition 6).
      if (!world.disk.opened?.record.operation) world.system.add(world.now(), 'others');
      return;
    case 'secret-replaced':
      // Where no other key may be made, it is an operator who has to bring the new one.
      if (world.scenario.rules.denies.length === 0) world.system.replaceSecret(world.now(), true);
      return;
    default:
      return event satisfies never;
  }
}

export const firstRequest: RotationRequest = { requestId: 'first', reason: 'routine', source: 'operator' };

export function request(world: World, wanted: RotationRequest): void {
  if (world.send(signalNames.requestRotation, wanted))
    world.trace.requests.push({ request: wanted, atMs: world.now() });
}

/** The consumer has taken over the version that the store holds as current. */
export function acknowledge(world: World, consumer: string): void {
  const version = world.disk.opened ? (currentOf(world.disk.opened.record)?.version ?? 0) : 0;
  if (!world.send(signalNames.acknowledgeVersion, { consumer, version })) return;
  world.trace.acks.push({ consumer, version, atMs: world.now() });
}

export function newPolicy(world: World, change: Partial<World['policy']>): void {
  world.policy = { ...world.policy, ...change };
  world.send(updateNames.policyChanged);
}

/** The state that the query answers. */
export function query(world: World): unknown {
  return world.handlers.get(queryNames.credentialState)?.run();
}
