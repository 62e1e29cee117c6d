/** The demo: everything on this machine, in a temporary folder; one Mambu key is rotated by a webhook while a consumer goes on calling. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { KeyturnClient } from '../client.js';
import { openVault, sealFirstKey, type Vault } from '../compose.js';
import { loadConfig, resolveSecret, type Config } from '../config.js';
import {
  credentialWorkflowId,
  queryNames,
  searchAttributes,
  workflowNames,
  type CredentialState,
  type MakeApiRequestOutput,
  type RetrievedConfiguration,
} from '../contract.js';
import { createKeyFile } from '../custody/key-file.js';
import { KeyturnError } from '../domain/errors.js';
import { Secret } from '../domain/secret.js';
import { startServer } from '../http/server.js';
import { sendWebhook, startMambuSimulator, type MambuSimulator } from '../simulators/mambu/index.js';
import { createServerMetrics } from '../telemetry/metrics.js';
import type { Logger } from '../telemetry/log.js';
import { temporalTarget } from '../temporal.js';
import { startWorker } from '../worker.js';
import { withoutAmbientTemporal } from './ambient-temporal.js';
import { demoConfig } from './demo-config.js';
import { Overlap } from './overlap.js';
import { ensureTemporalBinary } from './temporal-binary.js';
import { startTemporalServer, type TemporalServer } from './temporal-server.js';

export interface DemoOptions {
  /** Progress while the set-up runs. */
  readonly progress: (line: string) => void;
  /** The story. */
  readonly say: (line: string) => void;
  readonly log: Logger;
  readonly signal: AbortSignal;
  readonly keep: boolean;
}

export interface DemoResult {
  readonly credentialId: string;
  readonly version: number;
  readonly keyId: string;
  readonly consumerCalls: number;
  readonly consumerFailures: number;
  readonly gapMs: number;
  readonly keysAlive: number;
  readonly strikes: number;
}

const CREDENTIAL = 'core-demo';
const run = promisify(execFile);

/** @throws Error when the rotation does not end as it should */
export async function runDemo(options: DemoOptions): Promise<DemoResult> {
  const undo: (() => Promise<unknown>)[] = [];
  const later = <T>(value: T, end: (value: T) => Promise<unknown>): T => {
    undo.unshift(() => end(value));
    return value;
  };
  try {
    const { path: binary } = await ensureTemporalBinary({ log: options.progress });
    const directory = later(await mkdtemp(join(tmpdir(), 'keyturn-demo-')), (d) =>
      rm(d, { recursive: true, force: true }),
    );
    const [temporal, simulator] = await Promise.all([
      startTemporalServer({ binary, ui: true, searchAttributes }).then((s) => later(s, () => s.stop())),
      startMambuSimulator().then((s) => later(s, () => s.close())),
    ]);
    return await rotateOnce(options, { binary, directory, temporal, simulator, later });
  } finally {
    for (const end of undo) await end();
  }
}

interface Stage {
  readonly binary: string;
  readonly directory: string;
  readonly temporal: TemporalServer;
  readonly simulator: MambuSimulator;
  readonly later: <T>(value: T, end: (value: T) => Promise<unknown>) => T;
}

async function rotateOnce(options: DemoOptions, stage: Stage): Promise<DemoResult> {
  const { say } = options;
  const { temporal, simulator, later } = stage;
  const seeded = simulator.seeded[0];
  if (!seeded) throw new Error('the simulator has no consumer');
  const webhookSecret = randomBytes(16).toString('hex');
  await writeFile(join(stage.directory, 'webhook-secret'), webhookSecret, { mode: 0o600 });
  await writeFile(
    join(stage.directory, 'keyturn.yaml'),
    demoConfig({ temporal, simulator, consumerId: seeded.consumerId, credentialId: CREDENTIAL }),
  );
  await createKeyFile(join(stage.directory, 'key'));
  const config = await loadConfig(join(stage.directory, 'keyturn.yaml'));
  const vault = later(await openVault(config), (v) => v.close());
  await importKey(vault, config, seeded);
  const target = temporalTarget(config, { ignoreAmbient: true });
  const client = later(
    await KeyturnClient.connect({
      connection: { address: target.address },
      namespace: target.namespace,
      installationId: await vault.custody.installationId(),
    }),
    (c) => c.close(),
  );
  later(await startWorker({ config, target, vault }), (w) => w.stop());
  await client.ensureStarted(CREDENTIAL);
  const server = later(
    await startServer({
      config,
      resolveSecret,
      client,
      log: options.log,
      storeReady: () => Promise.resolve(true),
      metrics: createServerMetrics(),
    }),
    (s) => s.close(),
  );
  say(
    `Temporal    ${temporal.address}   UI ${temporal.uiUrl ?? ''}/namespaces/default/workflows/${encodeURIComponent(credentialWorkflowId(CREDENTIAL))}`,
  );
  say(`Mambu       ${simulator.baseUrl} (simulator)`);
  say(`keyturn     ${server.url} (status page)   webhook ${server.webhookUrl}`);
  say('');
  const started = await until(client, options.signal, (s) => s.current?.version === 1);
  say(`version 1 is current: key ${started.current?.keyId ?? ''} (imported)`);

  const overlap = new Overlap(vault, CREDENTIAL, simulator.baseUrl);
  later(overlap, (o) => o.stop());
  overlap.start();
  const [delivery] = await sendWebhook({
    to: server.webhookUrl,
    consumerId: seeded.consumerId,
    headers: { 'x-keyturn-secret': webhookSecret },
  });
  if (!delivery?.delivered) throw new Error(`the webhook was answered ${delivery?.status ?? 'not at all'}`);
  say(`end-of-day webhook answered ${delivery.status} in ${Math.round(delivery.attempts.at(-1)?.durationMs ?? 0)} ms`);
  const published = await follow(client, options, (s) => s.current?.version === 2 && s.rotation === null);
  say(
    `version 2 is current: key ${published.current?.keyId ?? ''}, verified ${published.current?.verifiedAt ?? 'never'}`,
  );
  say(`version 1 lives until ${published.previous[0]?.revokeAt ?? '?'}, so that every consumer can follow`);
  await showTheSameTruth(stage, client, server.url, say);
  const done = await until(client, options.signal, (s) => s.previous.length === 0, 60_000);
  await overlap.settle();
  say('');
  for (const line of overlap.picture()) say(line);
  say('');
  const result = judge(stage.simulator, overlap, done);
  say(
    `version 1 is dead, and that is proven; ${result.keysAlive} key alive at Mambu, ${result.strikes} invalid-credential calls`,
  );
  say(
    `a consumer made ${result.consumerCalls} calls meanwhile: ${result.consumerFailures} failed, gap ${result.gapMs} ms`,
  );
  if (options.keep) {
    say('');
    say(`everything stays up until Ctrl-C; try:  curl ${server.url}/api/credentials/${CREDENTIAL}`);
    await new Promise<void>((resolve) => options.signal.addEventListener('abort', () => resolve(), { once: true }));
  }
  return result;
}

