import type { Action } from '../run.js';
import { operatorName, requireKnown, withSession } from '../session.js';

export const run: Action<'resume'> = async (context, [credentialId]) =>
  withSession(context, async (session) => {
    await requireKnown(session, credentialId);
    const client = await session.client();
    await client.resume(credentialId, { by: operatorName() });
    const { paused, nextRotationAt } = await client.state(credentialId);
    return {
      data: { credentialId, paused, nextRotationAt },
      text: `${credentialId} goes on; next rotation: ${nextRotationAt ?? 'none planned'}`,
    };
  });
