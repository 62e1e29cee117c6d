/** Binds the story of an Arazzo run to activities, durable timers and the operator, and keeps its state. */
import { ActivityFailure, ApplicationFailure, condition, setCurrentDetails, workflowInfo } from '@temporalio/workflow';
import { ApplicationFailureCategory } from '@temporalio/common';
import type { StepFailureDetails } from '../activities/api.js';
import type { ArazzoPlace, ArazzoPlan, ArazzoStepEnd, PlannedStep, PlannedWorkflow } from '../activities/arazzo-api.js';
import type {
  ArazzoDecision,
  ArazzoState,
  ArazzoStepReport,
  ArazzoUnknown,
  ArazzoValues,
  ResolveStepInput,
  RunArazzoInput,
  RunArazzoOutput,
  SealedArazzoValue,
} from '../domain/arazzo.js';
import { iso, isoOrNull } from '../domain/instant.js';
import type { StateError } from '../domain/state.js';
import { arazzo, arazzoOnce } from './activities.js';
import { performWorkflow, RunStopped, type ArazzoCalls, type Frame, type WorkflowEnd } from './arazzo.js';
import { arazzoDetails } from './arazzoDetails.js';

/** However often a document goes back to a step it has done. */
const MAX_STEPS = 2_000;
/** Temporal ends a workflow at 50 MiB or 51,200 events. */
const MAX_HISTORY_BYTES = 32 * 1024 * 1024;
const MAX_HISTORY_EVENTS = 45_000;
/** Between attempts while store, credential or workers are out. */
const MAX_PARK_MS = 600_000;
/** All values of a place together: they travel with each step. */
const MAX_PLACE_CHARS = 1024 * 1024;

export class ArazzoRun implements ArazzoCalls {
  readonly ended: ArazzoCalls['ended'] = {};
  #plan: ArazzoPlan | undefined;
  readonly #secrets = new Map<string, SealedArazzoValue>();
  readonly #steps: ArazzoStepReport[] = [];
  #result: RunArazzoOutput | undefined;
  #step: ArazzoState['step'] = null;
  #nextAttemptAtMs: number | null = null;
  #lastError: StateError | null = null;
  #unknown: ArazzoUnknown | null = null;
  #decision: ArazzoDecision | undefined;
  #cancelled = false;

  constructor(private readonly input: RunArazzoInput) {}

