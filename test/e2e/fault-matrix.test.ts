/** The fixed part of the fault matrix, and that the matrix is complete. The whole of it: `npm run faults`. */
import { afterAll, expect, it } from 'vitest';
import { circumstances } from '../faults/cells.js';
import { pooled } from '../faults/pool.js';
import { ofRotation, record } from '../faults/record.js';
import { failureOf } from '../faults/report.js';
import { stopServers } from '../faults/restartable-servers.js';
import { runCell } from '../faults/run-cell.js';
import { subset } from '../faults/subset.js';
import { recorded, strategies } from '../faults/surface.js';
import { quietRuntime } from '../support/quiet-runtime.js';
import { sample } from '../support/sample.js';

quietRuntime();
afterAll(stopServers);

/** Of the fixed part, which has 50. */
const THIRD = 17;
/** They mostly wait. */
const AT_ONCE = 5;
const WITHIN_MS = 300_000;

it.concurrent.for(strategies)('the matrix has every call and every store operation of %s', async (strategy) => {
  const { clean, recovery } = recorded[strategy];
  expect(await record(strategy, 'clean')).toEqual({ ...clean, operations: ofRotation(clean.operations) });
  const recovering = await record(strategy, 'recovery');
  expect(recovering.calls).toMatchObject(recovery.calls);
  expect(recovering.operations).toMatchObject(ofRotation(recovery.operations));
});

it.concurrent('no fault of the fixed part breaks an invariant', { timeout: WITHIN_MS }, async () => {
  const cells = sample(subset(), THIRD);
  expect(new Set(cells.map(({ strategy }) => strategy))).toEqual(new Set(strategies));
  expect(new Set(cells.map(({ circumstance }) => circumstance))).toEqual(new Set(circumstances));
  const results = await pooled(cells, AT_ONCE, runCell);
  expect(results.flatMap(failureOf).join('\n')).toBe('');
});
