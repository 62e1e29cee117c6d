/** The lane that takes one request after the other and runs the rotation. */
import { metricMeter, uuid4 } from '@temporalio/workflow';
import { decide, leakedVersions, retryDelayMs } from '../domain/decisions.js';
import { renewAtMs } from '../domain/expiry.js';
import type { ActiveRotation, LaneState, QueuedRequest } from '../domain/lane.js';
import { currentOf, type OperationFacts, type RotationFacts } from '../domain/record.js';
import type { Outcome, RotationRequest } from '../domain/request.js';
import { hasSeen } from '../domain/seen.js';
import type { StateError } from '../domain/state.js';
import { repeatable } from './activities.js';
import type { Entity } from './entity.js';
import { detailsOf } from './failures.js';
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
    else if (lane.view?.operation) resume(entity, lane.view.operation, []);
    else if (lane.rollback) await rollBack(entity, lane.rollback);
    else if (!(await takeRequest(entity))) {
      const dueMs = ownDueMs(entity);
      if (dueMs <= Date.now()) enqueueOwn(entity);
      else
        await entity.wait(
          () => entity.stopping() || hasWork(entity) || ownDueMs(entity) !== dueMs,
          dueMs,
          'next rotation of keyturn’s own',
        );
    }
  }
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
  return lane.reload || lane.rollback !== null || lane.queue.some((q) => decision(entity, q).do !== 'hold');
}

function decision(entity: Entity, q: QueuedRequest): ReturnType<typeof decide> {
  const { view, policy, active } = entity.lane;
  // Before its plan is in the record an operation cannot have made a key; from then on an answer may be under way.
  const keyMade = active !== null && (active.step !== 'plan' || view?.operation?.operationId === active.operationId);
  return decide(q.request, { view, policy, active: active ? { keyMade } : null, nowMs: Date.now() });
}

/** The request has to wait for a resume, or for the end of the rotation in hand. */
export function isHeld(entity: Entity, requestId: string): boolean {
  return entity.lane.queue.some((q) => q.request.requestId === requestId && decision(entity, q).do === 'hold');
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
    begin(entity, lane.retry.request, []);
  } else if (current) {
    lane.queue.push({ request: expiryRequest(current), acceptedAtMs: Date.now(), leakNoted: true });
  }
}

/** Takes the first request that does not have to wait. Resolves with whether there was one. */
async function takeRequest(entity: Entity): Promise<boolean> {
  const { lane } = entity;
  const index = lane.queue.findIndex((q) => decision(entity, q).do !== 'hold');
  const queued = lane.queue[index];
  if (!queued) return false;
  const { request } = queued;
  const decided = decision(entity, queued);
  lane.queue.splice(index, 1);
  if (hasSeen(lane.seen, request.requestId, Date.now())) {
    // Accepted before the record was loaded.
    waitsNoMore(entity, request);
    await entity.answerAgain(request);
    return true;
  }
  switch (decided.do) {
    case 'rotate':
      begin(entity, request, []);
      return true;
    case 'skip':
      if (request.source === 'schedule') lane.reload = true;
      count(entity, request, 'skipped');
      waitsNoMore(entity, request);
      await entity.answer(request, 'skipped', { because: decided.because });
      return true;
    case 'kill-old':
      waitsNoMore(entity, request);
      await entity.answer(request, 'skipped', { because: 'only-old-versions-leaked' });
      return true;
    case 'join':
    case 'hold':
      lane.queue.splice(index, 0, queued);
      return false;
    default:
      return decided satisfies never;
  }
}

/** A rotation drops its own request from the record's list of those that wait; a request that comes to nothing is dropped here. */
function waitsNoMore({ lane }: Entity, { requestId }: RotationRequest): void {
  const noted = lane.notes.some((n) => n.kind === 'waiting' && n.request.requestId === requestId);
  if (noted || lane.view?.waiting.some((w) => w.requestId === requestId))
    lane.notes.push({ kind: 'seen', requestId, atMs: Date.now() });
}

function begin(entity: Entity, request: RotationRequest, joined: readonly RotationRequest[]): void {
  const nowMs = Date.now();
  setActive(entity, { operationId: uuid4(), request, joined, startedAtMs: nowMs });
}

