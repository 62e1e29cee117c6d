/**
 * The entity of a credential: always open, the lock (one rotation at a time) and the answer to the query. Handlers only check and enqueue;
 * two lanes do the work; the store's record is the truth, so a run that was terminated, cancelled or reset forgets nothing.
 */
import {
  allHandlersFinished,
  ApplicationFailure,
  CancellationScope,
  condition,
  defineQuery,
  defineSignal,
  defineUpdate,
  log,
  makeContinueAsNewFunc,
  setHandler,
} from '@temporalio/workflow';
import {
  queryNames,
  signalNames,
  updateNames,
  type Acknowledgement,
  type AdoptInput,
  type CredentialInput,
  type CredentialState,
  type KeysCompared,
  type PauseInput,
  type ResumeInput,
  type RollbackInput,
  type RotateNowResult,
  type RotationFinished,
  type RotationRequest,
} from '../contract.js';
import { checkedDrift } from '../domain/drift.js';
import { isOneTooMany, MAX_ROUTINE_IN_HAND, newLane, type LaneState } from '../domain/lane.js';
import { previousOf } from '../domain/record.js';
import { hasSeen } from '../domain/seen.js';
import { rollbackRefusal } from '../domain/rollback.js';
import { acknowledge } from './acknowledgements.js';
import { Entity } from './entity.js';
import { detailsOf } from './failures.js';
import { housekeepingLane } from './housekeepingLane.js';
import { isHeld, joinActive, joinAgain, noteLeaks } from './intake.js';
import { rotationLane } from './rotationLane.js';

const requestRotation = defineSignal<[RotationRequest]>(signalNames.requestRotation);
const acknowledgeVersion = defineSignal<[Acknowledgement]>(signalNames.acknowledgeVersion);
const keysCompared = defineSignal<[KeysCompared]>(signalNames.keysCompared);
const rotateNow = defineUpdate<RotateNowResult, [RotationRequest]>(updateNames.rotateNow);
const pause = defineUpdate<void, [PauseInput | undefined]>(updateNames.pause);
const resume = defineUpdate<void, [ResumeInput | undefined]>(updateNames.resume);
const rollback = defineUpdate<{ requestId: string }, [RollbackInput | undefined]>(updateNames.rollback);
const adopt = defineUpdate<void, [AdoptInput]>(updateNames.adopt);
const policyChanged = defineUpdate<void, []>(updateNames.policyChanged);
const credentialState = defineQuery<CredentialState>(queryNames.credentialState);

const MAX_TEXT = 1_000;

export async function credential(
  input: CredentialInput & { readonly lane?: LaneState; readonly maxEvents?: number },
): Promise<void> {
  const lane: LaneState = input.lane ?? newLane(input.credentialId);
  const entity = new Entity(lane, input.maxEvents);
  register(entity);
  CancellationScope.current().cancelRequested.catch(() => {
    lane.closing = true;
  });
  await CancellationScope.nonCancellable(async () => {
    lane.reload = true;
    await Promise.all([rotationLane(entity), housekeepingLane(entity)]);
    await condition(allHandlersFinished);
    if (lane.closing) return;
    const { installationId } = lane;
    const next = makeContinueAsNewFunc<typeof credential>(installationId ? { memo: { installationId } } : {});
    await next({ ...input, lane });
  });
}

