/** What bounds a run, whatever its document says: the run itself, with activities that answer at once. */
import { ActivityFailure, ApplicationFailure, RetryState, TimeoutFailure, TimeoutType } from '@temporalio/common';
import { beforeEach, expect, test, vi } from 'vitest';
import type { ArazzoActivities, ArazzoPlan, ArazzoStepEnd } from '../../../src/activities/arazzo-api.js';

const world = vi.hoisted(() => ({
  activities: {} as Partial<Record<string, (input: never) => Promise<unknown>>>,
  historySize: 0,
  waitedMs: [] as number[],
}));

vi.mock(import('@temporalio/workflow'), async (original) => ({
  ...(await original()),
  proxyActivities: (() => world.activities) as never,
  setCurrentDetails: () => undefined,
  workflowInfo: (() => ({ historySize: world.historySize, historyLength: 1, workflowId: 'w' })) as never,
  condition: (async (_: unknown, ms: number) => void world.waitedMs.push(ms)) as never,
}));
const { ArazzoRun } = await import('../../../src/workflows/arazzoRun.js');

const request = { kind: 'request', request: 'POST https://x.example', isWrite: true } as const;
const plan: ArazzoPlan = {
  run: 'r',
  inputs: {},
  workflows: { main: { dependsOn: [], steps: [{ stepId: 'a', call: request }] } },
};
const back: ArazzoStepEnd = {
  ...{ isSuccess: true, isUnknown: false, status: 200, outputs: {}, error: null },
  decision: { kind: 'goto', to: { kind: 'step', id: 'a' } },
};
const input = { document: '', sources: {}, workflowId: 'main', inputs: {} };

function performed(activities: Partial<ArazzoActivities>) {
  world.activities = {
    arazzoPlan: async () => plan,
    arazzoStep: async () => back,
    arazzoFinish: async () => ({}),
    arazzoForget: async () => undefined,
    ...(activities as typeof world.activities),
  };
  return new ArazzoRun(input).perform();
}

const failed = (cause: Error): ActivityFailure =>
  new ActivityFailure('failed', 'arazzoStep', '1', RetryState.MAXIMUM_ATTEMPTS_REACHED, undefined, cause);
const own = (kind: string, code: string): ActivityFailure =>
  failed(ApplicationFailure.create({ message: 'why', type: code, details: [{ kind, code, message: 'why' }] }));

beforeEach(() => Object.assign(world, { historySize: 0, waitedMs: [] }));

test('a goto without end ends after 2 000 steps', async () => {
  const { outcome, steps, error } = await performed({});
  expect({ outcome, steps: steps.length, code: error?.code }).toEqual({
    outcome: 'failed',
    steps: 2_000,
    code: 'KT-ARAZZO-LIMIT',
  });
});

test('a history that is full ends the run before Temporal does', async () => {
  world.historySize = 40 * 1024 * 1024;
  expect(await performed({})).toMatchObject({ outcome: 'failed', steps: [], error: { code: 'KT-ARAZZO-LIMIT' } });
});

test('values that have grown beyond 1 MiB end it, too', async () => {
  const outputs = { a: 'x'.repeat(1_100_000) };
  const { outcome, steps, error } = await performed({ arazzoStep: async () => ({ ...back, outputs }) });
  expect({ outcome, steps: steps.length, code: error?.code }).toEqual({
    outcome: 'failed',
    steps: 1,
    code: 'KT-ARAZZO-LIMIT',
  });
});

test('what was thrown before sending is tried again with growing waits; it is never taken for sent', async () => {
  let attempts = 0;
  const arazzoStep = async (): Promise<ArazzoStepEnd> => {
    attempts += 1;
    if (attempts <= 14) throw own('transient', 'KT-STORE-UNAVAILABLE');
    return { ...back, decision: { kind: 'next' } };
  };
  expect(await performed({ arazzoStep })).toMatchObject({ outcome: 'completed', steps: [{ outcome: 'succeeded' }] });
  expect(world.waitedMs.slice(0, 4)).toEqual([1_000, 2_000, 4_000, 8_000]);
  expect(world.waitedMs.at(-1)).toBe(600_000);
});

test.each<[string, Error]>([
  ['a lost worker', failed(new TimeoutFailure('heartbeat', undefined, TimeoutType.HEARTBEAT))],
  ['a worker that is shut down', failed(ApplicationFailure.create({ message: 'shutting down' }))],
  ['a defect', own('transient', 'KT-INTERNAL')],
])('a write that ended with %s is judged as lost, once, and never sent again by itself', async (_, error) => {
  let sent = 0;
  const judgements: unknown[] = [];
  const outcome = await performed({
    arazzoStep: async () => {
      sent += 1;
      throw error;
    },
    arazzoJudge: async ({ after }) => {
      judgements.push(after);
      return { ...back, isSuccess: false, decision: { kind: 'stop' }, error: { code: 'KT-X', message: '' } };
    },
  });
  expect({ sent, judgements, outcome: outcome.outcome }).toEqual({
    sent: 1,
    judgements: [{ kind: 'lost', isWrite: true }],
    outcome: 'failed',
  });
});

test('a refused document fails the workflow; what is refused later ends the run with what it has done', async () => {
  const refusal = own('failed', 'KT-ARAZZO-DOCUMENT');
  await expect(performed({ arazzoPlan: () => Promise.reject(refusal) })).rejects.toMatchObject({
    type: 'KT-ARAZZO-DOCUMENT',
    nonRetryable: true,
  });
  const later = own('failed', 'KT-ARAZZO-STEP');
  expect(await performed({ arazzoStep: () => Promise.reject(later) })).toMatchObject({
    outcome: 'failed',
    error: { code: 'KT-ARAZZO-STEP' },
  });
});
