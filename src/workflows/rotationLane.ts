/** The lane that takes one request after the other and runs the rotation. */
import { uuid4 } from '@temporalio/workflow';
import { retryDelayMs } from '../domain/decisions.js';
import { renewAtMs } from '../domain/expiry.js';
import { iso } from '../domain/instant.js';
import type { ActiveRotation, LaneState } from '../domain/lane.js';
import { currentOf, type OperationFacts, type RotationFacts } from '../domain/record.js';
import type { Outcome, RotationRequest } from '../domain/request.js';
import { hasSeen } from '../domain/seen.js';
import type { StateError } from '../domain/state.js';
import { lastEffect } from '../domain/view.js';
import type { Entity } from './entity.js';
import { count, hasRequest, joinActive, noteJoined, noteLeaks, takeRequest } from './intake.js';
import { rollBack } from './rollback.js';
import { rotation, RotationStopped } from './rotation.js';
import { Adopt, AlreadyEnded, BoundSteps, HandOver, StartOver } from './steps.js';

/** Failures that a next attempt of keyturn's own cannot mend. */
const needsHands: ReadonlySet<string> = new Set([
  'KT-NOT-IMPORTED',
  'KT-NOT-IN-CONFIG',
  'KT-REPOINTED',
  'KT-SUPERSEDED',
  'KT-CONFIG',
]);
const TROUBLE_PAUSE_MS = 15_000;

export async function rotationLane(entity: Entity): Promise<void> {
  const { lane } = entity;
  while (!entity.stopping()) {
    if (lane.trouble || lane.reload) {
      if (await entity.load()) {
        afterLoad(entity);
        continue;
      }
      await entity.wait(() => entity.stopping() || lane.reload, Date.now() + TROUBLE_PAUSE_MS, 'load again');
      continue;
    }
    if (lane.active) await runActive(entity, lane.active);
    else if (lane.view?.operation) resume(entity, lane.view.operation);
    else if (lane.rollback) await rollBack(entity, lane.rollback);
    else await nextRequest(entity);
  }
}

/** A request that came in, one of keyturn's own that is due, or a wait for either. */
async function nextRequest(entity: Entity): Promise<void> {
  const taken = await takeRequest(entity);
  if (taken === 'done') return;
  if (taken) return begin(entity, taken);
  const dueMs = ownDueMs(entity);
  if (dueMs <= Date.now()) return enqueueOwn(entity);
  const changed = (): boolean => entity.stopping() || hasWork(entity) || ownDueMs(entity) !== dueMs;
  await entity.wait(changed, dueMs, 'next rotation of keyturn’s own');
}

function ownDueMs(entity: Entity): number {
  return Math.min(ownExpiryMs(entity), retryMs(entity));
}

/** A pause holds keyturn's own next attempt, too. */
function retryMs({ lane }: Entity): number {
  return lane.view?.paused || !lane.retry ? Number.POSITIVE_INFINITY : lane.retry.atMs;
}

function hasWork(entity: Entity): boolean {
  const { lane } = entity;
  return lane.reload || lane.trouble !== null || lane.rollback !== null || hasRequest(entity);
}

/** The own timer ahead of the key's end; one request per version, and after a failure the retry. */
function ownExpiryMs(entity: Entity): number {
  const { view, policy, seen } = entity.lane;
  const current = view ? currentOf(view) : undefined;
  if (!current || !policy || hasSeen(seen, expiryRequest(current).requestId, Date.now()))
    return Number.POSITIVE_INFINITY;
  if (entity.lane.queue.some((q) => q.request.requestId === expiryRequest(current).requestId))
    return Number.POSITIVE_INFINITY;
  return renewAtMs(current, policy);
}

function expiryRequest({ version }: { readonly version: number }): RotationRequest {
  return { requestId: `expiry/${version}`, reason: 'routine', source: 'expiry' };
}

function enqueueOwn(entity: Entity): void {
  const { lane } = entity;
  const current = lane.view ? currentOf(lane.view) : undefined;
  if (lane.retry && retryMs(entity) <= Date.now()) {
    begin(entity, lane.retry.request);
  } else if (current) {
    lane.queue.push({ request: expiryRequest(current), acceptedAtMs: Date.now(), leakNoted: true });
  }
}

function begin(entity: Entity, request: RotationRequest): void {
  setActive(entity, { operationId: uuid4(), request, joined: [], startedAtMs: Date.now() });
}

/** An operation that the record knows to be open goes on under its own id. */
function resume(entity: Entity, operation: OperationFacts): void {
  const { operationId, request, startedAtMs } = operation;
  entity.lane.queue = entity.lane.queue.filter((q) => q.request.requestId !== request.requestId);
  setActive(entity, { operationId, request, joined: [], startedAtMs });
}

