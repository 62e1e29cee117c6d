import { Worker, type WorkflowBundleOption } from '@temporalio/worker';
import { fileURLToPath } from 'node:url';
import type { Recorded } from './recorder.js';

const built = { codePath: fileURLToPath(new URL('../../dist/workflow-bundle.js', import.meta.url)) };

/** Of each run what made its replay fail, or null. */
export async function replayed(
  recorded: readonly Recorded[],
  workflowBundle: WorkflowBundleOption = built,
): Promise<readonly (string | null)[]> {
  const problems: (string | null)[] = [];
  for await (const result of Worker.runReplayHistories({ workflowBundle }, recorded))
    problems.push(result.error?.message ?? null);
  return problems;
}