  async perform(): Promise<RunArazzoOutput> {
    const { outcome, outputs, error } = await this.#toItsEnd();
    if (this.#plan !== undefined)
      await arazzo('forget the document').arazzoForget({ run: this.#plan.run }).catch(onlyActivityFailures);
    this.#result = { outcome, outputs, steps: this.#steps, ...(error === null ? {} : { error }) };
    this.#publish();
    return this.#result;
  }

  /** @throws ApplicationFailure when the input is refused */
  async #toItsEnd(): Promise<WorkflowEnd> {
    try {
      const { input } = this;
      const plan = await this.#surely(() => arazzo('check everything, before anything is sent').arazzoPlan(input));
      this.#plan = plan;
      this.#keepSecrets(plan.inputs);
      return await performWorkflow(this, input.workflowId, plan.inputs);
    } catch (stopped) {
      if (!(stopped instanceof RunStopped)) throw stopped;
      return { outcome: stopped.outcome, outputs: {}, error: stopped.error };
    }
  }

  planned(workflowId: string): PlannedWorkflow {
    return this.#plan?.workflows[workflowId] ?? { dependsOn: [], steps: [] };
  }

  async request(frame: Frame, step: PlannedStep, followed: boolean): Promise<ArazzoStepEnd> {
    for (;;) {
      const end = await this.#reported(frame, step, () => this.#sent(frame, step));
      if (!end.isUnknown || (followed && end.decision.kind === 'retry')) return end;
      const decision = await this.#askOperator(frame, step, end);
      if (decision === 'retry') continue;
      const by = this.#cancelled ? 'by a cancellation' : 'by an operator';
      const error = { code: 'KT-ARAZZO-UNKNOWN', message: `aborted ${by} with ${step.stepId} unknown` };
      if (decision === 'abort') throw new RunStopped('aborted', error);
      this.#replaceLast('skipped');
      return { ...end, isSuccess: true, decision: { kind: 'next' }, outputs: {}, error: null };
    }
  }

  async judge(frame: Frame, step: PlannedStep, { outcome, outputs }: WorkflowEnd): Promise<ArazzoStepEnd> {
    const after = { kind: 'workflow', outcome, outputs } as const;
    return this.#reported(frame, step, () =>
      this.#surely(() => arazzo(`${step.stepId}: judge`).arazzoJudge({ ...this.#stepInput(frame, step), after })),
    );
  }

  async enter(frame: Frame, target: string, stepId: string | null): Promise<ArazzoValues> {
    const place = this.#place(frame);
    const inputs = await this.#surely(() => arazzo(`inputs of ${target}`).arazzoEnter({ ...place, target, stepId }));
    this.#keepSecrets(inputs);
    return inputs;
  }

  async finish(frame: Frame): Promise<ArazzoValues> {
    const place = this.#place(frame);
    const outputs = await this.#surely(() => arazzo(`outputs of ${frame.workflowId}`).arazzoFinish(place));
    this.#keepSecrets(outputs);
    return outputs;
  }

  async wait(ms: number): Promise<void> {
    this.#nextAttemptAtMs = Date.now() + ms;
    this.#publish();
    if (ms > 0) await condition(() => this.#cancelled, ms, { summary: `until ${iso(this.#nextAttemptAtMs)}` });
    this.#nextAttemptAtMs = null;
    this.#publish();
  }

  cancel(): void {
    this.#cancelled = true;
  }

  /** Why the update is refused, or null. */
  problemOf(asked: ResolveStepInput | undefined): string | null {
    if (!asked || !['retry', 'skip', 'abort'].includes(asked.decision)) return 'decision must be retry, skip or abort';
    if (this.#unknown === null || this.#decision !== undefined) return 'no step waits for an operator';
    if (this.#unknown.stepId !== asked.stepId) return `the step that waits is ${this.#unknown.stepId}`;
    return null;
  }

  resolve({ decision }: ResolveStepInput): void {
    this.#decision = decision;
  }

  state(): ArazzoState {
    return {
      schemaVersion: 1,
      status: this.#status(),
      workflowId: this.input.workflowId,
      step: this.#step,
      nextAttemptAt: isoOrNull(this.#nextAttemptAtMs),
      lastError: this.#result === undefined ? this.#lastError : (this.#result.error ?? null),
      unknown: this.#unknown,
      steps: this.#steps,
    };
  }

  #status(): ArazzoState['status'] {
    if (this.#result !== undefined) return this.#result.outcome;
    if (this.#unknown !== null) return 'needs-operator';
    return this.#nextAttemptAtMs === null ? 'running' : 'waiting';
  }

  /** A write whose worker was lost is not repeated: what is then to be done is for the document to say. */
  async #sent(frame: Frame, step: PlannedStep): Promise<ArazzoStepEnd> {
    const isWrite = step.call.kind === 'request' && step.call.isWrite;
    const summary = `${step.stepId}: ${requestOf(step)}`;
    const input = this.#stepInput(frame, step);
    try {
      return await this.#surely(() => (isWrite ? arazzoOnce(summary) : arazzo(summary)).arazzoStep(input), 'throw');
    } catch (error) {
      if (!(error instanceof ActivityFailure)) throw error;
      const after = { kind: 'lost', isWrite } as const;
      return this.#surely(() => arazzo(`${step.stepId}: its worker was lost`).arazzoJudge({ ...input, after }));
    }
  }

  /**
   * What an activity throws itself was thrown before anything was sent: it is tried again for as long as that may help.
   * @param whenLost of an activity whose worker was lost, or that has a defect, nobody knows what it did: `throw` where it may have sent
   */
  async #surely<T>(work: () => Promise<T>, whenLost: 'again' | 'throw' = 'again'): Promise<T> {
    for (let attempts = 1; ; attempts++) {
      this.#goOn();
      try {
        const result = await work();
        this.#lastError = null;
        return result;
      } catch (error) {
        const details = ownDetails(error);
        if (details === undefined && (whenLost === 'throw' || !(error instanceof ActivityFailure))) throw error;
        const { kind, code, message, retryAfterMs } = details ?? lost;
        this.#lastError = { code, message };
        if (kind !== 'transient' && kind !== 'trouble') throw this.#refusal({ code, message });
        await this.wait(Math.max(retryAfterMs ?? 0, Math.min(MAX_PARK_MS, 1_000 * 2 ** Math.min(attempts - 1, 20))));
      }
    }
  }

  /** Before the first step it is the input that is wrong: the workflow fails. Later the run ends, with everything that it has done. */
  #refusal({ code, message }: StateError): Error {
    return this.#plan === undefined
      ? ApplicationFailure.create({
          message,
          type: code,
          nonRetryable: true,
          category: ApplicationFailureCategory.BENIGN,
        })
      : new RunStopped('failed', { code, message });
  }

  /** @throws RunStopped when a bound is reached or the workflow was cancelled */
  #goOn(): void {
    const stop = (outcome: 'failed' | 'aborted', code: string, message: string): never => {
      throw new RunStopped(outcome, { code, message });
    };
    if (this.#cancelled) stop('aborted', 'KT-INTERRUPTED', 'the workflow was cancelled');
    if (this.#steps.length >= MAX_STEPS) stop('failed', 'KT-ARAZZO-LIMIT', `a run has at most ${MAX_STEPS} steps`);
    const { historySize, historyLength } = workflowInfo();
    if (historySize > MAX_HISTORY_BYTES || historyLength > MAX_HISTORY_EVENTS)
      stop('failed', 'KT-ARAZZO-LIMIT', 'the history of the run is full: its values are too large for so many steps');
  }

  async #reported(frame: Frame, step: PlannedStep, work: () => Promise<ArazzoStepEnd>): Promise<ArazzoStepEnd> {
    const { workflowId } = frame;
    const { stepId } = step;
    this.#step = { workflowId, stepId };
    this.#publish();
    const startedAt = iso(Date.now());
    const end = await work();
    this.#keepSecrets(end.outputs);
    this.#lastError = end.error;
    this.#steps.push({
      workflowId,
      stepId,
      outcome: end.isUnknown ? 'unknown' : end.isSuccess ? 'succeeded' : 'failed',
      request: requestOf(step),
      status: end.status,
      startedAt,
      endedAt: iso(Date.now()),
      ...(end.error === null ? {} : { error: end.error }),
    });
    return end;
  }

  #replaceLast(outcome: ArazzoStepReport['outcome']): void {
    const last = this.#steps.pop();
    if (last !== undefined) this.#steps.push({ ...last, outcome });
  }

