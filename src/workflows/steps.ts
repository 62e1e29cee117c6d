/** Binds the story of a rotation to activities and durable timers: parking, preemption, hand-over to the next run. */
import { parkDelayMs } from '../domain/decisions.js';
import type { ActiveRotation } from '../domain/lane.js';
import { currentOf, previousOf, type OperationFacts, type RecordView, type RotationFacts } from '../domain/record.js';
import { retireDueMs } from '../domain/retirement.js';
import type { StepName } from '../domain/state.js';
import { lastSafeInstantMs } from '../domain/verification.js';
import type { StepInput } from '../activities/api.js';
import { once, repeatable } from './activities.js';
import type { Entity } from './entity.js';
import { detailsOf } from './failures.js';
import { noteJoined } from './intake.js';
import { RotationStopped, type Plan, type Steps } from './rotation.js';

/** Between two parts of one step: reads that lag behind a write could make the second repeat the first. */
const BETWEEN_PARTS_MS = 1_000;

/** The run ends here; the next one walks the same line again. */
export class HandOver extends Error {
  override readonly name = 'HandOver';
}
/** The record is not as this rotation believes: it starts over from its plan. */
export class StartOver extends Error {
  override readonly name = 'StartOver';
}
/** This operation has ended already, in a run that was reset or terminated. */
export class AlreadyEnded extends Error {
  override readonly name = 'AlreadyEnded';
  constructor(readonly rotation: RotationFacts) {
    super('already ended');
  }
}
/** Another operation is open in the record and goes first. */
export class Adopt extends Error {
  override readonly name = 'Adopt';
  constructor(readonly operation: OperationFacts) {
    super('another operation goes first');
  }
}

export class BoundSteps implements Steps {
  #canGoBack = false;

  constructor(private readonly entity: Entity) {}

  now(): number {
    return Date.now();
  }

  async until(instantMs: number): Promise<void> {
    if (instantMs > this.now()) await this.pause(instantMs, 'next step');
    this.refuseIfPreempted();
  }

  async plan(): Promise<Plan> {
    const { request, startedAtMs } = this.active;
    const planned = await this.step('plan', (input) => {
      const after = this.entity.lane.view?.lastRotation?.operationId ?? null;
      return repeatable(this.summary('check before anything is made')).plan({ ...input, request, startedAtMs, after });
    });
    if (planned.instead && 'ended' in planned.instead) throw new AlreadyEnded(planned.instead.ended);
    if (planned.instead) throw new Adopt(planned.instead.adopt);
    const { lane } = this.entity;
    lane.policy = planned.policy;
    lane.capability = planned.capability;
    lane.scheduledNextMs = planned.scheduledNextMs;
    this.#canGoBack = planned.canGoBack;
    this.entity.see(planned.view);
    noteJoined(this.entity);
    return {
      canGoBack: planned.canGoBack,
      takingBack: planned.operation.compensating,
    };
  }

  async rotate(): ReturnType<Steps['rotate']> {
    if (this.active.unsaved) await this.keepUnsaved();
    const rotated = await this.step('rotate', (input) => once(this.summary('make the new key')).rotate(input));
    if (rotated.state === 'unsaved') {
      this.patch({ unsaved: rotated.unsaved });
      await this.keepUnsaved();
      return { state: 'again', atMs: this.now() };
    }
    this.entity.see(rotated.view);
    this.patch({ recovering: rotated.state === 'again' });
    return rotated;
  }

  /** The store was down when the provider answered: the answer waits here, sealed, until the store is back. */
  private async keepUnsaved(): Promise<void> {
    const { unsaved } = this.active;
    const kept = await this.step('persist', (input) =>
      repeatable(this.summary('read the new key back from the store')).persist({ ...input, unsaved }),
    );
    this.entity.see(kept.view);
    this.patch({ unsaved: null });
  }

  async persist(): Promise<{ usableAtMs: number }> {
    const { view, usableAtMs } = await this.step('persist', (input) =>
      repeatable(this.summary('read the new key back from the store')).persist({ ...input, unsaved: null }),
    );
    this.entity.see(view);
    return { usableAtMs };
  }

  async equip(): Promise<void> {
    if (!this.entity.lane.view?.operation?.strategy.equips) return;
    for (let asked = 1; ; asked++) {
      const { view, waitingFor, more } = await this.step('equip', (input) =>
        repeatable(this.summary('give the new key the old scope')).equip(input),
      );
      this.entity.see(view);
      this.patch({ waitingFor, parked: waitingFor.length > 0 });
      if (waitingFor.length > 0) await this.park(asked, undefined);
      else if (more) await this.until(this.now() + BETWEEN_PARTS_MS);
      else return;
    }
  }

  async verify(): ReturnType<Steps['verify']> {
    const { view, verdict } = await this.step('verify', (input) =>
      repeatable(this.summary('use the new key')).verify({ ...input, hurry: this.active.preempted }),
    );
    this.entity.see(view);
    return verdict;
  }

  async publish(verified: boolean): Promise<void> {
    this.refuseIfPreempted();
    const view = await this.step('publish', (input) => {
      const { operationId, request, startedAtMs, steps, stepStartedAtMs, attempts } = this.active;
      const { requestId, reason, source } = request;
      const own = { step: 'publish' as const, startedAtMs: stepStartedAtMs, endedAtMs: this.now(), attempts };
      const rotation = { operationId, requestId, reason, source, startedAtMs, steps: [...steps, own] };
      return repeatable(this.summary('new key current, old key into grace')).publish({ ...input, verified, rotation });
    });
    this.entity.take(view);
  }

