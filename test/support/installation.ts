/** A whole installation for one test: folder, configuration, simulator, store with an imported key, client, and a worker in this process. */
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished as onThisTestFinished } from 'vitest';
import { stringify } from 'yaml';
import { KeyturnClient } from '../../src/client.js';
import { openVault, sealFirstKey, type Vault } from '../../src/compose.js';
import { loadConfig, type Config } from '../../src/config.js';
import type { CredentialState } from '../../src/contract.js';
import { createKeyFile } from '../../src/custody/key-file.js';
import { Secret } from '../../src/domain/secret.js';
import type { CredentialValues } from '../../src/providers/provider.js';
import {
  startMambuSimulator,
  type MambuSimulator,
  type MambuSimulatorOptions,
} from '../../src/simulators/mambu/index.js';
import { temporalTarget } from '../../src/temporal.js';
import { startWorker, type RunningWorker, type WorkerOptions } from '../../src/worker.js';
import { pause } from './pause.js';
import { quietRuntime } from './quiet-runtime.js';
import { sharedServer } from './temporal.js';

export interface HomeOptions {
  readonly policy?: Record<string, unknown>;
  readonly timing?: Record<string, string>;
  readonly top?: Record<string, unknown>;
  readonly temporal?: { readonly address: string; readonly namespace: string };
  /** The test context's own, for tests that run concurrently. */
  readonly onTestFinished?: (cleanup: () => void | Promise<void>) => void;
}

export interface InstallationOptions extends HomeOptions {
  readonly strategy?: 'create-and-delete' | 'rotation';
  readonly simulator?: MambuSimulatorOptions;
  readonly mambu?: Record<string, unknown>;
}

/** Waits that are minutes in earnest and need not be here. */
const shortTiming = {
  sendWithin: '2s',
  httpTimeout: '2s',
  skew: '200ms',
  verifyAgainAfter: '1s',
  propagation: '0s',
  settle: '0s',
  observe: '0s',
};
/** The daily comparison could come in the middle of a test. */
const shortPolicy = { grace: '1s', refreshWithin: '1s', minInterval: '0s', activationLag: '0s', reconcile: false };

let counter = 0;

/** What an installation is, whoever the provider. */
export interface Home {
  readonly directory: string;
  readonly configFile: string;
  readonly credentialId: string;
  readonly taskQueue: string;
  readonly client: KeyturnClient;
  readonly vault: Vault;
  config(): Promise<Config>;
  /** Its workflows run in the thread of the tests, unless told otherwise. @param more e.g. other workflows than those of the build */
  worker(more?: Pick<WorkerOptions, 'workflowBundle' | 'debugMode'>): Promise<RunningWorker>;
  state(): Promise<CredentialState>;
  /** Polls the query. Fails with the last state when the deadline passes. */
  until(what: string, holds: (state: CredentialState) => boolean, withinMs?: number): Promise<CredentialState>;
  request(requestId: string, more?: Partial<Parameters<KeyturnClient['requestRotation']>[1]>): Promise<void>;
}

export interface Installation extends Home {
  readonly simulator: MambuSimulator;
}

export async function installation(options: InstallationOptions = {}): Promise<Installation> {
  const { strategy = 'create-and-delete', onTestFinished = onThisTestFinished } = options;
  const simulator = await startMambuSimulator(options.simulator);
  onTestFinished(() => simulator.close());
  const seeded = simulator.seeded[0];
  if (!seeded) throw new Error('the simulator has no consumer');
  const block = {
    baseUrl: simulator.baseUrl,
    consumerId: seeded.consumerId,
    strategy,
    ...(strategy === 'rotation' ? { tenantGrace: '30m' } : {}),
    ...options.mambu,
  };
  const home = await homeOf({ provider: 'mambu', mambu: block }, valuesOf(seeded), options);
  return { ...home, simulator };
}

/** @param credential what stands in keyturn.yaml beside the policy */
export async function homeOf(
  credential: Record<string, unknown>,
  first: CredentialValues,
  options: HomeOptions,
): Promise<Home> {
  const { onTestFinished = onThisTestFinished } = options;
  const server = options.temporal ?? sharedServer();
  const unique = `${process.pid}-${Date.now().toString(36)}-${(counter += 1)}`;
  const credentialId = `core-${unique}`;
  const taskQueue = `keyturn-${unique}`;
  const directory = await mkdtemp(join(tmpdir(), 'keyturn-test-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const configFile = join(directory, 'keyturn.yaml');
  await writeFile(
    configFile,
    stringify({
      version: 1,
      temporal: { address: server.address, namespace: server.namespace, taskQueue },
      store: { kind: 'file', path: 'store', keyFile: 'key' },
      timing: { ...shortTiming, ...options.timing },
      credentials: { [credentialId]: { ...credential, policy: { ...shortPolicy, ...options.policy } } },
      ...options.top,
    }),
  );
  await createKeyFile(join(directory, 'key'));
  const config = await loadConfig(configFile);
  const vault = await openVault(config);
  onTestFinished(() => vault.close());
  await sealFirst(vault, config, credentialId, first);
  const client = await KeyturnClient.connect({
    connection: { address: server.address },
    namespace: server.namespace,
    taskQueue,
  });
  onTestFinished(() => client.close());
  onTestFinished(async () => {
    await client
      .handle(credentialId)
      .terminate('end of test')
      .catch(() => undefined);
  });

  const state = (): Promise<CredentialState> => client.state(credentialId);
  return {
    directory,
    configFile,
    credentialId,
    taskQueue,
    client,
    vault,
    config: () => loadConfig(configFile),
    state,
    async worker(more = {}) {
      quietRuntime();
      const current = await loadConfig(configFile);
      const target = temporalTarget(current, { ignoreAmbient: true });
      const running = await startWorker({ config: current, target, debugMode: true, ...more });
      onTestFinished(() => running.stop());
      return running;
    },
    async until(what, holds, withinMs = 90_000) {
      const since = Date.now();
      let last: CredentialState | undefined;
      while (Date.now() < since + withinMs) {
        last = await state().catch(() => last);
        if (last && holds(last)) return last;
        await pause(since);
      }
      throw new Error(`not reached within ${withinMs} ms: ${what}\n${JSON.stringify(last, null, 2)}`);
    },
    async request(requestId, more = {}) {
      await client.requestRotation(credentialId, { requestId, reason: 'routine', source: 'operator', ...more });
    },
  };
}

type SeededConsumer = Pick<MambuSimulator['seeded'][number], 'keyId' | 'apiKey' | 'secretKey'>;

const valuesOf = ({ keyId, apiKey, secretKey }: SeededConsumer): CredentialValues => ({
  keyId,
  fields: { apiKey: new Secret(apiKey), secretKey: new Secret(secretKey) },
});

/** Seals a key as version 1, as `keyturn import` does. */
export async function importSeeded(
  vault: Vault,
  config: Config,
  credentialId: string,
  seeded: SeededConsumer,
): Promise<void> {
  await sealFirst(vault, config, credentialId, valuesOf(seeded));
}

async function sealFirst(vault: Vault, config: Config, credentialId: string, values: CredentialValues): Promise<void> {
  const entry = config.credentials.get(credentialId);
  if (!entry) throw new Error('the credential is not in the configuration');
  await sealFirstKey(vault, entry, values);
}

export function sha256(value: string): string {
  return createHash('sha256').update(value).digest('hex');
}
