/** Histories recorded by each release replay on this code. How they are recorded: ./recorder.ts */
import { fileURLToPath } from 'node:url';
import { Worker } from '@temporalio/worker';
import { expect, it } from 'vitest';
import { histories, historyOf, stories, type Recorded } from './recorder.js';

const workflowBundle = { codePath: fileURLToPath(new URL('../../dist/workflow-bundle.js', import.meta.url)) };

async function replayed(recorded: readonly Recorded[]): Promise<readonly (string | null)[]> {
  const problems: (string | null)[] = [];
  for await (const result of Worker.runReplayHistories({ workflowBundle }, recorded))
    problems.push(result.error?.message ?? null);
  return problems;
}

it.each(Object.keys(stories))('%s replays', async (name) => {
  const recorded = await historyOf(name);
  expect(await replayed(recorded)).toEqual(recorded.map(() => null));
});

it('everything that earlier releases have recorded replays', async () => {
  const recorded = await histories();
  expect(recorded.length).toBeGreaterThanOrEqual(Object.keys(stories).length);
  expect(await replayed(recorded)).toEqual(recorded.map(() => null));
});

it('a history that is not what this code does fails to replay', async () => {
  const [recorded] = await historyOf('create-and-delete');
  const text = JSON.stringify(recorded).replace('"name":"persist"', '"name":"publish"');
  expect(text).not.toBe(JSON.stringify(recorded));
  const [problem] = await replayed([JSON.parse(text) as Recorded]);
  expect(problem).toMatch(/TMPRL1100/);
});