  async #askOperator({ workflowId }: Frame, step: PlannedStep, end: ArazzoStepEnd): Promise<ArazzoDecision> {
    const { stepId } = step;
    const error = end.error ?? { code: 'KT-ARAZZO-UNKNOWN', message: 'the outcome is unknown' };
    const command = `keyturn arazzo resolve ${workflowInfo().workflowId} --step ${stepId} --decision retry|skip|abort`;
    this.#unknown = { workflowId, stepId, request: requestOf(step), since: iso(Date.now()), error, command };
    this.#publish();
    await condition(() => this.#decision !== undefined || this.#cancelled);
    const decision = this.#decision ?? 'abort';
    this.#decision = undefined;
    this.#unknown = null;
    this.#publish();
    return decision;
  }

  #stepInput(frame: Frame, { stepId }: PlannedStep) {
    return { ...this.#place(frame), stepId, retries: frame.retries };
  }

  #place({ workflowId, inputs, steps }: Frame): ArazzoPlace {
    const workflows = Object.fromEntries(
      Object.entries(this.ended).map(([id, end]) => [id, { inputs: end.inputs, outputs: end.outputs }]),
    );
    const run = this.#plan?.run ?? '';
    const place = { run, workflowId, inputs, steps, workflows, secrets: [...this.#secrets.values()] };
    if (JSON.stringify(place).length > MAX_PLACE_CHARS) {
      const message = `the values of a run have at most ${MAX_PLACE_CHARS / 1024} KiB together`;
      throw new RunStopped('failed', { code: 'KT-ARAZZO-LIMIT', message });
    }
    return place;
  }

  #keepSecrets(values: ArazzoValues): void {
    for (const value of Object.values(values)) if (isSealed(value)) this.#secrets.set(value.fingerprint, value);
  }

  #publish(): void {
    setCurrentDetails(arazzoDetails(this.state()));
  }
}

const requestOf = ({ call }: PlannedStep): string =>
  call.kind === 'request' ? call.request : `workflow ${call.workflowId}`;

function isSealed(value: unknown): value is SealedArazzoValue {
  return typeof value === 'object' && value !== null && 'sealed' in value && 'fingerprint' in value;
}

/** Details of a failure that an activity has thrown itself, by its own rules; undefined where the worker was lost, or nobody knows. */
function ownDetails(error: unknown): StepFailureDetails | undefined {
  const cause = error instanceof ActivityFailure ? error.cause : undefined;
  if (!(cause instanceof ApplicationFailure)) return undefined;
  const details = cause.details?.[0] as StepFailureDetails | undefined;
  return details?.kind === undefined || details.code === 'KT-INTERNAL' ? undefined : details;
}

const lost: StepFailureDetails = { kind: 'transient', code: 'KT-NO-WORKER', message: 'no worker finished it' };

/** The store keeps the document then: sealed, and of no further use. */
function onlyActivityFailures(error: unknown): void {
  if (!(error instanceof ActivityFailure)) throw error;
}
