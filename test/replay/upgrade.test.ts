/** What the next version may change in the workflows, and what the recorded histories say to it. */
import { describe, expect, it } from 'vitest';
import { additions, workflowsWith } from '../support/changed-workflows.js';
import { historyOf } from './recorder.js';
import { replayed } from './replayed.js';

/** A rotation that was parked on its way, and one that went on to the end of its grace. */
const recorded = [...(await historyOf('parked-and-healed')), ...(await historyOf('create-and-delete'))];

describe.each(additions)('%s more', (addition) => {
  it('replays where it is guarded by patched', async () => {
    expect(await replayed(recorded, await workflowsWith([addition], true))).toEqual(recorded.map(() => null));
  });

  it('does not replay without', async () => {
    for (const problem of await replayed(recorded, await workflowsWith([addition], false)))
      expect(problem).toMatch(/TMPRL1100/);
  });
});
