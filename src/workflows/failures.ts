import { ActivityFailure, ApplicationFailure, TimeoutFailure } from '@temporalio/workflow';
import type { StepFailureDetails } from '../activities/api.js';

/** What an activity's failure tells. A time-out or a lost worker says nothing of its effects: transient, and the record knows the rest. */
export function detailsOf(error: unknown): StepFailureDetails {
  if (!(error instanceof ActivityFailure)) throw error;
  const { cause } = error;
  if (cause instanceof ApplicationFailure) {
    const details = cause.details?.[0] as StepFailureDetails | undefined;
    if (details?.kind) return details;
    return { kind: 'transient', code: 'KT-INTERNAL', message: 'the worker ended in the middle of a step' };
  }
  const message = cause instanceof TimeoutFailure ? 'no worker finished the step in time' : 'the step was interrupted';
  return { kind: 'transient', code: 'KT-NO-WORKER', message };
}