/** An operation that the record knows to be open goes on under its own id. */
function resume(entity: Entity, operation: OperationFacts, joined: readonly RotationRequest[]): void {
  const { operationId, request, startedAtMs } = operation;
  entity.lane.queue = entity.lane.queue.filter((q) => q.request.requestId !== request.requestId);
  setActive(entity, { operationId, request, joined, startedAtMs });
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

/** Requests that the rotation in hand serves join it, as it begins or as they arrive; a compromise that it does not serve hurries it. */
export function joinActive(entity: Entity): void {
  const { lane } = entity;
  const { active } = lane;
  if (!active) return;
  for (const q of [...lane.queue]) {
    const decided = decision(entity, q).do;
    if (decided === 'join') {
      lane.queue.splice(lane.queue.indexOf(q), 1);
      const compromise = q.request.reason === 'compromise' || lane.active?.request.reason === 'compromise';
      const now = lane.active ?? active;
      lane.active = {
        ...now,
        request: compromise ? { ...now.request, reason: 'compromise' } : now.request,
        joined: [...now.joined, q.request],
      };
    } else if (q.request.reason === 'compromise' && decided === 'hold') {
      lane.active = { ...(lane.active ?? active), preempted: true };
    }
  }
}

/** What leaked is what was alive when the request was accepted; before the first load and during a rollback that is not known yet. */
export function noteLeaks(entity: Entity): void {
  const { lane } = entity;
  if (!lane.view || lane.rollback) return;
  const open = lane.queue.filter((q) => !q.leakNoted && q.request.reason === 'compromise');
  for (const { request } of open) {
    const versions = leakedVersions(request, lane.view);
    if (versions.length > 0) lane.notes.push({ kind: 'leaked', versions });
  }
  lane.queue = lane.queue.map((q) => ({ ...q, leakNoted: true }));
  entity.take(lane.view);
}

/** What an earlier run had accepted and could not begin, and the attempt that it had planned after a failure. */
function afterLoad(entity: Entity): void {
  const { lane } = entity;
  const last = lane.view?.lastRotation ?? null;
  const publishedAtMs = (lane.view ? currentOf(lane.view)?.publishedAtMs : null) ?? 0;
  if (last && last.reason !== 'rollback' && last.endedAtMs > publishedAtMs && !lane.active && !lane.retry) {
    const { requestId, reason, source, outcome, error, endedAtMs } = last;
    lane.retry = nextAttempt({ requestId, reason, source }, outcome, error, 1, endedAtMs);
  }
  const inHand = [
    ...lane.queue.map((q) => q.request),
    ...(lane.active ? [lane.active.request, ...lane.active.joined] : []),
  ];
  for (const request of lane.view?.waiting ?? []) {
    const known =
      inHand.some((r) => r.requestId === request.requestId) || hasSeen(lane.seen, request.requestId, Date.now());
    if (!known) lane.queue.push({ request, acceptedAtMs: Date.now(), leakNoted: true });
  }
  noteLeaks(entity);
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
      return resume(entity, error.operation, []);
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
  lane.active = null;
  count(entity, request, outcome);
  for (const joined of active.joined) lane.notes.push({ kind: 'seen', requestId: joined.requestId, atMs: Date.now() });
  entity.publish();
  for (const each of [request, ...active.joined]) await entity.answer(each, outcome, error ? { error } : {});
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

/** `keyturn_rotations_total` of the worker's metrics; not counted again on replay. */
function count(entity: Entity, { reason, source }: RotationRequest, outcome: string): void {
  const { credentialId: credential } = entity.lane;
  metricMeter
    .createCounter('keyturn_rotations', '', 'Rotations that have ended.')
    .add(1, { credential, outcome, reason, source });
}

/** Checked at acceptance; the record decides for good. */
async function rollBack(entity: Entity, job: NonNullable<Entity['lane']['rollback']>): Promise<void> {
  const { lane } = entity;
  try {
    const input = { ...entity.believed(), operationId: `rollback/${job.requestId}`, ...job };
    const view = await repeatable(`roll back to version ${job.toVersion}`).rollback(input);
    lane.rollback = null;
    entity.see(view);
  } catch (error) {
    const { kind, code, message } = detailsOf(error);
    if (kind === 'transient') {
      await entity.wait(() => entity.stopping(), Date.now() + 2_000, 'rollback again');
      return;
    }
    lane.rollback = null;
    if (kind === 'trouble') entity.inTrouble({ code, message });
    else lane.answered = [...lane.answered, refusedRollback(entity, job.requestId, { code, message })];
  }
  noteLeaks(entity);
}

function refusedRollback(entity: Entity, requestId: string, error: StateError): Entity['lane']['answered'][number] {
  const { lane } = entity;
  return {
    requestId,
    outcome: 'failed',
    credentialId: lane.credentialId,
    version: null,
    keyId: null,
    publishedAt: null,
    error,
    attention: [],
  };
}