async function importKey(vault: Vault, config: Config, seeded: MambuSimulator['seeded'][number]): Promise<void> {
  const credential = config.credentials.get(CREDENTIAL);
  if (!credential) throw new KeyturnError('KT-INTERNAL', 'the demo has no credential');
  const fields = { apiKey: new Secret(seeded.apiKey), secretKey: new Secret(seeded.secretKey) };
  await sealFirstKey(vault, credential, { keyId: seeded.keyId, fields });
}

async function until(
  client: KeyturnClient,
  signal: AbortSignal,
  holds: (s: CredentialState) => boolean,
  withinMs = 30_000,
): Promise<CredentialState> {
  const deadlineMs = Date.now() + withinMs;
  for (;;) {
    signal.throwIfAborted();
    const state = await client.state(CREDENTIAL);
    if (holds(state)) return state;
    if (Date.now() > deadlineMs)
      throw new KeyturnError('KT-INTERNAL', `the demo does not get on: ${JSON.stringify(state)}`);
    await sleep(40);
  }
}

/** Says each step as the query shows it. */
async function follow(
  client: KeyturnClient,
  options: DemoOptions,
  holds: (s: CredentialState) => boolean,
): Promise<CredentialState> {
  let step = '';
  const state = await until(client, options.signal, (s) => {
    if (s.rotation && s.rotation.step !== step) {
      step = s.rotation.step;
      options.progress(`step ${step}`);
    }
    return holds(s);
  });
  const steps = state.lastRotation?.steps ?? [];
  options.say(
    `steps: ${steps.map((s) => `${s.step} ${Date.parse(s.endedAt) - Date.parse(s.startedAt)} ms`).join(' · ')}`,
  );
  return state;
}

/** Temporal's CLI, keyturn's API and a child workflow name the same version. */
async function showTheSameTruth(
  stage: Stage,
  client: KeyturnClient,
  url: string,
  say: DemoOptions['say'],
): Promise<void> {
  const args = [
    'workflow',
    'query',
    '-w',
    credentialWorkflowId(CREDENTIAL),
    '--name',
    queryNames.credentialState,
    '--address',
    stage.temporal.address,
    '-o',
    'json',
  ];
  const { stdout } = await run(stage.binary, args, { env: withoutAmbientTemporal(process.env) });
  const { queryResult } = JSON.parse(stdout) as { queryResult: CredentialState[] };
  const api = (await (await fetch(`${url}/api/credentials/${CREDENTIAL}`)).json()) as { data: CredentialState };
  const options = { taskQueue: client.taskQueue, workflowId: `demo/configuration` };
  const known = (await client.temporal.workflow.execute(workflowNames.retrieveConfiguration, {
    ...options,
    args: [{ credentialId: CREDENTIAL }],
  })) as RetrievedConfiguration;
  const call = (await client.temporal.workflow.execute(workflowNames.makeApiRequest, {
    ...options,
    workflowId: 'demo/call',
    args: [{ credentialId: CREDENTIAL, path: '/branches?limit=1' }],
  })) as MakeApiRequestOutput;
  say('');
  say(`temporal workflow query      current version ${queryResult[0]?.current?.version ?? '?'}`);
  say(`GET /api/credentials/…       current version ${api.data.current?.version ?? '?'}`);
  say(`retrieveConfiguration        current version ${known.version}, base URL ${known.baseUrl}`);
  say(`makeApiRequest GET /branches answered ${call.status}`);
}

function judge(simulator: MambuSimulator, overlap: Overlap, state: CredentialState): DemoResult {
  const oracle = simulator.oracle();
  const alive = oracle.keys.filter((k) => k.deletedAt === null && (k.diesAt === null || k.diesAt > oracle.now));
  const result = {
    credentialId: CREDENTIAL,
    version: state.current?.version ?? 0,
    keyId: state.current?.keyId ?? '',
    consumerCalls: overlap.calls,
    consumerFailures: overlap.failures,
    gapMs: overlap.gapMs,
    keysAlive: alive.length,
    strikes: oracle.strikes.total,
  };
  if (result.consumerFailures > 0 || result.keysAlive !== 1 || result.strikes > 0 || result.version !== 2) {
    throw new KeyturnError('KT-INTERNAL', `the demo did not end as promised: ${JSON.stringify(result)}`);
  }
  return result;
}
