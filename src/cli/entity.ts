import type { KeyturnClient } from '../client.js';
import type { Output } from './output.js';
import { asKeyturnError } from './run.js';
import type { Session } from './session.js';

/**
 * Tells the workflow of a credential what has changed in the store, as far as it can be reached: the store is the truth, and a workflow that
 * was not told finds out with its next step.
 */
export async function tellEntity(
  session: Session,
  out: Pick<Output, 'warn'>,
  tell: (client: KeyturnClient) => Promise<void>,
): Promise<'told' | 'not-running' | 'not-reached'> {
  try {
    await tell(await session.client());
    return 'told';
  } catch (error) {
    const { code, message } = asKeyturnError(error);
    if (code === 'KT-NOT-RUNNING') return 'not-running';
    out.warn(`the workflow could not be told (${message}): it finds out with its next step`);
    return 'not-reached';
  }
}
