/** What the lanes of the credential entity share: the lane state, its publication, waiting, and replies. */
import {
  CancellationScope,
  condition,
  getExternalWorkflowHandle,
  log,
  setCurrentDetails,
  upsertMemo,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import { defineSearchAttributeKey, SearchAttributeType, type SearchAttributePair } from '@temporalio/common';
import { signalNames } from '../contract.js';
import { driftAfter } from '../domain/drift.js';
import { iso, isoOrNull } from '../domain/instant.js';
import type { LaneState, Note } from '../domain/lane.js';
import { currentOf, type RecordView } from '../domain/record.js';
import type { Outcome, RotationRequest, SkipReason } from '../domain/request.js';
import { mergeSeen, remember } from '../domain/seen.js';
import { markLeaked } from '../domain/transitions.js';
import type { CredentialState, RotationFinished, StateError } from '../domain/state.js';
import { stateOf } from '../domain/projection.js';
import type { Believed } from '../activities/api.js';
import { checkKept } from './acknowledgements.js';
import { repeatable } from './activities.js';
import { detailsOf } from './failures.js';
import { timeline } from './timeline.js';

const ANSWERS_KEPT = 20;
const DEFAULT_MAX_EVENTS = 4_000;

interface Answering {
  readonly because?: SkipReason;
  readonly error?: StateError;
  readonly servedBy?: string;
}

export class Entity {
  #published = '';
  constructor(
    readonly lane: LaneState,
    private readonly maxEvents: number | undefined,
  ) {}

  believed(): Believed {
    const { credentialId, view } = this.lane;
    return { credentialId, seq: view?.seq ?? 0, installationId: this.lane.installationId ?? ownerInMemo() };
  }

  state(): CredentialState {
    return stateOf(this.lane, Date.now());
  }

  /** Time to continue as new. */
  full(): boolean {
    const info = workflowInfo();
    return info.continueAsNewSuggested || info.historyLength > (this.maxEvents ?? DEFAULT_MAX_EVENTS);
  }

  stopping(): boolean {
    return this.lane.closing || this.full();
  }

  /** Views arrive from two lanes: the record's sequence number says which is newer. */
  see(view: RecordView | null): void {
    this.take(view);
    this.publish();
  }

  /** Like `see`, where the next publication is about to come anyway: each is an event. */
  take(view: RecordView | null): void {
    if (!view || view.seq < (this.lane.view?.seq ?? 0)) return;
    this.lane.view = this.lane.notes.reduce(accepted, view);
  }

  /** Record, policy and Schedule as they are. Trouble is kept in the state, and the lanes wait for it to clear. */
  async load(): Promise<boolean> {
    this.lane.reload = false;
    try {
      const loaded = await repeatable('load record, policy and schedule').load(this.believed());
      const { lane } = this;
      const first = lane.installationId === null;
      lane.policy = loaded.policy;
      lane.capability = loaded.capability;
      lane.provider = loaded.provider;
      lane.installationId = loaded.installationId;
      // Read by whoever is about to send something: a run may have been started by a caller that does not know the store.
      if (ownerInMemo() === null) upsertMemo({ installationId: loaded.installationId });
      lane.skewMs = loaded.skewMs;
      lane.scheduledNextMs = loaded.scheduledNextMs;
      // Histories of before know no such fields.
      lane.repointed = loaded.repointed ?? null;
      lane.scheduledUnservedMs = loaded.scheduledUnservedMs ?? null;
      lane.searchAttributes = loaded.searchAttributes;
      lane.seen = mergeSeen(lane.seen, loaded.seen);
      lane.trouble = null;
      this.see(loaded.view);
      if (first) checkKept(lane);
      return true;
    } catch (error) {
      this.inTrouble(detailsOf(error));
      return false;
    }
  }

  inTrouble(error: StateError): void {
    const sinceMs = this.lane.trouble?.code === error.code ? this.lane.trouble.sinceMs : Date.now();
    this.lane.trouble = { code: error.code, message: error.message, sinceMs };
    this.publish();
  }

  /** Waits until `wake` or the instant; Infinity needs no timer. */
  async wait(wake: () => boolean, untilMs: number, summary: string): Promise<void> {
    if (wake()) return;
    const ms = untilMs - Date.now();
    if (ms <= 0) return;
    if (!Number.isFinite(ms)) await condition(wake);
    else await condition(wake, ms, { summary: `${summary} at ${iso(untilMs)}` });
  }

  async answer(request: RotationRequest, outcome: Outcome, more: Answering = {}): Promise<void> {
    await this.send(request, this.conclude(request, outcome, more));
  }

  /** From here on a duplicate gets this answer. */
  conclude(request: RotationRequest, outcome: Outcome, more: Answering): RotationFinished {
    const { lane } = this;
    const { because, ...rest } = more;
    const result: RotationFinished = {
      ...this.asOfNow(request.requestId, outcome),
      ...(because ? { skippedBecause: because } : {}),
      ...rest,
    };
    lane.seen = remember(lane.seen, request.requestId, Date.now());
    lane.answered = [...lane.answered, result].slice(-ANSWERS_KEPT);
    return result;
  }

  private asOfNow(requestId: string, outcome: Outcome): RotationFinished {
    const { view, credentialId } = this.lane;
    const current = view ? currentOf(view) : undefined;
    return {
      requestId,
      outcome,
      credentialId,
      version: current?.version ?? null,
      keyId: current?.keyId ?? null,
      publishedAt: isoOrNull(current?.publishedAtMs ?? null),
      attention: this.state().attention,
    };
  }

  /** A duplicate of a request that has ended gets its stored outcome. A store that is out does not say: whoever waits asks again. */
  async answerAgain(request: RotationRequest): Promise<void> {
    if (!request.replyTo) return;
    try {
      await this.send(request, await this.outcomeOf(request.requestId));
    } catch (error) {
      const { code, message } = detailsOf(error);
      log.warn('a duplicate could not be answered', { requestId: request.requestId, code, reason: message });
    }
  }

  /** How a request has ended that was seen and is not in hand. @throws ActivityFailure */
  async outcomeOf(requestId: string): Promise<RotationFinished> {
    const known = this.lane.answered.findLast((a) => a.requestId === requestId);
    if (known) return known;
    const stored = await CancellationScope.nonCancellable(() =>
      repeatable('outcome of an earlier request').recall({ ...this.believed(), requestId }),
    );
    if (!stored) return { ...this.asOfNow(requestId, 'skipped'), skippedBecause: 'duplicate' };
    const { outcome, version, keyId, error, servedBy } = stored;
    return {
      ...this.asOfNow(requestId, outcome),
      version,
      keyId,
      publishedAt: isoOrNull(stored.publishedAtMs),
      ...(error ? { error } : {}),
      ...(servedBy === null ? {} : { servedBy }),
    };
  }

  /** A requester that is gone never harms the entity. */
  async send(request: RotationRequest, result: RotationFinished): Promise<void> {
    if (!request.replyTo) return;
    try {
      await getExternalWorkflowHandle(request.replyTo.workflowId).signal(signalNames.rotationFinished, result);
    } catch (error) {
      log.warn('the requester of a rotation is gone', {
        workflowId: request.replyTo.workflowId,
        error: error instanceof Error ? error.name : 'unknown',
      });
    }
  }

  /** UI, CLI and list filters follow the state; an upsert is an event, so only changes are written. */
  publish(): void {
    const state = this.state();
    setCurrentDetails(timeline(state));
    const { current } = state;
    const wanted: Record<string, SearchAttributePair> = {
      KeyturnCredential: pair('KeyturnCredential', SearchAttributeType.KEYWORD, state.credentialId),
      KeyturnProvider: pair('KeyturnProvider', SearchAttributeType.KEYWORD, state.provider),
      KeyturnStatus: pair('KeyturnStatus', SearchAttributeType.KEYWORD, state.status),
      KeyturnVersion: pair('KeyturnVersion', SearchAttributeType.INT, current?.version ?? null),
      KeyturnNextRotation: pair('KeyturnNextRotation', SearchAttributeType.DATETIME, dateOf(state.nextRotationAt)),
      KeyturnExpires: pair('KeyturnExpires', SearchAttributeType.DATETIME, dateOf(current?.expiresAt ?? null)),
    };
    const pairs = this.lane.searchAttributes.flatMap((name) => wanted[name] ?? []);
    const published = JSON.stringify(pairs.map((p) => p.value));
    if (pairs.length === 0 || published === this.#published) return;
    this.#published = published;
    upsertSearchAttributes(pairs);
  }
}

/** The installation that this run was started for. */
function ownerInMemo(): string | null {
  const owner = workflowInfo().memo?.['installationId'];
  return typeof owner === 'string' ? owner : null;
}

/** Pause, resume, leaks and comparisons count from their acceptance, before the record has them. */
function accepted(view: RecordView, note: Note): RecordView {
  switch (note.kind) {
    case 'pause':
      return { ...view, paused: view.paused ?? { sinceMs: note.atMs, by: note.by, reason: note.reason } };
    case 'resume':
      return { ...view, paused: null };
    case 'leaked':
      return markLeaked(view, note.versions);
    case 'compared':
      return { ...view, drift: driftAfter(view.drift, note.drift) };
    default:
      return view;
  }
}

function dateOf(at: string | null): Date | null {
  return at === null ? null : new Date(at);
}

function pair<T extends SearchAttributeType>(name: string, type: T, value: unknown): SearchAttributePair {
  return { key: defineSearchAttributeKey(name, type), value } as SearchAttributePair;
}
