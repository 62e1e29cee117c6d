/** Temporal's errors in keyturn's words. */
import {
  QueryRejectedError,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  isGrpcServiceError,
} from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { credentialWorkflowId } from './contract.js';
import { KeyturnError, isErrorCode } from './domain/errors.js';
import { plainLine } from './domain/foreignText.js';

/** Of a refusal: whoever writes in the namespace could send any text. */
const MAX_MESSAGE_CHARS = 500;

export function foreign(credentialId: string, owner: string, own: string | null): KeyturnError {
  const ours = own === null ? 'the store of this keyturn.yaml is empty' : `the store of this keyturn.yaml to ${own}`;
  return new KeyturnError(
    'KT-STORE-FOREIGN',
    `the workflow ${credentialWorkflowId(credentialId)} belongs to installation ${owner}, ${ours}: nothing was sent`,
    {
      hint: 'Check `store` and `temporal` in keyturn.yaml: another installation has a credential of this id in this namespace.',
    },
  );
}

export function notFoundAsNull(error: unknown): null {
  if (error instanceof WorkflowNotFoundError) return null;
  throw error;
}

/** @throws what waiting does not mend */
export function awayAsNull(error: unknown): null {
  if (error instanceof KeyturnError && (error.code === 'KT-NO-WORKER' || error.code === 'KT-TEMPORAL-UNREACHABLE')) {
    return null;
  }
  throw error;
}

/** gRPC codes: 4 deadline exceeded, 5 not found, 14 unavailable. */
export function translated(error: unknown, credentialId: string, taskQueue: string): unknown {
  if (error instanceof KeyturnError) return error;
  if (error instanceof WorkflowNotFoundError || error instanceof QueryRejectedError)
    return new KeyturnError('KT-NOT-RUNNING', `the workflow of ${credentialId} is not running`);
  if (error instanceof WorkflowUpdateFailedError && error.cause instanceof ApplicationFailure) {
    const { type, message } = error.cause;
    return new KeyturnError(type && isErrorCode(type) ? type : 'KT-INPUT', plainLine(message, MAX_MESSAGE_CHARS));
  }
  const grpc = isGrpcServiceError(error)
    ? error
    : error instanceof Error && isGrpcServiceError(error.cause)
      ? error.cause
      : null;
  if (grpc?.code === 5) return new KeyturnError('KT-NOT-RUNNING', `the workflow of ${credentialId} is not running`);
  const late =
    grpc?.code === 4 ||
    grpc?.code === 1 ||
    // 9, failed precondition: the server knows of no poller.
    grpc?.code === 9 ||
    (error instanceof Error && /deadline|workflow task/i.test(error.message));
  if (late) return new KeyturnError('KT-NO-WORKER', `no worker answers on task queue ${taskQueue}`);
  if (grpc) return new KeyturnError('KT-TEMPORAL-UNREACHABLE', 'Temporal does not answer');
  return error;
}
