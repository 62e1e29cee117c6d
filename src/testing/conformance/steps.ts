/** Binds the story of a rotation to activities that run at once, on a clock that jumps over every wait: what the entity does, without Temporal. */
import type { CredentialActivities, StepFailureDetails, StepInput } from '../../activities/api.js';
import { parkDelayMs } from '../../domain/decisions.js';
import { currentOf, type RecordView, type RotationFacts, type StepFacts } from '../../domain/record.js';
import type { RotationRequest } from '../../domain/request.js';
import { lastSafeInstantMs } from '../../domain/verification.js';
import type { StepName } from '../../domain/state.js';
import { RotationStopped, type Plan, type Steps } from '../../workflows/rotation.js';

export interface Activities {
  /** Runs an activity as a worker does. @throws StepFailed */
  run<N extends keyof CredentialActivities>(
    name: N,
    input: Parameters<CredentialActivities[N]>[0],
  ): Promise<Awaited<ReturnType<CredentialActivities[N]>>>;
  now(): number;
  advanceTo(atMs: number): void;
}

/** How an activity has failed, in what the workflow would be told. */
export class StepFailed extends Error {
  override readonly name = 'StepFailed';
  constructor(readonly details: StepFailureDetails) {
    super(details.message);
  }
}

/** As the entity, between two parts of `equip`. */
const BETWEEN_PARTS_MS = 1_000;

/** A provider that is back is found within this many attempts of one step. */
const MAX_ATTEMPTS = 100;

export class JumpingSteps implements Steps {
  #view: RecordView;
  readonly #done: StepFacts[] = [];
  readonly #startedAtMs: number;
  #step: StepName = 'plan';

  constructor(
    private readonly activities: Activities,
    private readonly operationId: string,
    private readonly request: RotationRequest,
    view: RecordView,
  ) {
    this.#view = view;
    this.#startedAtMs = activities.now();
  }

  now(): number {
    return this.activities.now();
  }

  async until(instantMs: number): Promise<void> {
    this.activities.advanceTo(instantMs);
  }

  async plan(): Promise<Plan> {
    const { request } = this;
    const startedAtMs = this.#startedAtMs;
    const planned = await this.#run('plan', (input) => this.activities.run('plan', { ...input, request, startedAtMs }));
    this.#view = planned.view;
    return { canGoBack: planned.canGoBack, takingBack: planned.operation.compensating };
  }

  async rotate(): ReturnType<Steps['rotate']> {
    const rotated = await this.#run('rotate', (input) => this.activities.run('rotate', input));
    if (rotated.state === 'unsaved') throw new Error('the store of the kit does not fail');
    if (rotated.view) this.#view = rotated.view;
    return rotated;
  }

  async persist(): Promise<{ usableAtMs: number }> {
    const { view, usableAtMs } = await this.#run('persist', (input) =>
      this.activities.run('persist', { ...input, unsaved: null }),
    );
    this.#view = view;
    return { usableAtMs };
  }

  async equip(): Promise<void> {
    if (!this.#view.operation?.strategy.equips) return;
    for (let asked = 1; asked <= MAX_ATTEMPTS; asked++) {
      const { view, waitingFor, more } = await this.#run('equip', (input) => this.activities.run('equip', input));
      this.#view = view;
      if (waitingFor.length === 0 && !more) return;
      this.activities.advanceTo(this.now() + (more ? BETWEEN_PARTS_MS : parkDelayMs(asked, undefined)));
    }
    throw new Error('the new key is never fully equipped');
  }

  async verify(): ReturnType<Steps['verify']> {
    const { view, verdict } = await this.#run('verify', (input) =>
      this.activities.run('verify', { ...input, hurry: false }),
    );
    this.#view = view;
    return verdict;
  }

  async publish(verified: boolean): Promise<void> {
    this.#view = await this.#run('publish', (input) =>
      this.activities.run('publish', { ...input, verified, rotation: this.#facts() }),
    );
  }

  async killLeaked(): Promise<void> {
    // Nothing leaks here.
  }

  async takeBack(): Promise<void> {
    this.#view = await this.#run(this.#step, (input) => this.activities.run('takeBack', input));
  }

  async giveUpKey(): Promise<void> {
    this.#view = await this.#run('verify', (input) =>
      this.activities.run('giveUpKey', { ...input, version: this.#view?.operation?.toVersion ?? 0 }),
    );
  }

  async close({ outcome, code, message, deadlineMs }: RotationStopped): Promise<void> {
    const rotation = { ...this.#facts(), outcome, error: { code, message } };
    await this.#run(this.#step, (input) => this.activities.run('close', { ...input, rotation, deadlineMs }));
  }

  #facts(): Omit<RotationFacts, 'outcome' | 'version' | 'endedAtMs' | 'error'> {
    const { requestId, reason, source } = this.request;
    return {
      operationId: this.operationId,
      requestId,
      reason,
      source,
      startedAtMs: this.#startedAtMs,
      steps: this.#done,
    };
  }

  async #run<T>(step: StepName, call: (input: StepInput) => Promise<T>): Promise<T> {
    this.#step = step;
    const startedAtMs = this.now();
    for (let attempts = 1; attempts <= MAX_ATTEMPTS; attempts++) {
      const { credentialId, seq, installationId } = this.#view;
      try {
        const result = await call({ credentialId, seq, installationId, operationId: this.operationId });
        this.#done.push({ step, startedAtMs, endedAtMs: this.now(), attempts });
        return result;
      } catch (error) {
        if (!(error instanceof StepFailed)) throw error;
        this.#afterFailure(error.details, attempts);
      }
    }
    throw new Error(`the step ${step} never ends`);
  }

  /** As the entity does: transient is parked, everything else ends the rotation. */
  #afterFailure({ kind, code, message, retryAfterMs, deadlineMs }: StepFailureDetails, attempts: number): void {
    if (code === 'KT-INTERNAL') throw new Error(`a step has met an error that is no ProviderFailure: ${message}`);
    switch (kind) {
      case 'failed':
      case 'needs-operator':
        throw new RotationStopped(kind, code, message, deadlineMs ?? null);
      case 'taken-back':
        throw new RotationStopped('rolled-back', code, message);
      case 'trouble':
      case 'transient': {
        const wantedMs = this.now() + parkDelayMs(attempts, retryAfterMs);
        const safeMs = this.#lastSafeMs();
        return this.activities.advanceTo(safeMs > this.now() ? Math.min(wantedMs, safeMs) : wantedMs);
      }
      default:
        kind satisfies never;
    }
  }

  /** No attempt is planned across the last instant at which the verdict on the new key has to be had. */
  #lastSafeMs(): number {
    const policy = this.#view.operation?.policy;
    const diesAtMs = currentOf(this.#view)?.providerDiesAtMs ?? null;
    return policy ? lastSafeInstantMs(diesAtMs, policy) : Number.POSITIVE_INFINITY;
  }
}
