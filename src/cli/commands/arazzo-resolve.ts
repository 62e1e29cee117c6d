import { resolveStep } from '../../arazzo-runs.js';
import type { Action } from '../run.js';
import { withSession } from '../session.js';

export const run: Action<'arazzo-resolve'> = async (context, [workflowId], { step: stepId, decision }) =>
  withSession(context, async (session) => {
    await resolveStep(await session.client(), workflowId, { stepId, decision });
    return {
      data: { workflowId, stepId, decision },
      text: `${workflowId}: ${decision} ${stepId}\n\`temporal workflow query -w ${workflowId} --name arazzoState\` shows what becomes of it`,
    };
  });
