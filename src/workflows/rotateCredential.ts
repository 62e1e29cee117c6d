import { ApplicationFailure, condition, defineSignal, setHandler, workflowInfo } from '@temporalio/workflow';
import {
  failureTypes,
  signalNames,
  type RotateCredentialInput,
  type RotationFinished,
  type RotationRequest,
  type RotationResult,
} from '../contract.js';
import { requests } from './activities.js';

const rotationFinished = defineSignal<[RotationFinished]>(signalNames.rotationFinished);
const HOUR_MS = 3_600_000;
/** A request that got lost with a terminated entity is sent again; the entity knows it by its id. */
const RESEND_AFTER_MS = 60_000;

/** Asks for a rotation and waits for its outcome: started by the Schedule, or as a child by any workflow. */
export async function rotateCredential(input: RotateCredentialInput): Promise<RotationResult> {
  const { credentialId, timeoutMs = HOUR_MS } = input;
  const { workflowId, firstExecutionRunId } = workflowInfo();
  const scheduledAt = scheduledStartTime();
  const request: RotationRequest = {
    requestId:
      input.requestId ??
      (scheduledAt ? `schedule/${credentialId}/${scheduledAt}` : `${workflowId}/${firstExecutionRunId}`),
    reason: input.reason ?? 'routine',
    source: scheduledAt ? 'schedule' : 'workflow',
    ...(input.leakedVersion === undefined ? {} : { leakedVersion: input.leakedVersion }),
    replyTo: { workflowId },
  };
  let answer: RotationFinished | undefined;
  setHandler(rotationFinished, (finished) => {
    if (finished.requestId === request.requestId) answer = finished;
  });
  const deadlineMs = Date.now() + timeoutMs;
  while (!answer && Date.now() < deadlineMs) {
    await requests('ask the credential for a rotation').requestRotation({ credentialId, request });
    await condition(() => answer !== undefined, Math.max(1, Math.min(RESEND_AFTER_MS, deadlineMs - Date.now())));
  }
  return resultOf(answer, credentialId);
}

function resultOf(answer: RotationFinished | undefined, credentialId: string): RotationResult {
  if (!answer)
    return { outcome: 'pending', credentialId, version: null, keyId: null, publishedAt: null, attention: [] };
  const { requestId: _requestId, ...result } = answer;
  switch (result.outcome) {
    case 'rotated':
    case 'rotated-with-debt':
    case 'skipped':
    case 'pending':
      return result;
    case 'failed':
    case 'rolled-back':
      throw ApplicationFailure.create({
        type: failureTypes.rotationFailed,
        message: sentence(result),
        nonRetryable: true,
        details: [result],
      });
    case 'needs-operator':
      throw ApplicationFailure.create({
        type: failureTypes.needsOperator,
        message: sentence(result),
        nonRetryable: true,
        details: [result],
      });
    default:
      return result.outcome satisfies never;
  }
}

function sentence(result: RotationResult): string {
  const why = result.error ? `: ${result.error.code} ${result.error.message}` : '';
  return `rotation of ${result.credentialId} ended as ${result.outcome}${why}`;
}

/** The Schedule's nominal time: the identity of a fire, whatever the jitter, a catch-up or a change to summer time did to the start. */
function scheduledStartTime(): string | null {
  const at = workflowInfo()
    .typedSearchAttributes.getAll()
    .find((p) => p.key.name === 'TemporalScheduledStartTime')?.value;
  return at instanceof Date ? at.toISOString() : null;
}