function register(entity: Entity): void {
  const { lane } = entity;
  setHandler(credentialState, () => entity.state(), {
    description: 'the state of this credential: versions, rotation, debts, attention',
  });
  setHandler(
    requestRotation,
    (request) => {
      const problem = requestProblem(request);
      if (problem) return log.warn('a rotation request was ignored', { problem });
      if (isNews(lane, request) && isOneTooMany(lane, request)) return;
      accept(entity, request);
      if (request.replyTo && !isInHand(lane, request.requestId)) return entity.answerAgain(request);
    },
    { description: 'asks for a rotation; one request id, one rotation' },
  );
  setHandler(
    acknowledgeVersion,
    async (ack) => {
      // A run that has just begun knows neither consumers nor versions.
      await condition(() => lane.installationId !== null || entity.stopping());
      acknowledge(lane, ack);
    },
    { description: 'a consumer confirms that it uses this version' },
  );
  setHandler(
    keysCompared,
    async (compared) => {
      await condition(() => lane.installationId !== null || entity.stopping());
      const { view } = lane;
      const isOwn = compared?.installationId === lane.installationId && Number.isInteger(compared?.recordSeq);
      if (!view || !isOwn || lane.active || view.operation) return log.warn('a comparison was ignored', { isOwn });
      // An older record than was seen may be a restored backup, which the load finds out. What was found is of the versions that it names.
      if (compared.recordSeq < view.seq) lane.reload = true;
      const drift = checkedDrift(compared.drift);
      if (!drift) return;
      lane.notes.push({ kind: 'compared', drift });
      entity.see(view);
    },
    { description: 'what a comparison of provider, store and workflow has found' },
  );
  setHandler(
    rotateNow,
    async (request) => {
      accept(entity, request);
      const { requestId } = request;
      if (!isInHand(lane, requestId)) return { requestId, position: 0, ended: await ended(entity, requestId) };
      const index = lane.queue.findIndex((q) => q.request.requestId === requestId);
      return { requestId, position: index < 0 ? 0 : index + (lane.active ? 1 : 0) };
    },
    {
      description:
        'asks for a rotation and answers with its place in the queue, or with the outcome of a request that has ended',
      validator: (r) => {
        refuse(requestProblem(r) ?? leakProblem(lane, r));
        refuse(crowdProblem(lane, r), 'KT-CONFLICT');
      },
    },
  );
  setHandler(
    pause,
    (p) => {
      lane.notes.push({ kind: 'pause', by: p?.by ?? null, reason: p?.reason ?? null, atMs: Date.now() });
      entity.see(lane.view);
    },
    {
      description: 'routine rotations are skipped until resume',
      validator: (p) => refuse(textProblem('by', p?.by) ?? textProblem('reason', p?.reason)),
    },
  );
  setHandler(
    resume,
    () => {
      lane.notes.push({ kind: 'resume' });
      entity.see(lane.view);
    },
    { description: 'ends a pause' },
  );
  setHandler(
    rollback,
    (r) => {
      const requestId = `rollback-${lane.view?.highestVersion ?? 0}-${Date.now()}`;
      lane.rollback = { toVersion: rollbackTarget(lane, r), requestId };
      return { requestId };
    },
    {
      description: 'publishes the value of an older version again, as a new version',
      validator: (r) => refuse(rollbackProblem(lane, r), 'KT-ROLLBACK-REFUSED'),
    },
  );
  setHandler(
    adopt,
    () => {
      lane.reload = true;
    },
    {
      description: 'the record holds an imported version: load it',
      validator: (a) => refuse(Number.isInteger(a?.version) ? null : 'version must be a whole number'),
    },
  );
  setHandler(
    policyChanged,
    () => {
      lane.reload = true;
    },
    { description: 'the configuration or the Schedule has changed: load it' },
  );
}

function refuse(problem: string | null, type = 'BadRequest'): void {
  if (problem) throw ApplicationFailure.nonRetryable(problem, type);
}

function requestProblem(r: RotationRequest | undefined): string | null {
  if (typeof r?.requestId !== 'string' || r.requestId === '' || r.requestId.length > 512)
    return 'requestId must be a text of 1 to 512 characters';
  if (r.reason !== 'routine' && r.reason !== 'compromise') return 'reason must be routine or compromise';
  if (!['schedule', 'webhook', 'operator', 'workflow', 'expiry'].includes(r.source)) return 'source is not known';
  if (r.leakedVersion !== undefined && !Number.isInteger(r.leakedVersion))
    return 'leakedVersion must be a whole number';
  if (r.replyTo !== undefined && !isShortText(r.replyTo?.workflowId)) return 'replyTo.workflowId must be a short text';
  return null;
}

