/**
 * One run of an Arazzo workflow, as a story: step after step, and after each what the document says. Which action that is was decided where
 * the answer was; here is only where to go. It knows no Temporal: `ArazzoCalls` is bound to activities, timers and the operator.
 */
import type { ArazzoPlace, ArazzoStepEnd, PlannedStep, PlannedWorkflow } from '../activities/arazzo-api.js';
import type { ArazzoOutcome, ArazzoValues } from '../domain/arazzo.js';
import type { StateError } from '../domain/state.js';

/** A workflow of the document that is under way: its values, and the retries of its actions. */
export interface Frame {
  readonly workflowId: string;
  readonly inputs: ArazzoValues;
  readonly steps: Record<string, ArazzoValues>;
  readonly retries: Record<string, number>;
}

export interface ArazzoCalls {
  planned(workflowId: string): PlannedWorkflow;
  /**
   * One request, and what comes next. Resolves when its outcome is known, or the document's own retry is to follow.
   * @param followed whether the document's actions are followed after it
   * @throws RunStopped
   */
  request(frame: Frame, step: PlannedStep, followed: boolean): Promise<ArazzoStepEnd>;
  judge(frame: Frame, step: PlannedStep, called: WorkflowEnd): Promise<ArazzoStepEnd>;
  /** Inputs of a workflow that a step calls, or (null) that is gone to. @throws RunStopped */
  enter(frame: Frame, target: string, stepId: string | null): Promise<ArazzoValues>;
  finish(frame: Frame): Promise<ArazzoValues>;
  wait(ms: number): Promise<void>;
  /** Workflows that have ended, for `$workflows` and `dependsOn`. */
  readonly ended: Record<string, Pick<ArazzoPlace, 'inputs'> & WorkflowEnd>;
}

export interface WorkflowEnd {
  readonly outcome: ArazzoOutcome;
  readonly outputs: ArazzoValues;
  readonly error: StateError | null;
}

/** Ends the whole run, whatever the document says. */
export class RunStopped extends Error {
  override readonly name = 'RunStopped';
  constructor(
    readonly outcome: 'failed' | 'aborted',
    readonly error: StateError,
  ) {
    super(error.message);
  }
}

type Left =
  | { readonly outcome: 'completed' | 'failed'; readonly error: StateError | null }
  | { readonly outcome: 'gone'; readonly to: string };

/** From the first step to the last. A `goto` to another workflow goes one way: that one's end is this one's. */
export async function performWorkflow(
  calls: ArazzoCalls,
  workflowId: string,
  inputs: ArazzoValues,
): Promise<WorkflowEnd> {
  let frame: Frame = { workflowId, inputs, steps: {}, retries: {} };
  for (;;) {
    const left = (await awaited(calls, frame)) ?? (await performSteps(calls, frame));
    if (left.outcome !== 'gone') {
      const end: WorkflowEnd = { ...left, outputs: await calls.finish(frame) };
      calls.ended[frame.workflowId] = { ...end, inputs: frame.inputs };
      return end;
    }
    const next = await calls.enter(frame, left.to, null);
    frame = { workflowId: left.to, inputs: next, steps: {}, retries: {} };
  }
}

/** What a workflow depends on is performed before it, once in a run. */
async function awaited(calls: ArazzoCalls, frame: Frame): Promise<Left | undefined> {
  for (const id of calls.planned(frame.workflowId).dependsOn) {
    const end = calls.ended[id] ?? (await performWorkflow(calls, id, await calls.enter(frame, id, null)));
    if (end.outcome !== 'completed') return { outcome: 'failed', error: end.error };
  }
  return undefined;
}

async function performSteps(calls: ArazzoCalls, frame: Frame): Promise<Left> {
  const { steps } = calls.planned(frame.workflowId);
  let at = 0;
  for (let step = steps[at]; step !== undefined; step = steps[at]) {
    const { decision, error } = await performStep(calls, frame, step);
    switch (decision.kind) {
      case 'next':
        at += 1;
        break;
      case 'stop':
        return { outcome: 'failed', error };
      case 'end':
        return { outcome: decision.outcome, error };
      case 'goto':
        if (decision.to.kind === 'workflow') return { outcome: 'gone', to: decision.to.id };
        at = indexOf(steps, decision.to.id);
        break;
      case 'retry': {
        frame.retries[decision.counter] = (frame.retries[decision.counter] ?? 0) + 1;
        await calls.wait(decision.afterMs);
        const isReady = decision.first === undefined || (await performBetween(calls, frame, decision.first));
        if (!isReady) return { outcome: 'failed', error };
        break;
      }
      default:
        decision satisfies never;
    }
  }
  return { outcome: 'completed', error: null };
}

async function performStep(
  calls: ArazzoCalls,
  frame: Frame,
  step: PlannedStep,
  followed = true,
): Promise<ArazzoStepEnd> {
  const end =
    step.call.kind === 'request'
      ? await calls.request(frame, step, followed)
      : await performCalled(calls, frame, step, step.call.workflowId);
  frame.steps[step.stepId] = end.outputs;
  return end;
}

async function performCalled(calls: ArazzoCalls, frame: Frame, step: PlannedStep, id: string): Promise<ArazzoStepEnd> {
  const inputs = await calls.enter(frame, id, step.stepId);
  return calls.judge(frame, step, await performWorkflow(calls, id, inputs));
}

/** What a retry runs before it tries again. Its own actions are not followed: it succeeds, or there is no retry. */
async function performBetween(
  calls: ArazzoCalls,
  frame: Frame,
  { kind, id }: { readonly kind: 'step' | 'workflow'; readonly id: string },
): Promise<boolean> {
  if (kind === 'workflow') {
    const { outcome } = await performWorkflow(calls, id, await calls.enter(frame, id, null));
    return outcome === 'completed';
  }
  const { steps } = calls.planned(frame.workflowId);
  const step = steps[indexOf(steps, id)];
  return step !== undefined && (await performStep(calls, frame, step, false)).isSuccess;
}

const indexOf = (steps: readonly PlannedStep[], id: string): number => steps.findIndex(({ stepId }) => stepId === id);
