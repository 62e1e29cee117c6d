// One entity through thousands of rotations, on a Temporal server of its own, with the worker in a process of its own:
// `npm run long-life [-- ROTATIONS]`, 2,000 unless told otherwise. Every request is sent twice; around each continue-as-new four come at once.
// Exits with 1 when history, record or memory is not flat, or when a request was lost or served twice.
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import { searchAttributes } from '../dist/contract.js';
import { withoutAmbientTemporal } from '../dist/dev/ambient-temporal.js';
import { ensureTemporalBinary } from '../dist/dev/temporal-binary.js';
import { startTemporalServer } from '../dist/dev/temporal-server.js';
import { hasSeen } from '../dist/domain/seen.js';
import { openBenchInstallation } from './installation.mjs';

/** As in src/workflows/entity.ts: the history length at which an entity continues as new. */
const MAX_EVENTS = 4_000;
/** One run may be over it by what was under way: a rotation's steps, and the requests that came meanwhile. */
const OVERSHOOT = 200;
/** Temporal warns of a run at 10 MiB and ends it at 50 MiB. */
const MAX_BYTES = 4 * 1024 * 1024;
const MAX_RECORD_BYTES = 64 * 1024;
/** Of the worker's resident memory, between the second half's two quarters; an allocator that settles stays below. */
const MAX_GROWTH = 1.1;

const rotations = Number(process.argv[2] ?? 2_000);
const sampleEvery = Math.max(1, Math.floor(rotations / 80));
const problems = [];
const bursts = [];
const runs = [];
const samples = [];
const sent = new Set();
const served = new Map();
Runtime.install({ logger: new DefaultLogger('ERROR') });

const { path: binary } = await ensureTemporalBinary({ log: (line) => console.error(line) });
const temporal = await startTemporalServer({ binary, searchAttributes });
const policy = { grace: '0s', refreshWithin: '0s', minInterval: '0s' };
const timing = { skew: '100ms', settle: '0s', observe: '0s', propagation: '0s' };
const i = await openBenchInstallation(temporal, policy, { worker: false, timing });
const worker = await startWorker();
const startedMs = Date.now();
try {
  await live();
} finally {
  worker.kill('SIGTERM');
  await new Promise((resolve) => worker.on('exit', resolve));
  await i.close();
  await temporal.stop();
}
report();
process.exit(problems.length > 0 ? 1 : 0);

async function live() {
  for (let version = 1; version <= rotations;) {
    const isNearTheEnd = (runs.at(-1)?.events ?? 0) > MAX_EVENTS - 150;
    const ids = isNearTheEnd ? [next(), next(), next(), next()] : [next()];
    if (isNearTheEnd) bursts.push({ run: runs.at(-1).runId });
    await Promise.all([...ids, ...ids].map((requestId) => ask(requestId)));
    version = await untilServed(ids);
    await lookAtHistory();
    if (isNearTheEnd) bursts.at(-1).after = runs.at(-1).runId;
    if (samples.length * sampleEvery < version) await sample(version);
  }
  const made = i.simulator.oracle().keys.filter((key) => key.by === 'create').length;
  const { highestVersion } = await i.record();
  if (made !== highestVersion - 1 || served.size !== made)
    problems.push(`${made} keys and ${highestVersion} versions were made by ${served.size} rotations`);
}

function next() {
  const id = `r-${sent.size + 1}`;
  sent.add(id);
  return id;
}

async function ask(requestId) {
  await i.client.requestRotation(i.credentialId, { requestId, reason: 'routine', source: 'operator' });
}

