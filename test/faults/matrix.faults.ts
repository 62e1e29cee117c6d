/** The long run: the cells that KEYTURN_FAULTS asks for. `npm run faults` sets it and prints what this leaves in its file. */
import { appendFile, writeFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { quietRuntime } from '../support/quiet-runtime.js';
import { allCells, pairCells } from './cells.js';
import { pooled } from './pool.js';
import { failureOf, reportOf, tableOf } from './report.js';
import { runCell } from './run-cell.js';

const optionsSchema = z.strictObject({
  report: z.string(),
  log: z.string(),
  concurrency: z.int().min(1),
  pairs: z.boolean(),
  cell: z.string().optional(),
  filter: z.string().optional(),
  shard: z.strictObject({ index: z.int().min(1), of: z.int().min(1) }),
});

it('no fault breaks an invariant', async () => {
  quietRuntime();
  // The runner has gone.
  process.on('disconnect', () => process.exit(1));
  const options = optionsSchema.parse(JSON.parse(process.env['KEYTURN_FAULTS'] ?? '{}'));
  const { cell, filter, shard } = options;
  const known = cell?.includes('+') === true || options.pairs ? pairCells() : allCells();
  const cells = known
    .filter(({ id }) => cell === undefined || id === cell)
    .filter(({ id }) => filter === undefined || id.includes(filter))
    .filter((_, n) => n % shard.of === shard.index - 1);
  const startedMs = Date.now();
  const applicable = cells.filter(({ notApplicable }) => notApplicable === null);
  let ended = 0;
  const results = await pooled(applicable, options.concurrency, async (one) => {
    const result = await runCell(one);
    ended += 1;
    const progress = `${ended}/${applicable.length} ${result.cell}: ${result.outcome}, ${result.durationMs} ms`;
    await appendFile(options.log, `${[progress, ...failureOf(result)].join('\n')}\n`);
    return result;
  });
  const report = reportOf(cells, results, Date.now() - startedMs);
  await writeFile(options.report, JSON.stringify({ report, table: tableOf(cells, report) }));
  expect(cells, 'cells that were asked for').not.toEqual([]);
});
