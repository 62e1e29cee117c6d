import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from '@temporalio/client';

const lookAgainMs = 50;
const answerWithinMs = 2_000;
const servingStatus = 1;
const workflowService = 'temporal.api.workflowservice.v1.WorkflowService';

interface Wanted {
  readonly address: string;
  readonly namespace: string;
  readonly searchAttributes: readonly string[];
}

/**
 * Waits until a Temporal frontend is healthy, knows the namespace and has all the search attributes.
 * @throws the signal's reason once it is aborted
 */
export async function untilTemporalIsReady(wanted: Wanted & { signal: AbortSignal }): Promise<void> {
  // An http_proxy of the shell is for the network, not for this machine.
  const connection = Connection.lazy({ address: wanted.address, channelArgs: { 'grpc.enable_http_proxy': 0 } });
  try {
    for (;;) {
      wanted.signal.throwIfAborted();
      const look = connection.withDeadline(Date.now() + answerWithinMs, () => isReady(connection, wanted));
      if (await look.catch(() => false)) return;
      await sleep(lookAgainMs);
    }
  } finally {
    await connection.close();
  }
}

async function isReady(connection: Connection, wanted: Wanted): Promise<boolean> {
  const { status } = await connection.healthService.check({ service: workflowService });
  if (status !== servingStatus) return false;
  await connection.workflowService.describeNamespace({ namespace: wanted.namespace });
  if (wanted.searchAttributes.length === 0) return true;
  const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace: wanted.namespace });
  return wanted.searchAttributes.every((name) => Object.hasOwn(customAttributes ?? {}, name));
}
