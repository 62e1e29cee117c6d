/** Records the histories that every later version of the workflows has to replay: KEYTURN_RECORD_HISTORIES=1 npx vitest run --project replay */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import type { WorkflowHandle } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { onTestFinished } from 'vitest';
import { queryNames, updateNames, workflowNames, type ArazzoState } from '../../src/contract.js';
import { startApigeeSimulator } from '../../src/simulators/apigee/index.js';
import { createRoute, jumpingDocument, keysDescription, ownDocument } from '../support/arazzo.js';
import { edit, eventually } from '../support/around.js';
import { installation, type Installation, type InstallationOptions } from '../support/installation.js';

/** One file of a folder of test/histories: the runs of one story. */
export interface Recorded {
  /** The true one: child and reply ids are made of it. */
  readonly workflowId: string;
  readonly history: { readonly events: readonly Record<string, unknown>[] };
}

/** A folder for each release, frozen by it, and `next`, of this code. */
const root = new URL('../histories/', import.meta.url);
const next = 'next';

interface Story {
  readonly options?: InstallationOptions;
  /** Runs that the story has at least. */
  readonly runs?: number;
  /** Events after which the entity continues as new. */
  readonly maxEvents?: number;
  /** Other workflows of the story. */
  readonly others?: readonly string[];
  tell(i: Installation): Promise<unknown>;
}

const create = { method: 'POST', route: '/consumers/{id}/apikeys' } as const;
const rotate = { method: 'POST', route: '/apikey/rotation' } as const;
const verifyIsOut = {
  match: { method: 'GET', route: '/consumers/{id}/keys', nth: 3, times: 'always' },
  action: 'fail-before',
} as const;

const rotated = (i: Installation, version = 2): Promise<unknown> =>
  i.until(`version ${version} is current`, (s) => s.current?.version === version && s.rotation === null, 40_000);
const retired = (i: Installation): Promise<unknown> => i.until('nothing is left', (s) => s.previous.length === 0);

async function parked(i: Installation): Promise<void> {
  i.simulator.faults.add(verifyIsOut);
  await i.request('r-1');
  await i.until('verify is parked', (s) => s.rotation?.step === 'verify' && s.rotation.parked);
}

