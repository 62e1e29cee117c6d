import { setTimeout as sleep } from 'node:timers/promises';
import type { KeyturnClient } from '../../client.js';
import type { CredentialState } from '../../contract.js';
import { isErrorCode, KeyturnError } from '../../domain/errors.js';
import type { Action } from '../run.js';
import { operatorName, requireKnown, withSession } from '../session.js';

/** A rollback writes the record once, and at most wakes the key up again at the provider. */
const DONE_WITHIN_MS = 60_000;
const POLL_MS = 200;

export const run: Action<'rollback'> = async (context, [credentialId], { toVersion }) =>
  withSession(context, async (session) => {
    await requireKnown(session, credentialId);
    const client = await session.client();
    const input = { by: operatorName(), ...(toVersion === undefined ? {} : { toVersion }) };
    const { requestId } = await client.rollback(credentialId, input);
    const { current, previous } = await rolledBack(client, credentialId, requestId);
    return {
      data: { credentialId, requestId, current, previous },
      text: `${credentialId}: the older key is published again as version ${current?.version ?? 'unknown'} (key ${current?.keyId ?? 'unknown'})`,
    };
  });

async function rolledBack(client: KeyturnClient, credentialId: string, requestId: string): Promise<CredentialState> {
  const deadlineMs = Date.now() + DONE_WITHIN_MS;
  for (;;) {
    const state = await client.state(credentialId);
    if (state.lastRotation?.requestId === requestId) {
      const { error } = state.lastRotation;
      if (!error) return state;
      const code = isErrorCode(error.code) ? error.code : 'KT-ROLLBACK-REFUSED';
      throw new KeyturnError(code, `the rollback of ${credentialId} was refused: ${error.message}`);
    }
    if (Date.now() >= deadlineMs) {
      throw new KeyturnError('KT-TIMEOUT', `the rollback of ${credentialId} was accepted and is not done yet`);
    }
    await sleep(POLL_MS);
  }
}
