/** An operator's rollback, taken by the rotation lane between two rotations. */
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
    lane.rollback = null;
    if (kind === 'trouble') entity.inTrouble({ code, message });
    else lane.answered = [...lane.answered, refusedRollback(entity, job.requestId, { code, message })];
  }
  noteLeaks(entity);
}

function refusedRollback(entity: Entity, requestId: string, error: StateError): Entity['lane']['answered'][number] {
  const { lane } = entity;
  return {
    requestId,
    outcome: 'failed',
    credentialId: lane.credentialId,
    version: null,
    keyId: null,
    publishedAt: null,
    error,
    attention: [],
  };
}
