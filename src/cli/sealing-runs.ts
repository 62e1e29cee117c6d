import type { KeyturnClient } from '../client.js';
import { workflowNames } from '../contract.js';
import { KeyturnError } from '../domain/errors.js';
import { iso } from '../domain/instant.js';

/** The workflow whose histories hold values under the sealing key itself; answers in other histories have one-time keys of their own. */
const SEALING_WORKFLOW = workflowNames.runArazzo;

/**
 * How many such runs of this task queue Temporal still has: open ones, whenever they began (one may carry values from the run that it
 * continues), and ended ones that began before `untilMs`.
 * @throws KeyturnError KT-TEMPORAL-UNREACHABLE
 */
export async function sealingRuns(
  { temporal, taskQueue }: KeyturnClient,
  untilMs: number,
): Promise<{ readonly open: number; readonly retained: number }> {
  const runs = `WorkflowType = '${SEALING_WORKFLOW}' AND TaskQueue = ${JSON.stringify(taskQueue)}`;
  const isOpen = "ExecutionStatus = 'Running'";
  try {
    const open = await temporal.workflow.count(`${runs} AND ${isOpen}`);
    const retained = await temporal.workflow.count(`${runs} AND NOT ${isOpen} AND StartTime < '${iso(untilMs)}'`);
    return { open: open.count, retained: retained.count };
  } catch {
    throw new KeyturnError('KT-TEMPORAL-UNREACHABLE', 'Temporal does not tell which histories it retains');
  }
}