/** Resolves with the version that is current then. */
async function untilServed(ids) {
  const deadline = Date.now() + 120_000;
  for (;;) {
    const state = await i.client.state(i.credentialId).catch(() => null);
    if (state?.current && state.rotation === null && state.pendingRequests === 0) {
      const record = await i.record();
      if (ids.every((id) => hasSeen(record.seen, id, Date.now()))) {
        for (const { operationId, requestId } of record.history) book(operationId, requestId);
        return state.current.version;
      }
    }
    if (Date.now() > deadline) throw new Error(`not served: ${ids.join(', ')}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function book(operationId, requestId) {
  const earlier = served.get(requestId);
  if (earlier !== undefined && earlier !== operationId) problems.push(`${requestId} was served twice`);
  served.set(requestId, operationId);
}

async function lookAtHistory() {
  const { runId, historyLength: events, historySize: bytes } = await i.client.handle(i.credentialId).describe();
  if (runs.at(-1)?.runId === runId) Object.assign(runs.at(-1), { events, bytes });
  else runs.push({ runId, events, bytes });
}

async function sample(version) {
  const status = await readFile(`/proc/${worker.pid}/status`, 'utf8');
  const rssMb = Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
  const recordBytes = JSON.stringify(await i.record()).length;
  samples.push({ version, rssMb, recordBytes });
  if (samples.length % 5 === 0)
    console.error(`${version} rotations, ${runs.length} runs, ${rssMb.toFixed(0)} MB, ${recordBytes} bytes of record`);
}

function report() {
  const ended = runs.slice(0, -1);
  const say = (name, value) => console.log(`${name.padEnd(62)} ${String(value).padStart(16)}`);
  const largest = (key) => Math.max(...runs.map((run) => run[key]));
  const quarters = [0, 1, 2, 3].map((q) => samples.slice((q * samples.length) / 4, ((q + 1) * samples.length) / 4));
  const rss = quarters.map((quarter) => middle(quarter.map((s) => s.rssMb)));
  const recordBytes = quarters.map((quarter) => Math.max(...quarter.map((s) => s.recordBytes)));
  say('rotations / requests, each sent twice', `${served.size} / ${sent.size}`);
  say('runs / continue-as-news', `${runs.length} / ${ended.length}`);
  say('bursts that met a continue-as-new', `${bursts.filter((b) => b.run !== b.after).length} of ${bursts.length}`);
  say('largest history of a run, events', largest('events'));
  say('largest history of a run, bytes', largest('bytes'));
  if (ended.length >= 4) {
    const bytes = [ended.slice(0, ended.length / 2), ended.slice(ended.length / 2)].map((half) =>
      middle(half.map((run) => run.bytes)),
    );
    say('history of a run, first half / second half, bytes (median)', bytes.join(' / '));
  }
  say('record in each quarter, bytes (largest)', recordBytes.join(' / '));
  say('worker RSS in each quarter, MB (median)', rss.map((mb) => mb.toFixed(0)).join(' / '));
  say('minutes', ((Date.now() - startedMs) / 60_000).toFixed(1));
  say('load of the machine, 1 / 15 minutes', [loadavg()[0], loadavg()[2]].map((l) => l.toFixed(1)).join(' / '));
  if (largest('events') > MAX_EVENTS + OVERSHOOT) problems.push('a history is longer than an entity lets it become');
  if (largest('bytes') > MAX_BYTES) problems.push('a history is larger than it may be');
  if (Math.max(...recordBytes) > MAX_RECORD_BYTES) problems.push('the record is larger than it may be');
  if (rss[3] > rss[2] * MAX_GROWTH) problems.push('the memory of the worker grows');
  for (const problem of problems) console.log(`NOT FLAT OR NOT RIGHT: ${problem}`);
}

function middle(values) {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
}

/** Resolves when it polls. */
async function startWorker() {
  const cli = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
  const child = spawn(process.execPath, [cli, 'worker', '-c', i.configFile], {
    env: withoutAmbientTemporal(process.env),
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  await new Promise((resolve, reject) => {
    child.stderr.on('data', (chunk) => String(chunk).includes('polls') && resolve());
    child.on('exit', () => reject(new Error('the worker ended')));
  });
  return child;
}
