/** Runs of Arazzo documents as a client sees them: Temporal only. */
import { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type { KeyturnClient } from './client.js';
import {
  queryNames,
  updateNames,
  workflowNames,
  type ArazzoState,
  type ResolveStepInput,
  type RunArazzoInput,
  type RunArazzoOutput,
} from './contract.js';
import { isErrorCode, KeyturnError } from './domain/errors.js';

const POLL_MS = 200;

/** Accepted once Temporal has it, whether or not a worker runs. @param id of the workflow; sealed inputs open for no other */
export async function startArazzo(client: KeyturnClient, id: string, input: RunArazzoInput): Promise<void> {
  await client.asked(id, () =>
    client.temporal.workflow.start(workflowNames.runArazzo, {
      workflowId: id,
      taskQueue: client.taskQueue,
      args: [input],
      staticSummary: `Arazzo workflow ${input.workflowId}`,
    }),
  );
}

/** @throws KeyturnError KT-CONFLICT when no such step waits, KT-NOT-RUNNING, KT-NO-WORKER */
export async function resolveStep(client: KeyturnClient, id: string, input: ResolveStepInput): Promise<void> {
  await client.asked(id, () =>
    client.temporal.workflow.getHandle(id).executeUpdate<void, [ResolveStepInput]>(updateNames.resolveStep, {
      args: [input],
    }),
  );
}

export type Waited = { readonly state: ArazzoState } | { readonly output: RunArazzoOutput };

/**
 * Until the run has ended, or waits for an operator. A worker or Temporal that is away meanwhile is waited for, too.
 * @param onState told of every state that is seen
 * @throws KeyturnError KT-TIMEOUT; the code that the run was refused with; KT-ARAZZO-STEP when it was terminated
 */
export async function waitForArazzo(
  client: KeyturnClient,
  id: string,
  timeoutMs: number,
  onState: (state: ArazzoState) => void,
): Promise<Waited> {
  const deadlineMs = Date.now() + timeoutMs;
  for (;;) {
    if (!(await isOpen(client, id))) return { output: await outputOf(client, id) };
    const state = await stateOf(client, id);
    if (state !== null) onState(state);
    if (state?.status === 'needs-operator') return { state };
    if (Date.now() >= deadlineMs) throw new KeyturnError('KT-TIMEOUT', `${id} has not ended yet`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

async function isOpen(client: KeyturnClient, id: string): Promise<boolean> {
  const described = await away(client.asked(id, () => client.temporal.workflow.getHandle(id).describe()));
  return described === null || described.status.name === 'RUNNING';
}

const stateOf = (client: KeyturnClient, id: string): Promise<ArazzoState | null> =>
  away(client.asked(id, () => client.temporal.workflow.getHandle(id).query<ArazzoState>(queryNames.arazzoState)));

/** Null while nobody answers. A run that has ended in between is asked about anew. */
async function away<T>(asking: Promise<T>): Promise<T | null> {
  try {
    return await asking;
  } catch (error) {
    const passing = ['KT-NO-WORKER', 'KT-TEMPORAL-UNREACHABLE', 'KT-NOT-RUNNING'];
    if (error instanceof KeyturnError && passing.includes(error.code)) return null;
    throw error;
  }
}

async function outputOf(client: KeyturnClient, id: string): Promise<RunArazzoOutput> {
  try {
    return (await client.temporal.workflow.getHandle(id).result()) as RunArazzoOutput;
  } catch (error) {
    if (!(error instanceof WorkflowFailedError)) throw error;
    const { cause } = error;
    if (cause instanceof ApplicationFailure && cause.type && isErrorCode(cause.type))
      throw new KeyturnError(cause.type, cause.message);
    throw new KeyturnError('KT-ARAZZO-STEP', `${id} was ended from outside: what its steps did is in its history`);
  }
}
