// Prints keyturn's figures; every number in the docs comes from here. Runs on this machine alone: own Temporal server, simulator, temporary folder.
// Latencies depend on the machine and are given beside the bare Temporal equivalent, measured in the same run.
import { execFile, spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Client, Connection } from '@temporalio/client';
import { bundleWorkflowCode, NativeConnection, Runtime, Worker, DefaultLogger } from '@temporalio/worker';
import { withoutAmbientTemporal } from '../dist/dev/ambient-temporal.js';
import { startTemporalServer } from '../dist/dev/temporal-server.js';
import { ensureTemporalBinary } from '../dist/dev/temporal-binary.js';
import { searchAttributes } from '../dist/contract.js';
import { openBenchInstallation } from './installation.mjs';

const run = promisify(execFile);
const cli = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const env = withoutAmbientTemporal(process.env);
Runtime.install({ logger: new DefaultLogger('ERROR') });

const figures = [];
const say = (name, value, target = '') => {
  figures.push({ name, value, target });
  console.log(`${name.padEnd(58)} ${String(value).padStart(12)}  ${target}`);
};

const { path: binary } = await ensureTemporalBinary({ log: (line) => console.error(line) });
const temporal = await startTemporalServer({ binary, searchAttributes });
try {
  const bareMs = await bare(temporal);
  await rotations(temporal, bareMs);
  await webhooks(temporal);
  await idleWorker(temporal);
} finally {
  await temporal.stop();
}
await commands();
if (process.argv.includes('--json')) console.log(JSON.stringify(figures));

/** Signal to the last activity before the timer, of a workflow with as many steps as a rotation and no work in them. */
async function bare({ address }) {
  const workflowsPath = fileURLToPath(new URL('./bare-workflow.mjs', import.meta.url));
  const workflowBundle = await bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger('ERROR') });
  const connection = await NativeConnection.connect({ address });
  let calls = 0;
  const worker = await Worker.create({
    connection,
    taskQueue: 'bare',
    workflowBundle,
    activities: { noop: async () => void (calls += 1) },
  });
  const clientConnection = await Connection.connect({ address });
  const client = new Client({ connection: clientConnection });
  let median = 0;
  await worker.runUntil(async () => {
    const handle = await client.workflow.start('bare', { taskQueue: 'bare', workflowId: 'bare' });
    const times = [];
    for (let i = 0; i < 6; i += 1) {
      const expected = calls + 5;
      const started = performance.now();
      await handle.signal('go');
      while (calls < expected) await new Promise((r) => setTimeout(r, 2));
      times.push(performance.now() - started);
      while (calls < expected + 1) await new Promise((r) => setTimeout(r, 5));
    }
    const history = await handle.fetchHistory();
    await handle.signal('stop');
    median = middle(times.slice(1));
    say('bare Temporal: events per signal, 6 activities, timer', Math.round((history.events.length - 3) / 6));
    say('bare Temporal: signal to fifth activity, ms (median of 5)', median.toFixed(0));
  });
  await connection.close();
  await clientConnection.close();
  return median;
}

async function rotations(temporal, bareMs) {
  const i = await openBenchInstallation(temporal, { grace: '1s', refreshWithin: '1s' });
  try {
    await i.rotate();
    const times = [];
    const events = [];
    const bytes = [];
    for (let n = 0; n < 5; n += 1) {
      const before = await i.history();
      times.push(await i.rotate());
      const after = await i.history();
      events.push(after.events - before.events);
      bytes.push(after.bytes - before.bytes);
    }
    say('rotation: events, webhook to proven death of the old key', middle(events), 'target ≤ 50');
    say('rotation: history bytes', middle(bytes));
    say('rotation: webhook to new key published, ms (median of 5)', middle(times).toFixed(0));
    say('rotation: the same as a ratio to bare Temporal', (middle(times) / bareMs).toFixed(2));
  } finally {
    await i.close();
  }
}

async function webhooks(temporal) {
  const i = await openBenchInstallation(temporal, { grace: '1s', refreshWithin: '1s', minInterval: '1h' });
  try {
    await i.rotate();
    const times = [];
    for (let n = 0; n < 300; n += 1) times.push(await i.webhook());
    times.sort((a, b) => a - b);
    say('webhook: p50, ms (300 one after the other)', at(times, 0.5).toFixed(1));
    say('webhook: p99, ms', at(times, 0.99).toFixed(1), 'Mambu’s limit 500');
    const burst = await Promise.all(Array.from({ length: 50 }, () => i.webhook()));
    burst.sort((a, b) => a - b);
    say('webhook: p99 of 50 at once, ms', at(burst, 0.99).toFixed(1), 'Mambu’s limit 500');
  } finally {
    await i.close();
  }
}

async function idleWorker(temporal) {
  const i = await openBenchInstallation(temporal, {}, { worker: false });
  const child = spawn(process.execPath, [cli, 'worker', '-c', i.configFile], {
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  try {
    await new Promise((resolve, reject) => {
      child.stderr.on('data', (chunk) => String(chunk).includes('polls') && resolve());
      child.on('exit', () => reject(new Error('the worker ended')));
    });
    await new Promise((r) => setTimeout(r, 5_000));
    const status = await readFile(`/proc/${child.pid}/status`, 'utf8').catch(() => '');
    const rss = /VmRSS:\s+(\d+) kB/.exec(status)?.[1];
    say('idle worker: RSS, MB', rss ? Math.round(Number(rss) / 1024) : 'unknown here');
  } finally {
    child.kill('SIGTERM');
    await new Promise((resolve) => child.on('exit', resolve));
    await i.close();
  }
}

async function commands() {
  const help = [];
  for (let n = 0; n < 10; n += 1) {
    const started = performance.now();
    await run(process.execPath, [cli, '--help'], { env });
    help.push(performance.now() - started);
  }
  say('keyturn --help, ms (median of 10)', middle(help).toFixed(0), 'target < 150');
  const started = performance.now();
  await run(process.execPath, [cli, 'demo'], { env, maxBuffer: 1 << 24 });
  say('demo with the server binary cached, s', ((performance.now() - started) / 1000).toFixed(1), 'target < 45');
}

function middle(values) {
  return at(
    values.toSorted((a, b) => a - b),
    0.5,
  );
}

function at(sorted, quantile) {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * quantile))];
}
