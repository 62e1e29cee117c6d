/** A write of an Arazzo run of which nobody knows whether it was executed: it waits for an operator, however long that takes. */
import { expect, it } from 'vitest';
import type { ArazzoStepEnd, ArazzoStepInput } from '../../src/activities/arazzo-api.js';
import { queryNames, updateNames, workflowNames, type ArazzoState } from '../../src/contract.js';
import { day } from '../support/virtual-entity.js';
import { VirtualTemporal } from '../support/virtual-time.js';

const id = 'arazzo/main/1';
const lost: ArazzoStepEnd = {
  isSuccess: false,
  isUnknown: true,
  status: null,
  decision: { kind: 'stop' },
  outputs: {},
  error: { code: 'KT-ARAZZO-UNKNOWN', message: 'the answer was lost' },
};

/** A document with one step, a write. */
async function started(arazzoStep: () => Promise<ArazzoStepEnd>) {
  const sent: string[] = [];
  const temporal = await VirtualTemporal.open({
    arazzoPlan: async () => ({
      run: 'run-1',
      inputs: {},
      workflows: {
        main: {
          dependsOn: [],
          steps: [{ stepId: 'make', call: { kind: 'request', request: 'POST /keys', isWrite: true } }],
        },
      },
    }),
    arazzoStep: async ({ stepId }: ArazzoStepInput) => {
      sent.push(stepId);
      return arazzoStep();
    },
    arazzoJudge: async () => lost,
    arazzoFinish: async () => ({}),
    arazzoForget: async () => undefined,
  });
  const input = { document: '', sources: {}, workflowId: 'main', inputs: {} };
  const execution = await temporal.start(workflowNames.runArazzo, id, input);
  return { sent, temporal, execution, state: () => temporal.query<ArazzoState>(id, queryNames.arazzoState) };
}

it.each<[what: string, arazzoStep: () => Promise<ArazzoStepEnd>]>([
  ['answer', async () => lost],
  ['worker', () => Promise.reject(new Error('the worker is gone'))],
])('whose %s was lost is sent once, until an operator decides', async (_, arazzoStep) => {
  const run = await started(arazzoStep);
  await run.temporal.advance(day);
  expect(run.sent).toEqual(['make']);
  expect(await run.state()).toMatchObject({ status: 'needs-operator', unknown: { stepId: 'make' } });
  await run.temporal.update(id, updateNames.resolveStep, { stepId: 'make', decision: 'abort' });
  expect(run.execution).toMatchObject({ closed: 'completed', result: { outcome: 'aborted' } });
  expect(run.sent).toEqual(['make']);
});