  /** One attempt for each leaked version; what does not succeed is the housekeeping lane's debt. */
  async killLeaked(): Promise<void> {
    const { lane } = this.entity;
    const due = (view: RecordView): readonly number[] =>
      previousOf(view)
        .filter((v) => v.leaked && (v.retirement?.attempts ?? 0) === 0 && retireDueMs(v, lane.skewMs) <= this.now())
        .map((v) => v.version);
    for (const version of lane.view ? due(lane.view) : []) {
      this.entity.see(
        await this.step(
          'publish',
          (input) => repeatable(`retire leaked version ${version}`).retire({ ...input, version }),
          'unbooked',
        ),
      );
    }
  }

  async takeBack(): Promise<void> {
    // Nothing takes precedence over the way back: it leaves the provider as the next rotation has to find it.
    this.#canGoBack = false;
    this.entity.see(
      await this.step(this.active.step, (input) => repeatable(this.summary('remove the new key')).takeBack(input)),
    );
  }

  async giveUpKey(): Promise<void> {
    const version = this.entity.lane.view?.operation?.toVersion ?? 0;
    this.entity.see(
      await this.step('verify', (input) =>
        repeatable(this.summary('forget the refused key')).giveUpKey({ ...input, version }),
      ),
    );
  }

  /** Records how a rotation ended that did not publish. */
  async close(stopped: RotationStopped): Promise<void> {
    const { operationId, request, startedAtMs, steps } = this.active;
    const { requestId, reason, source } = request;
    const { outcome, code, message, deadlineMs } = stopped;
    const rotation = { operationId, requestId, reason, source, outcome, startedAtMs, steps, error: { code, message } };
    this.entity.see(
      await this.step(this.active.step, (input) =>
        repeatable(this.summary('record the outcome')).close({ ...input, rotation, deadlineMs }),
      ),
    );
  }

  private get active(): ActiveRotation {
    const { active } = this.entity.lane;
    if (!active) throw new StartOver();
    return active;
  }

  private summary(text: string): string {
    return `${text} · ${this.active.request.reason}, ${this.active.request.source}`;
  }

  private patch(change: Partial<ActiveRotation>): void {
    this.entity.lane.active = { ...this.active, ...change };
    this.entity.publish();
  }

  /** @param books `unbooked`: part of a step that is in the list already */
  private async step<T>(
    step: StepName,
    call: (input: StepInput) => Promise<T>,
    books: 'booked' | 'unbooked' = 'booked',
  ): Promise<T> {
    this.patch({ step, stepStartedAtMs: this.now(), attempts: 0, nextAttemptAtMs: null, lastError: null });
    for (;;) {
      const attempts = this.active.attempts + 1;
      this.patch({ attempts, parked: false, nextAttemptAtMs: null });
      try {
        const result = await call({ ...this.entity.believed(), operationId: this.active.operationId });
        const { stepStartedAtMs: startedAtMs, steps } = this.active;
        const done = { step, startedAtMs, endedAtMs: this.now(), attempts };
        this.patch({ steps: books === 'booked' ? [...steps, done].slice(-20) : steps, lastError: null });
        this.entity.lane.trouble = null;
        return result;
      } catch (error) {
        await this.afterFailure(error, step, attempts);
      }
    }
  }

  /** Transient: parked, the same step again later. Everything else ends the rotation or starts it over. */
  private async afterFailure(error: unknown, step: StepName, attempts: number): Promise<void> {
    const { kind, code, message, retryAfterMs, deadlineMs } = detailsOf(error);
    this.patch({ lastError: { code, message } });
    switch (kind) {
      case 'failed':
      case 'needs-operator':
        throw new RotationStopped(kind, code, message, deadlineMs ?? null);
      case 'taken-back':
        throw new RotationStopped('rolled-back', code, message);
      case 'trouble':
        this.entity.inTrouble({ code, message });
        return this.park(attempts + 4, retryAfterMs);
      case 'transient':
        if (step === 'rotate') this.patch({ recovering: true });
        await this.park(attempts, retryAfterMs);
        if (code !== 'KT-CONFLICT') return;
        await this.entity.load();
        throw new StartOver();
      default:
        kind satisfies never;
    }
  }

  private async park(attempts: number, retryAfterMs: number | undefined): Promise<void> {
    const wantedMs = this.now() + parkDelayMs(attempts, retryAfterMs);
    const safeMs = this.lastSafeMs();
    const atMs = safeMs > this.now() ? Math.min(wantedMs, safeMs) : wantedMs;
    this.patch({ parked: true, nextAttemptAtMs: atMs });
    await this.pause(atMs, 'next attempt');
    this.refuseIfPreempted();
  }

  /** At this instant the verdict on the new key has to be had, where the provider ends the old one: no attempt is planned across it. */
  private lastSafeMs(): number {
    const { view } = this.entity.lane;
    const current = view ? currentOf(view) : undefined;
    const policy = view?.operation?.policy;
    return policy ? lastSafeInstantMs(current?.providerDiesAtMs ?? null, policy) : Number.POSITIVE_INFINITY;
  }

  /** A cancelled entity finishes its rotation, but does not sit out an outage: the record keeps the operation for the next one. */
  private async pause(atMs: number, summary: string): Promise<void> {
    const before = this.active.preempted;
    const handOver = (): boolean => this.entity.full() || (this.entity.lane.closing && this.active.parked);
    await this.entity.wait(() => handOver() || this.active.preempted !== before, atMs, summary);
    if (handOver() && this.now() < atMs) throw new HandOver();
  }

  /** A compromise was accepted after the new key was made: go back where that is possible. */
  private refuseIfPreempted(): void {
    if (!this.active.preempted || !this.#canGoBack) return;
    throw new RotationStopped('rolled-back', 'KT-SUPERSEDED', 'a compromise goes first');
  }
}
