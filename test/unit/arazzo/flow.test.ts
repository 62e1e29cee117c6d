import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ArazzoStepEnd, PlannedStep, PlannedWorkflow } from '../../../src/activities/arazzo-api.js';
import { decide } from '../../../src/arazzo/action.js';
import { performWorkflow, type ArazzoCalls, type WorkflowEnd } from '../../../src/workflows/arazzo.js';
import { changed, documentOf } from './documents.js';

type Change = Parameters<typeof changed>[0];
type Answer = 'ok' | 'bad';

/** The flow with steps that succeed or fail as a script says, by the order of calls; `ok` when it is over. */
async function flow(
  change: Change,
  script: (step: string, nth: number) => Answer = () => 'ok',
  first = 'change-code',
): Promise<{ end: WorkflowEnd; calls: readonly string[] }> {
  const document = documentOf(changed(change));
  const calls: string[] = [];
  const workflowOf = (id: string) => {
    const found = document.workflows.find(({ workflowId }) => workflowId === id);
    if (found === undefined) throw new Error(`no workflow ${id}`);
    return found;
  };
  const judged = (
    workflowId: string,
    stepId: string,
    isSuccess: boolean,
    retries: Record<string, number>,
  ): ArazzoStepEnd => {
    const workflow = workflowOf(workflowId);
    const step = workflow.steps.find((one) => one.stepId === stepId);
    if (step === undefined) throw new Error(`no step ${stepId}`);
    const decision = decide(workflow, step, {
      isSuccess,
      hasMet: () => true,
      retries: new Map(Object.entries(retries)),
    });
    const error = isSuccess ? null : { code: 'KT-ARAZZO-STEP', message: `${stepId} failed` };
    return { isSuccess, isUnknown: false, status: 200, decision, outputs: {}, error };
  };
  const fake: ArazzoCalls = {
    ended: {},
    planned: (id): PlannedWorkflow => ({
      dependsOn: workflowOf(id).dependsOn.map(({ text }) => text),
      steps: workflowOf(id).steps.map(({ stepId, target }): PlannedStep => ({
        stepId,
        call:
          target.kind === 'workflowId'
            ? { kind: 'workflow', workflowId: target.text }
            : { kind: 'request', request: stepId, isWrite: true },
      })),
    }),
    request: async ({ workflowId, retries }, { stepId }) => {
      if (calls.length >= 200) throw new Error('without end');
      calls.push(stepId);
      const nth = calls.filter((call) => call === stepId).length;
      return judged(workflowId, stepId, script(stepId, nth) === 'ok', retries);
    },
    judge: async ({ workflowId, retries }, { stepId }, { outcome }) => {
      calls.push(`(${stepId})`);
      return judged(workflowId, stepId, outcome === 'completed', retries);
    },
    enter: async (_, target) => {
      calls.push(`> ${target}`);
      return {};
    },
    finish: async () => ({}),
    wait: async (ms) => void calls.push(`${ms} ms`),
  };
  return { end: await performWorkflow(fake, first, {}), calls };
}

const alone: Change = (d) => {
  Object.assign(d.workflows.at(0), { dependsOn: [], failureActions: [] });
  Object.assign(d.workflows.at(0).steps.at(0), { onFailure: [] });
};
const onFailure =
  (step: number, actions: readonly object[]): Change =>
  (d) => {
    alone(d);
    Object.assign(d.workflows.at(0).steps.at(step), { onFailure: actions });
  };