function setActive(
  entity: Entity,
  start: Pick<ActiveRotation, 'operationId' | 'request' | 'joined' | 'startedAtMs'>,
): void {
  const fresh: ActiveRotation = {
    ...start,
    step: 'plan',
    stepStartedAtMs: Date.now(),
    attempts: 0,
    steps: [],
    recovering: false,
    parked: false,
    waitingFor: [],
    nextAttemptAtMs: null,
    lastError: null,
    unsaved: null,
    preempted: false,
  };
  entity.lane.active = fresh;
  joinActive(entity);
  entity.publish();
}

/** What an earlier run had accepted and could not begin, and the attempt that it had planned after a failure. */
function afterLoad(entity: Entity): void {
  const { lane } = entity;
  const last = lane.view ? lastEffect(lane.view) : null;
  const publishedAtMs = (lane.view ? currentOf(lane.view)?.publishedAtMs : null) ?? 0;
  if (last && last.reason !== 'rollback' && last.endedAtMs > publishedAtMs && !lane.active && !lane.retry) {
    const { requestId, reason, source, outcome, error, endedAtMs } = last;
    lane.retry = nextAttempt({ requestId, reason, source }, outcome, error, 1, endedAtMs);
  }
  const inHand = [
    ...lane.queue.map((q) => q.request),
    ...(lane.active ? [lane.active.request, ...lane.active.joined] : []),
  ];
  const unserved = unservedFire(lane, publishedAtMs);
  for (const request of [...(lane.view?.waiting ?? []), ...(unserved ? [unserved] : [])]) {
    const known =
      inHand.some((r) => r.requestId === request.requestId) || hasSeen(lane.seen, request.requestId, Date.now());
    if (!known) lane.queue.push({ request, acceptedAtMs: Date.now(), leakNoted: true });
  }
  noteLeaks(entity);
}

/** A fire of the Schedule that nobody served, for want of a worker: newer than the current key, it is still due. */
function unservedFire({ credentialId, scheduledUnservedMs }: LaneState, publishedAtMs: number): RotationRequest | null {
  if (!scheduledUnservedMs || scheduledUnservedMs < publishedAtMs) return null;
  return { requestId: `schedule/${credentialId}/${iso(scheduledUnservedMs)}`, reason: 'routine', source: 'schedule' };
}

async function runActive(entity: Entity, active: ActiveRotation): Promise<void> {
  const steps = new BoundSteps(entity);
  const { lane } = entity;
  try {
    await rotation(steps);
    await end(entity, recorded(entity, active)?.outcome ?? 'rotated', null);
  } catch (error) {
    if (error instanceof HandOver) return;
    if (error instanceof StartOver) return;
    if (error instanceof AlreadyEnded) return end(entity, error.rotation.outcome, error.rotation.error);
    if (error instanceof Adopt) {
      lane.queue.unshift(
        ...[active.request, ...active.joined].map((request) => ({
          request,
          acceptedAtMs: active.startedAtMs,
          leakNoted: true,
        })),
      );
      return resume(entity, error.operation);
    }
    if (!(error instanceof RotationStopped)) throw error;
    try {
      await steps.close(error);
    } catch (interrupted) {
      if (interrupted instanceof HandOver || interrupted instanceof StartOver) return;
      throw interrupted;
    }
    const { outcome, code, message } = error;
    const facts = recorded(entity, active) ?? { outcome, error: { code, message } };
    await end(entity, facts.outcome, facts.error);
  }
}

/** How the record says that this rotation has ended: it may know of a publish whose answer was lost. */
function recorded({ lane }: Entity, { operationId }: ActiveRotation): RotationFacts | null {
  const last = lane.view?.lastRotation ?? null;
  return last?.operationId === operationId ? last : null;
}

async function end(
  entity: Entity,
  outcome: Exclude<ReturnType<typeof entity.state>['lastRotation'], null>['outcome'],
  error: StateError | null,
): Promise<void> {
  const { lane } = entity;
  const { active } = lane;
  if (!active) return;
  const { request } = active;
  lane.retry = nextAttempt(request, outcome, error, (lane.retry?.failures ?? 0) + 1, Date.now());
  noteJoined(entity);
  if (error?.code === 'KT-NOT-IMPORTED') lane.notImportedSinceMs ??= Date.now();
  lane.active = null;
  count(entity, request, outcome);
  entity.publish();
  const facts = error ? { error } : {};
  const servedBy = request.requestId;
  const answers = [
    [request, entity.conclude(request, outcome, facts)] as const,
    ...active.joined.map((each) => [each, entity.conclude(each, outcome, { ...facts, servedBy })] as const),
  ];
  for (const [each, answer] of answers) await entity.send(each, answer);
}

function nextAttempt(
  request: RotationRequest,
  outcome: Outcome,
  error: StateError | null,
  failures: number,
  endedAtMs: number,
): LaneState['retry'] {
  const again = (outcome === 'failed' || outcome === 'rolled-back') && error !== null && !needsHands.has(error.code);
  return again ? { request, failures, atMs: endedAtMs + retryDelayMs(failures) } : null;
}
