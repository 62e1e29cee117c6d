/** The long run: the cells that KEYTURN_FAULTS asks for. `npm run faults` sets it and prints what this leaves in its file. */
import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { quietRuntime } from '../support/quiet-runtime.js';
import { allCells, pairCells } from './cells.js';
import { pooled } from './pool.js';
import { earlierOf, failureOf, reportOf, tableOf } from './report.js';
import { stopServers } from './restartable-servers.js';
import { runCell } from './run-cell.js';

const optionsSchema = z.strictObject({
  report: z.string(),
  log: z.string(),
  concurrency: z.int().min(1),
  pairs: z.boolean(),
  cell: z.string().optional(),
  filter: z.string().optional(),
  done: z.array(z.string()),
  shard: z.strictObject({ index: z.int().min(1), of: z.int().min(1) }),
});

it('no fault breaks an invariant', async () => {
  quietRuntime();
  // The runner has gone.
  process.on('disconnect', () => process.exit(1));
  const options = optionsSchema.parse(JSON.parse(process.env['KEYTURN_FAULTS'] ?? '{}'));
  const { cell, filter, shard } = options;
  const product = cell?.includes('+') === true || options.pairs ? pairCells() : allCells();
  const cells = product
    .filter(({ id }) => cell === undefined || id === cell)
    .filter(({ id }) => filter === undefined || id.includes(filter))
    .filter((_, n) => n % shard.of === shard.index - 1);
  const stamp = await readFile(new URL('../../dist/.stamp.json', import.meta.url), 'utf8');
  const { inputs: build } = z.object({ inputs: z.string() }).parse(JSON.parse(stamp));
  const reports = options.done.map(async (name) => ({ name, text: await readFile(name, 'utf8') }));
  const earlier = earlierOf(build, cells, await Promise.all(reports));
  const known = new Set(earlier.cells.map(({ cell: id }) => id));
  const startedMs = Date.now();
  const applicable = cells.filter(({ id, notApplicable }) => notApplicable === null && !known.has(id));
  let ended = 0;
  const results = await pooled(applicable, options.concurrency, async (one) => {
    const result = await runCell(one);
    ended += 1;
    const progress = `${ended}/${applicable.length} ${result.cell}: ${result.outcome}, ${result.durationMs} ms`;
    await appendFile(options.log, `${[progress, ...failureOf(result)].join('\n')}\n`);
    return result;
  });
  await stopServers();
  const durationMs = Date.now() - startedMs + 1_000 * earlier.durationSeconds;
  const report = reportOf(build, cells, [...earlier.cells, ...results], durationMs);
  await writeFile(options.report, JSON.stringify({ report, table: tableOf(cells, report) }));
  expect(cells, 'cells that were asked for').not.toEqual([]);
});
