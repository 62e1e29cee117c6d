/** Requests on their way to a rotation: which is taken, which joins, which waits, and what a compromise makes leak. */
import { log, metricMeter } from '@temporalio/workflow';
import { decide, leakedVersions } from '../domain/decisions.js';
import { isOneTooMany, type LaneState, type QueuedRequest } from '../domain/lane.js';
import type { RotationRequest, SkipReason } from '../domain/request.js';
import { hasJoined, hasSeen, remember } from '../domain/seen.js';
import type { Entity } from './entity.js';

/** Takes the first request that does not have to wait. Resolves with the one to rotate for, `done` where it needed no rotation, null where all have to wait. */
export async function takeRequest(entity: Entity): Promise<RotationRequest | 'done' | null> {
  const { lane } = entity;
  const index = lane.queue.findIndex((q) => decision(entity, q).do !== 'hold');
  const queued = lane.queue[index];
  if (!queued) return null;
  const { request } = queued;
  const decided = decision(entity, queued);
  lane.queue.splice(index, 1);
  if (hasSeen(lane.seen, request.requestId, Date.now())) {
    // Accepted before the record was loaded.
    waitsNoMore(entity, request);
    await entity.answerAgain(request);
    return 'done';
  }
  switch (decided.do) {
    case 'rotate':
      return request;
    case 'skip':
      if (request.source === 'schedule') lane.reload = true;
      count(entity, request, 'skipped');
      await skip(entity, request, decided.because);
      return 'done';
    case 'kill-old':
      await skip(entity, request, 'only-old-versions-leaked');
      return 'done';
    case 'join':
    case 'hold':
      lane.queue.splice(index, 0, queued);
      return null;
    default:
      return decided satisfies never;
  }
}

async function skip(entity: Entity, request: RotationRequest, because: SkipReason): Promise<void> {
  entity.lane.lastSkipped = { request, because, atMs: Date.now() };
  waitsNoMore(entity, request);
  await entity.answer(request, 'skipped', { because });
}

function decision(entity: Entity, q: QueuedRequest): ReturnType<typeof decide> {
  const { view, policy, active } = entity.lane;
  // Before its plan is in the record an operation cannot have made a key; from then on an answer may be under way.
  const keyMade = active !== null && (active.step !== 'plan' || isBegun(entity.lane));
  return decide(q.request, { view, policy, active: active ? { keyMade } : null, nowMs: Date.now() });
}

/** Some request does not have to wait. */
export function hasRequest(entity: Entity): boolean {
  return entity.lane.queue.some((q) => decision(entity, q).do !== 'hold');
}

/** The request has to wait for a resume, or for the end of the rotation in hand. */
export function isHeld(entity: Entity, requestId: string): boolean {
  return entity.lane.queue.some((q) => q.request.requestId === requestId && decision(entity, q).do === 'hold');
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
      if (!isBegun(lane)) lane.notes.push({ kind: 'waiting', request: q.request });
    } else if (q.request.reason === 'compromise' && decided === 'hold') {
      lane.active = { ...(lane.active ?? active), preempted: true };
    }
  }
  if (isBegun(lane)) noteJoined(entity);
}

/** Sent again after a termination: it gets the outcome of the rotation that it has joined. */
export function joinAgain({ lane }: Entity, request: RotationRequest): void {
  const { active } = lane;
  if (!active || !hasJoined(lane.seen, request.requestId, active.operationId)) return;
  if (isOneTooMany(lane, request)) return;
  lane.active = { ...active, joined: [...active.joined, request] };
}

/**
 * The record learns at once which requests have joined, so that an entity that is terminated meanwhile does not serve them a second time.
 * Before the operation is in the record they are kept as requests that wait: another one may have to serve them.
 */
export function noteJoined({ lane }: Entity): void {
  const { operationId = '', joined = [] } = lane.active ?? {};
  const atMs = Date.now();
  for (const { requestId } of joined) {
    if (hasSeen(lane.seen, requestId, atMs)) continue;
    lane.seen = remember(lane.seen, requestId, atMs, operationId);
    lane.notes.push({ kind: 'seen', requestId, atMs, joined: operationId });
  }
}

function isBegun({ active, view }: LaneState): boolean {
  return active !== null && view?.operation?.operationId === active.operationId;
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

/** A rotation drops its own request from the record's list of those that wait; a request that comes to nothing is dropped here. */
function waitsNoMore({ lane }: Entity, { requestId }: RotationRequest): void {
  const noted = lane.notes.some((n) => n.kind === 'waiting' && n.request.requestId === requestId);
  if (noted || lane.view?.waiting.some((w) => w.requestId === requestId))
    lane.notes.push({ kind: 'seen', requestId, atMs: Date.now() });
}

/** `keyturn_rotations_total` of the worker's metrics; not counted again on replay. */
export function count(entity: Entity, { requestId, reason, source }: RotationRequest, outcome: string): void {
  const { credentialId: credential } = entity.lane;
  log.info('a request has ended', { credentialId: credential, requestId, outcome, reason, source });
  metricMeter
    .createCounter('keyturn_rotations', '', 'Rotations that have ended.')
    .add(1, { credential, outcome, reason, source });
}
