/** A workflow of another team, on its own task queue and worker. All it knows of keyturn is `keyturn/contract`: names and shapes. */
import { executeChild } from '@temporalio/workflow';
import {
  TASK_QUEUE,
  workflowNames,
  type RetrieveConfigurationInput,
  type RetrievedConfiguration,
  type RotateCredentialInput,
  type RotationResult,
} from 'keyturn/contract';

export interface CutOverInput {
  readonly credentialId: string;
  /** Task queue of the keyturn worker; default `keyturn`. */
  readonly keyturnTaskQueue?: string;
}

export interface CutOverResult {
  readonly outcome: RotationResult['outcome'];
  readonly before: RetrievedConfiguration;
  readonly after: RetrievedConfiguration;
}

/** Rotates a credential before a cut-over, and says which key was current before and after it. No secret passes through here. */
export async function cutOver({ credentialId, keyturnTaskQueue = TASK_QUEUE }: CutOverInput): Promise<CutOverResult> {
  const configuration = (): Promise<RetrievedConfiguration> =>
    executeChild<(input: RetrieveConfigurationInput) => Promise<RetrievedConfiguration>>(
      workflowNames.retrieveConfiguration,
      { taskQueue: keyturnTaskQueue, args: [{ credentialId }] },
    );

  const before = await configuration();
  // A failed or rolled-back rotation is thrown here, as a ChildWorkflowFailure with type RotationFailed or NeedsOperator.
  const { outcome } = await executeChild<(input: RotateCredentialInput) => Promise<RotationResult>>(
    workflowNames.rotateCredential,
    { taskQueue: keyturnTaskQueue, args: [{ credentialId }] },
  );
  return { outcome, before, after: await configuration() };
}