export const stories: Readonly<Record<string, Story>> = {
  'create-and-delete': { tell: async (i) => (await i.request('r-1'), await rotated(i), await retired(i)) },
  rotation: {
    options: { strategy: 'rotation' },
    tell: async (i) => (await i.request('r-1'), await rotated(i), await retired(i)),
  },
  'lost-answer-create': {
    async tell(i) {
      i.simulator.faults.add({ match: create, action: 'drop-after-commit' });
      await i.request('r-1');
      await rotated(i);
    },
  },
  'lost-answer-rotation': {
    options: { strategy: 'rotation' },
    async tell(i) {
      i.simulator.faults.add({ match: rotate, action: 'drop-after-commit' });
      await i.request('r-1');
      await rotated(i);
    },
  },
  'parked-and-healed': {
    async tell(i) {
      await parked(i);
      i.simulator.faults.clear();
      await rotated(i);
      await retired(i);
    },
  },
  'failed-and-paused': {
    async tell(i) {
      i.simulator.faults.add({ match: create, action: 'status', status: 400 });
      await i.request('r-1');
      await i.until('it has failed', (s) => s.lastRotation?.outcome === 'failed');
      await i.client.pause(i.credentialId, { by: 'me' });
      await i.request('r-2');
      await i.client.resume(i.credentialId, {});
      await i.request('r-3');
      await rotated(i);
    },
  },
  compromise: {
    async tell(i) {
      await parked(i);
      await i.request('leak', { reason: 'compromise' });
      await i.until('the new key is taken back', (s) => s.rotation?.requestId === 'leak');
      i.simulator.faults.clear();
      await rotated(i, 3);
      await retired(i);
    },
  },
  'compromise-rotation': {
    options: { strategy: 'rotation' },
    async tell(i) {
      await parked(i);
      await i.request('leak', { reason: 'compromise' });
      i.simulator.faults.clear();
      await rotated(i, 3);
    },
  },
  rollback: {
    options: { policy: { grace: '1h', consumers: [{ name: 'billing', ackWithin: '1h' }] } },
    async tell(i) {
      await i.request('r-1');
      await rotated(i);
      await i.client.acknowledge(i.credentialId, 'billing', 2);
      await i.client.temporal.workflow
        .getHandle(`credential/${i.credentialId}`)
        .executeUpdate(updateNames.rollback, { args: [{}] });
      await rotated(i, 3);
    },
  },
  'continue-as-new': {
    runs: 3,
    maxEvents: 60,
    options: { policy: { grace: '0s', refreshWithin: '0s' } },
    async tell(i) {
      for (let n = 1; n <= 6; n++) {
        await i.request(`r-${n}`);
        await rotated(i, n + 1);
      }
      await retired(i);
    },
  },
  'terminated-and-resumed': {
    runs: 2,
    async tell(i) {
      await parked(i);
      await i.client.handle(i.credentialId).terminate('test');
      i.simulator.faults.clear();
      await i.client.ensureStarted(i.credentialId);
      await rotated(i);
      await retired(i);
    },
  },
  compared: {
    others: ['reconcile'],
    options: { policy: { grace: '1h' } },
    async tell(i) {
      await i.request('r-1');
      await rotated(i);
      const [old] = (await i.state()).previous;
      i.simulator.deleteKey(old?.keyId ?? '');
      await i.client.temporal.workflow.execute(workflowNames.reconcileCredential, {
        workflowId: `reconcile/${i.credentialId}`,
        taskQueue: i.taskQueue,
        args: [{ credentialId: i.credentialId }],
      });
      await i.until('it is told', (s) => s.attention.some((a) => a.code === 'KT-DRIFT'));
      await eventually(
        'the record has it',
        async () => (await i.vault.custody.read(i.credentialId))?.record.drift?.findings.length,
      );
    },
  },
  callers: {
    others: ['rotate', 'configuration', 'call'],
    async tell(i) {
      const { credentialId, taskQueue } = i;
      const run = (type: string, prefix: string, input: object): Promise<unknown> =>
        i.client.temporal.workflow.execute(type, {
          workflowId: `${prefix}/${credentialId}`,
          taskQueue,
          args: [{ credentialId, ...input }],
        });
      await run(workflowNames.rotateCredential, 'rotate', {});
      await run(workflowNames.retrieveConfiguration, 'configuration', {});
      await run(workflowNames.makeApiRequest, 'call', { path: '/branches' });
    },
  },
  arazzo: { others: ['arazzo/rotate', 'arazzo/main'], tell: tellArazzo },
};

/** A timer, an unknown outcome and an operator; then a sub-workflow, what is awaited, and jumps. */
async function tellArazzo(i: Installation): Promise<void> {
  const apigee = await startApigeeSimulator();
  onTestFinished(() => apigee.close());
  await writeFile(new URL('token', `file://${i.directory}/`), apigee.seeded.accessToken);
  const source = { url: apigee.managementUrl, auth: { kind: 'bearer', token: '${file:token}' } };
  await edit(i, (file) => Object.assign(file, { arazzo: { sources: { apigee: source } } }));
  const { organization, developer, app, consumerKey } = apigee.seeded;
  const description = await readFile(keysDescription, 'utf8');
  const text = (await readFile(ownDocument, 'utf8')).replace(
    'outputs: { appName:',
    'onFailure: [{ name: later, type: retry, retryAfter: 0.5 }]\n        outputs: { appName:',
  );
  const start = async (workflowId: string, document: string): Promise<WorkflowHandle> => {
    const id = `arazzo/${workflowId}/${i.credentialId}`;
    const secrets = { freshKey: 'Fresh-Key-0123456789', freshPart: 'Fresh-Part-0123456789', formerId: consumerKey };
    const sealed: Record<string, unknown> = {};
    for (const [name, value] of Object.entries(secrets)) sealed[name] = await i.vault.arazzo.seal(id, value);
    const inputs = { organization, developer, app, product: 'orders', ...sealed };
    const args = [{ document, sources: { apigee: description }, workflowId, inputs }];
    return i.client.temporal.workflow.start(workflowNames.runArazzo, { workflowId: id, taskQueue: i.taskQueue, args });
  };
  await (await start('main', jumpingDocument)).result();
  apigee.faults.add({ match: { method: 'GET' }, action: 'status', status: 503 });
  apigee.faults.add({ match: createRoute, action: 'drop-after-commit' });
  const run = await start('rotate', text);
  await eventually('it asks', async () => (await run.query<ArazzoState>(queryNames.arazzoState)).unknown);
  await run.executeUpdate(updateNames.resolveStep, { args: [{ stepId: 'make', decision: 'skip' }] });
  await run.result();
}