/** What is shown by status and kept in the record, which is bounded. */
function textProblem(name: string, text: unknown): string | null {
  return text === undefined || text === null || isShortText(text)
    ? null
    : `${name} must be a text of at most ${MAX_TEXT} characters`;
}

function isShortText(text: unknown): boolean {
  return typeof text === 'string' && text.length <= MAX_TEXT;
}

function crowdProblem(lane: LaneState, request: RotationRequest): string | null {
  return isNews(lane, request) && isOneTooMany(lane, request)
    ? `${MAX_ROUTINE_IN_HAND} routine requests are in hand already`
    : null;
}

/** Only what is known of a request: it is kept, and goes into the record. */
function essence({ requestId, reason, source, leakedVersion, replyTo }: RotationRequest): RotationRequest {
  return {
    requestId,
    reason,
    source,
    ...(leakedVersion === undefined ? {} : { leakedVersion }),
    ...(replyTo === undefined ? {} : { replyTo: { workflowId: replyTo.workflowId } }),
  };
}

/** An operator can still be told; of a signal's mistake every living version counts as leaked. */
function leakProblem(lane: LaneState, { requestId, reason, leakedVersion }: RotationRequest): string | null {
  const { view } = lane;
  if (leakedVersion === undefined || !view || isKnown(lane, requestId)) return null;
  if (reason !== 'compromise') return 'leakedVersion goes with the reason compromise';
  const alive = view.versions.map((v) => v.version);
  return alive.includes(leakedVersion) ? null : `version ${leakedVersion} is not alive; alive: ${alive.join(', ')}`;
}

function accept(entity: Entity, asked: RotationRequest): void {
  const { lane } = entity;
  const request = essence(asked);
  if (isInHand(lane, request.requestId)) return;
  if (hasSeen(lane.seen, request.requestId, Date.now())) return joinAgain(entity, request);
  lane.queue.push({ request, acceptedAtMs: Date.now(), leakNoted: false });
  noteLeaks(entity);
  joinActive(entity);
  if (isHeld(entity, request.requestId)) lane.notes.push({ kind: 'waiting', request });
}

function isKnown(lane: LaneState, requestId: string): boolean {
  return hasSeen(lane.seen, requestId, Date.now()) || isInHand(lane, requestId);
}

const isNews = (lane: LaneState, { requestId }: RotationRequest): boolean => !isKnown(lane, requestId);

/** @throws ApplicationFailure where the store cannot be asked */
async function ended(entity: Entity, requestId: string): Promise<RotationFinished> {
  try {
    return await entity.outcomeOf(requestId);
  } catch (error) {
    const { code, message } = detailsOf(error);
    throw ApplicationFailure.nonRetryable(message, code);
  }
}

function isInHand(lane: LaneState, requestId: string): boolean {
  const active = lane.active ? [lane.active.request, ...lane.active.joined] : [];
  return active.some((r) => r.requestId === requestId) || lane.queue.some((q) => q.request.requestId === requestId);
}

function rollbackTarget(lane: LaneState, r: RollbackInput | undefined): number {
  const newest = lane.view ? Math.max(0, ...previousOf(lane.view).map((v) => v.version)) : 0;
  return r?.toVersion ?? newest;
}

function rollbackProblem(lane: LaneState, r: RollbackInput | undefined): string | null {
  const { view, policy } = lane;
  if (!view || !policy) return 'the record is not loaded yet: try again';
  const any = r?.toVersion !== undefined || previousOf(view).length > 0;
  if (!any) return 'there is no version to go back to';
  if (lane.active || lane.rollback) return 'a rotation is in progress';
  const providerGrace = lane.capability === 'D' || lane.capability === 'E';
  // Only what can be restored is ever held.
  return rollbackRefusal(view, rollbackTarget(lane, r), policy, providerGrace, true, Date.now());
}