describe('the flow of a run', () => {
  test('what a workflow depends on comes first, once in a run, and a sub-workflow comes back to its step', async () => {
    const { end, calls } = await flow(() => undefined);
    expect(end.outcome).toBe('completed');
    expect(calls).toEqual(['> look', 'find', 'add', '> look', 'find', '(lookAgain)', 'remove']);
  });

  test('when that fails, the workflow is not begun', async () => {
    const { end, calls } = await flow(
      () => undefined,
      (step) => (step === 'find' ? 'bad' : 'ok'),
    );
    expect({ outcome: end.outcome, calls }).toEqual({ outcome: 'failed', calls: ['> look', 'find'] });
  });

  test('a failed sub-workflow is a failed step', async () => {
    const { end, calls } = await flow(alone, (step) => (step === 'find' ? 'bad' : 'ok'));
    expect({ outcome: end.outcome, calls }).toEqual({
      outcome: 'failed',
      calls: ['add', '> look', 'find', '(lookAgain)'],
    });
  });

  test('a retry is exhausted, and then the next action counts', async () => {
    const actions = [
      { name: 'a', type: 'retry', retryAfter: 1.5, retryLimit: 2 },
      { name: 'b', type: 'goto', stepId: 'undo' },
    ];
    const { end, calls } = await flow(onFailure(0, actions), (step) => (step === 'add' ? 'bad' : 'ok'));
    expect(calls).toEqual(['add', '1500 ms', 'add', '1500 ms', 'add', 'undo']);
    expect(end.outcome).toBe('completed');
  });

  test('a retry by way of a step runs it first; its own actions are not followed, and its failure ends the retry', async () => {
    const change: Change = (d) => {
      onFailure(2, [{ name: 'a', type: 'retry', stepId: 'undo', retryLimit: 3 }])(d);
      Object.assign(d.workflows.at(0).steps.at(3), { onSuccess: [{ name: 'x', type: 'end' }] });
    };
    const twice = await flow(change, (step, nth) => (step === 'remove' && nth < 3 ? 'bad' : 'ok'));
    const tail = ['remove', '0 ms', 'undo', 'remove', '0 ms', 'undo', 'remove'];
    expect(twice.calls.slice(4)).toEqual(tail);
    expect(twice.end.outcome).toBe('completed');
    const broken = await flow(change, (step) => (step === 'remove' || step === 'undo' ? 'bad' : 'ok'));
    expect(broken.calls.slice(4)).toEqual(['remove', '0 ms', 'undo']);
    expect(broken.end.outcome).toBe('failed');
  });

  test('a retry by way of a workflow comes back, and a goto to one does not', async () => {
    const retry = [{ name: 'a', type: 'retry', workflowId: 'look' }];
    const back = await flow(onFailure(0, retry), (step, nth) => (step === 'add' && nth === 1 ? 'bad' : 'ok'));
    expect(back.calls.slice(0, 5)).toEqual(['add', '0 ms', '> look', 'find', 'add']);
    const goto = [{ name: 'a', type: 'goto', workflowId: 'look' }];
    const gone = await flow(onFailure(0, goto), (step) => (step === 'add' ? 'bad' : 'ok'));
    expect(gone.calls).toEqual(['add', '> look', 'find']);
    expect(gone.end.outcome).toBe('completed');
  });

  test('an end after failure is a failure, after success a success', async () => {
    const ended = await flow(onFailure(0, [{ name: 'a', type: 'end' }]), () => 'bad');
    expect({ outcome: ended.end.outcome, calls: ended.calls }).toEqual({ outcome: 'failed', calls: ['add'] });
    const good = await flow(alone);
    expect({ outcome: good.end.outcome, last: good.calls.at(-1) }).toEqual({ outcome: 'completed', last: 'remove' });
  });

  test('no step is ever performed after one that has failed without an action that says so', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.boolean(), { maxLength: 12 }),
        fc.integer({ min: 0, max: 3 }),
        async (fails, limit) => {
          const change = onFailure(0, [{ name: 'a', type: 'retry', retryLimit: limit }]);
          let asked = 0;
          const failed: string[] = [];
          const { end, calls } = await flow(change, (step) => {
            const answer: Answer = (fails[asked++] ?? false) ? 'bad' : 'ok';
            if (answer === 'bad') failed.push(step);
            return answer;
          });
          const steps = calls.filter((call) => ['add', 'find', 'remove', 'undo'].includes(call));
          const addFailures = failed.filter((step) => step === 'add').length;
          if (failed.some((step) => step !== 'add') || addFailures > limit) {
            expect(end.outcome).toBe('failed');
            expect(steps.at(-1)).toBe(failed.at(-1));
          } else expect(end.outcome).toBe('completed');
          expect(steps.filter((step) => step === 'add').length).toBeLessThanOrEqual(limit + 1);
        },
      ),
    );
  });
});
