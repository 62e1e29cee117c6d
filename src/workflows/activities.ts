import { proxyActivities, type ActivityInterfaceFor, type ActivityOptions } from '@temporalio/workflow';
import type { CredentialActivities, RequestActivities } from '../activities/api.js';
import type { ArazzoActivities } from '../activities/arazzo-api.js';

/** A worker that dies is noticed by the missing heartbeat (sent every 2 s), long before the time-out of the step. */
const bounds = {
  startToCloseTimeout: '2 minutes',
  scheduleToCloseTimeout: '15 minutes',
  heartbeatTimeout: '6 seconds',
} as const satisfies ActivityOptions;

const shortRetries = { initialInterval: '500 milliseconds', backoffCoefficient: 2 } as const;

/** Steps that may be repeated: three short attempts, then the workflow parks the rotation, visibly. `summary` is shown in the UI. */
export function repeatable(summary: string): ActivityInterfaceFor<CredentialActivities> {
  return proxyActivities<CredentialActivities>({ ...bounds, summary, retry: { ...shortRetries, maximumAttempts: 3 } });
}

/** The step that writes at the provider: never repeated by Temporal, because only the record knows what an attempt has left behind. */
export function once(summary: string): ActivityInterfaceFor<CredentialActivities> {
  return proxyActivities<CredentialActivities>({ ...bounds, summary, retry: { maximumAttempts: 1 } });
}

export function requests(summary: string): ActivityInterfaceFor<RequestActivities> {
  const retry = { ...shortRetries, maximumInterval: '10 seconds', maximumAttempts: 10 } as const;
  return proxyActivities<RequestActivities>({ ...bounds, summary, retry });
}

/** A consumer's call is the caller's to repeat: a write must not be sent twice on keyturn's own account. */
export function calls(summary: string): ActivityInterfaceFor<RequestActivities> {
  return proxyActivities<RequestActivities>({ ...bounds, summary, retry: { maximumAttempts: 1 } });
}

/** A run waits for a worker for as long as it takes: an attempt that never began has sent nothing. */
const runBounds = {
  startToCloseTimeout: '2 minutes',
  heartbeatTimeout: '6 seconds',
} as const satisfies ActivityOptions;

/** Of an Arazzo run, what sends nothing or only reads: a lost worker's attempt is repeated. */
export function arazzo(summary: string): ActivityInterfaceFor<ArazzoActivities> {
  return proxyActivities<ArazzoActivities>({ ...runBounds, summary, retry: { ...shortRetries, maximumAttempts: 3 } });
}

/** A step that writes: what became of it is unknown when its worker is lost, and only the document or an operator may repeat it. */
export function arazzoOnce(summary: string): ActivityInterfaceFor<ArazzoActivities> {
  return proxyActivities<ArazzoActivities>({ ...runBounds, summary, retry: { maximumAttempts: 1 } });
}