/** The runs of a story, recorded anew where that is asked for. */
export async function historyOf(name: string): Promise<readonly Recorded[]> {
  const story = stories[name];
  if (story && process.env['KEYTURN_RECORD_HISTORIES'] === '1') await record(name, story);
  return read(next, `${name}.json`);
}

export async function releases(): Promise<readonly string[]> {
  return (await readdir(root)).filter((folder) => folder !== next);
}

export async function historiesOf(release: string): Promise<readonly Recorded[]> {
  const files = await readdir(new URL(`${release}/`, root));
  return (await Promise.all(files.map((file) => read(release, file)))).flat();
}

async function read(release: string, file: string): Promise<readonly Recorded[]> {
  return JSON.parse(await readFile(new URL(`${release}/${file}`, root), 'utf8')) as readonly Recorded[];
}

async function record(name: string, story: Story): Promise<void> {
  const i = await installation(story.options);
  const input = {
    credentialId: i.credentialId,
    ...(story.runs && name === 'continue-as-new' ? { maxEvents: 60 } : {}),
  };
  await i.worker();
  const workflowId = `credential/${i.credentialId}`;
  await i.client.temporal.workflow.start(workflowNames.credential, {
    workflowId,
    taskQueue: i.taskQueue,
    args: [input],
  });
  await story.tell(i);
  const ids = [workflowId, ...(story.others ?? []).map((prefix) => `${prefix}/${i.credentialId}`)];
  const recorded: Recorded[] = [];
  for (const id of ids) {
    for (const runId of await runsOf(i, id, id === workflowId ? (story.runs ?? 1) : 1)) {
      const history = await i.client.temporal.workflow.getHandle(id, runId).fetchHistory();
      recorded.push({ workflowId: id, history: anonymous(JSON.parse(historyToJSON(history))) as Recorded['history'] });
    }
  }
  const text = `${JSON.stringify(recorded)}\n`;
  refuseWhatBelongsNowhere(i, text);
  await writeFile(new URL(`${next}/${name}.json`, root), text);
}

async function runsOf(i: Installation, workflowId: string, atLeast: number): Promise<readonly string[]> {
  return eventually(`visibility has the runs of ${workflowId}`, async () => {
    const runs: { runId: string; startTime: Date }[] = [];
    for await (const run of i.client.temporal.workflow.list({ query: `WorkflowId = '${workflowId}'` })) runs.push(run);
    runs.sort((a, b) => a.startTime.getTime() - b.startTime.getTime());
    return runs.length >= atLeast ? runs.map((r) => r.runId) : null;
  });
}

/** Who recorded it and where is of no interest: process ids, host names, stack traces. */
function anonymous(from: unknown): unknown {
  if (Array.isArray(from)) return from.map(anonymous);
  if (typeof from === 'string') return from.replaceAll(/\d+@[\w.-]+/g, 'worker');
  if (typeof from !== 'object' || from === null) return from;
  const kept = Object.entries(from).filter(([key]) => key !== 'stackTrace');
  return Object.fromEntries(kept.map(([key, inner]) => [key, key === 'identity' ? 'worker' : anonymous(inner)]));
}

function refuseWhatBelongsNowhere(i: Installation, text: string): void {
  const payloads = [...text.matchAll(/"data":"([^"]+)"/g)].map(([, data = '']) =>
    Buffer.from(data, 'base64').toString(),
  );
  const { keys, secretKeys } = i.simulator.oracle({ values: true });
  const secrets = [...keys, ...secretKeys].flatMap((k) => (k.value === undefined ? [] : [k.value]));
  const { directory } = i;
  const unwanted = { value: secrets, host: [`@${hostname()}`], path: [process.cwd(), directory] };
  const found = Object.entries(unwanted).filter(([, texts]) =>
    texts.some((u) => [text, ...payloads].some((t) => t.includes(u))),
  );
  if (found.length > 0) throw new Error(`the history holds a ${found.map(([what]) => what).join(', a ')}`);
}
