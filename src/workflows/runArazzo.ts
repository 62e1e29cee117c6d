/**
 * Runs a workflow of an Arazzo document durably. The document is read and its criteria are evaluated in activities only; here is the flow,
 * with timers for its waits and an operator for what nobody can know.
 */
import {
  allHandlersFinished,
  ApplicationFailure,
  CancellationScope,
  condition,
  defineQuery,
  defineUpdate,
  setHandler,
} from '@temporalio/workflow';
import {
  queryNames,
  updateNames,
  type ArazzoState,
  type ResolveStepInput,
  type RunArazzoInput,
  type RunArazzoOutput,
} from '../contract.js';
import { ArazzoRun } from './arazzoRun.js';

const arazzoState = defineQuery<ArazzoState>(queryNames.arazzoState);
const resolveStep = defineUpdate<void, [ResolveStepInput]>(updateNames.resolveStep);

/** A cancelled run finishes the step in hand and ends as `aborted`. */
export async function runArazzo(input: RunArazzoInput): Promise<RunArazzoOutput> {
  const run = new ArazzoRun(input);
  setHandler(arazzoState, () => run.state(), { description: 'the state of this run: steps, waits, unknown outcomes' });
  setHandler(resolveStep, (asked) => run.resolve(asked), {
    description: 'decides about a step whose outcome is unknown: retry, skip or abort',
    validator: (asked) => {
      const problem = run.problemOf(asked);
      if (problem !== null) throw ApplicationFailure.nonRetryable(problem, 'KT-CONFLICT');
    },
  });
  CancellationScope.current().cancelRequested.catch(() => run.cancel());
  return CancellationScope.nonCancellable(async () => {
    const output = await run.perform();
    await condition(allHandlersFinished);
    return output;
  });
}
