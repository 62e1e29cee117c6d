// The fault matrix: npm run faults [-- --shard i/n] [--cell ID] [--filter TEXT] [--pairs] [--json] [--done FILE]… [--concurrency N]
// Ends with 1 when an invariant was broken. Progress goes to stderr, the table (or with --json the report) to stdout.
import { spawn } from 'node:child_process';
import { createReadStream, watchFile, unwatchFile, readFileSync, writeFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    shard: { type: 'string', default: '1/1' },
    cell: { type: 'string' },
    filter: { type: 'string' },
    pairs: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    concurrency: { type: 'string', default: '12' },
    done: { type: 'string', multiple: true, default: [] },
  },
});
const [index, of] = values.shard.split('/').map(Number);
const folder = mkdtempSync(join(tmpdir(), 'keyturn-faults-'));
const report = join(folder, 'report.json');
const log = join(folder, 'log');
writeFileSync(log, '');
const stopFollowing = follow(log);

const { cell, filter, pairs } = values;
const done = values.done.map((file) => resolve(process.env.INIT_CWD ?? '.', file));
const options = {
  report,
  log,
  concurrency: Number(values.concurrency),
  pairs,
  cell,
  filter,
  done,
  shard: { index, of },
};
const root = fileURLToPath(new URL('..', import.meta.url));
const config = join(root, 'test/faults/vitest.config.ts');
const vitest = join(root, 'node_modules/vitest/vitest.mjs');
const child = spawn(process.execPath, [vitest, 'run', '--config', config], {
  cwd: root,
  stdio: ['ignore', 'pipe', 'pipe'],
  env: { ...process.env, KEYTURN_FAULTS: JSON.stringify(options) },
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill());
let said = '';
for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += chunk));
const code = await new Promise((resolve) => child.on('exit', resolve));
await stopFollowing();
if (code !== 0) {
  process.stderr.write(said);
  process.exitCode = 1;
} else {
  const result = JSON.parse(readFileSync(report, 'utf8'));
  process.stdout.write(`${values.json ? JSON.stringify(result.report, null, 2) : result.table}\n`);
  process.exitCode = result.report.violations === 0 ? 0 : 1;
}
rmSync(folder, { recursive: true });

/** Copies to stderr what is appended to the file. */
function follow(file) {
  let from = 0;
  const more = () =>
    new Promise((resolve) => {
      const stream = createReadStream(file, { start: from });
      stream.on('data', (chunk) => {
        from += chunk.length;
        process.stderr.write(chunk);
      });
      stream.on('close', resolve);
    });
  watchFile(file, { interval: 1_000 }, () => void more());
  return async () => {
    unwatchFile(file);
    await more();
  };
}
