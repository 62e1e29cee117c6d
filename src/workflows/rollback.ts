/** An operator's rollback, taken by the rotation lane between two rotations. */
import { log } from '@temporalio/workflow';
import type { StateError } from '../domain/state.js';
import { repeatable } from './activities.js';
import type { Entity } from './entity.js';
import { detailsOf } from './failures.js';
import { noteLeaks } from './intake.js';

/** Checked at acceptance; the record decides for good. */
export async function rollBack(entity: Entity, job: NonNullable<Entity['lane']['rollback']>): Promise<void> {
  const { lane } = entity;
  try {
    const input = { ...entity.believed(), operationId: `rollback/${job.requestId}`, ...job };
    const view = await repeatable(`roll back to version ${job.toVersion}`).rollback(input);
    lane.rollback = null;
    entity.see(view);
  } catch (error) {
    const { kind, code, message } = detailsOf(error);
    if (kind === 'transient') {
      await entity.wait(() => entity.stopping(), Date.now() + 2_000, 'rollback again');
      return;
    }
    if (kind === 'trouble') entity.inTrouble({ code, message });
    else await recordRefusal(entity, job, { code, message });
    lane.rollback = null;
  }
  noteLeaks(entity);
}

/** Refused after it was accepted: whoever asked learns it as the last rotation, which has changed nothing. */
async function recordRefusal(
  entity: Entity,
  { requestId }: NonNullable<Entity['lane']['rollback']>,
  error: StateError,
): Promise<void> {
  const operationId = `rollback/${requestId}`;
  const rotation = {
    operationId,
    requestId,
    reason: 'rollback',
    source: 'operator',
    outcome: 'failed',
    startedAtMs: Date.now(),
    steps: [],
    error,
  } as const;
  try {
    const refused = { ...entity.believed(), operationId, rotation, deadlineMs: null };
    entity.see(await repeatable('record why the rollback was refused').close(refused));
  } catch (unrecorded) {
    const { code, message } = detailsOf(unrecorded);
    log.warn('a refused rollback could not be recorded', { requestId, refusedBy: error.code, code, reason: message });
    if (code === 'KT-CONFLICT') entity.lane.reload = true;
  }
}
