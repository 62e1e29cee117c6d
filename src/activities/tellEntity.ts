import { activityInfo, getClient } from '@temporalio/activity';
import { TASK_QUEUE, credentialWorkflowId, signalNames, workflowNames, type KeysCompared } from '../contract.js';
import type { RotationRequest } from '../domain/request.js';

interface Signals {
  readonly requestRotation: RotationRequest;
  readonly keysCompared: KeysCompared;
}

/** Signals the credential's entity, and starts it where it does not run. */
export async function tellEntity<K extends keyof Signals>(
  credentialId: string,
  signal: K,
  argument: Signals[K],
): Promise<void> {
  await getClient().workflow.signalWithStart(workflowNames.credential, {
    workflowId: credentialWorkflowId(credentialId),
    taskQueue: activityInfo().taskQueue ?? TASK_QUEUE,
    args: [{ credentialId }],
    staticSummary: `credential ${credentialId}`,
    workflowIdConflictPolicy: 'USE_EXISTING',
    signal: signalNames[signal],
    signalArgs: [argument],
  });
}
