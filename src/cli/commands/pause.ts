import type { Action } from '../run.js';
import { operatorName, requireKnown, withSession } from '../session.js';

export const run: Action<'pause'> = async (context, [credentialId], { reason }) =>
  withSession(context, async (session) => {
    await requireKnown(session, credentialId);
    const client = await session.client();
    await client.pause(credentialId, { by: operatorName(), ...(reason === undefined ? {} : { reason }) });
    const { paused } = await client.state(credentialId);
    return {
      data: { credentialId, paused },
      text: `${credentialId} is paused since ${paused?.since ?? 'now'} by ${paused?.by ?? operatorName()}: no routine rotation begins until \`keyturn resume ${credentialId}\``,
    };
  });
