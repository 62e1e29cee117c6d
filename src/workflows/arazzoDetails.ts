/** The markdown that Temporal's UI and `temporal workflow metadata` show as current details of an Arazzo run. */
import type { ArazzoState } from '../domain/arazzo.js';

const LINES = 50;

export function arazzoDetails({
  workflowId,
  status,
  step,
  nextAttemptAt,
  lastError,
  unknown,
  steps,
}: ArazzoState): string {
  const lines = [`**${workflowId}** · ${status}${step === null ? '' : ` · step **${step.stepId}**`}`, ''];
  if (unknown !== null)
    lines.push(
      `**Was it executed?** ${unknown.request} (${unknown.stepId}): ${unknown.error.message}`,
      `\`${unknown.command}\``,
      '',
    );
  if (nextAttemptAt !== null) lines.push(`Goes on at ${nextAttemptAt}`, '');
  if (lastError !== null) lines.push(`Last error: ${lastError.code} ${lastError.message}`, '');
  lines.push('| step | request | answer | |', '|---|---|---|---|');
  for (const done of steps.slice(-LINES))
    lines.push(`| ${done.stepId} | ${done.request} | ${done.status ?? 'none'} | ${done.outcome} |`);
  return lines.join('\n');
}
