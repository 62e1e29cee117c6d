/** Histories recorded by each release replay on this code. How they are recorded: ./recorder.ts */
import { expect, it } from 'vitest';
import { historiesOf, historyOf, releases, stories, type Recorded } from './recorder.js';
import { replayed } from './replayed.js';

it.each(Object.keys(stories))('%s replays', async (name) => {
  const recorded = await historyOf(name);
  expect(await replayed(recorded)).toEqual(recorded.map(() => null));
});

it.each(await releases())('everything that %s has recorded replays', async (release) => {
  const recorded = await historiesOf(release);
  expect(recorded).not.toEqual([]);
  expect(await replayed(recorded)).toEqual(recorded.map(() => null));
});

it('a history that is not what this code does fails to replay', async () => {
  const [recorded] = await historyOf('create-and-delete');
  const text = JSON.stringify(recorded).replace('"name":"persist"', '"name":"publish"');
  expect(text).not.toBe(JSON.stringify(recorded));
  const [problem] = await replayed([JSON.parse(text) as Recorded]);
  expect(problem).toMatch(/TMPRL1100/);
});
