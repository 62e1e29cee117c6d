// A whole installation in a temporary folder, with worker and HTTP server in this process.
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import pino from 'pino';
import { stringify } from 'yaml';
import { KeyturnClient } from '../dist/client.js';
import { openVault, sealFirstKey } from '../dist/compose.js';
import { loadConfig, resolveSecret } from '../dist/config.js';
import { createKeyFile } from '../dist/custody/key-file.js';
import { Secret } from '../dist/domain/secret.js';
import { startServer } from '../dist/http/server.js';
import { startMambuSimulator } from '../dist/simulators/mambu/index.js';
import { createServerMetrics } from '../dist/telemetry/metrics.js';
import { temporalTarget } from '../dist/temporal.js';
import { startWorker } from '../dist/worker.js';

let counter = 0;

export async function openBenchInstallation(temporal, policy, { worker: withWorker = true, timing } = {}) {
  const credentialId = `bench-${(counter += 1)}`;
  const directory = await mkdtemp(join(tmpdir(), 'keyturn-bench-'));
  const simulator = await startMambuSimulator();
  const [seeded] = simulator.seeded;
  const configFile = join(directory, 'keyturn.yaml');
  await writeFile(join(directory, 'webhook-secret'), 'bench', { mode: 0o600 });
  await writeFile(
    configFile,
    stringify({
      version: 1,
      temporal: { address: temporal.address, namespace: temporal.namespace, taskQueue: `keyturn-${credentialId}` },
      store: { kind: 'file', path: 'store', keyFile: 'key' },
      server: { listen: '127.0.0.1:0' },
      webhooks: { mambu: { auth: { kind: 'header', name: 'x-secret', value: '${file:webhook-secret}' } } },
      ...(timing ? { timing } : {}),
      credentials: {
        [credentialId]: {
          provider: 'mambu',
          mambu: {
            baseUrl: simulator.baseUrl,
            consumerId: seeded.consumerId,
            strategy: 'create-and-delete',
            keyTtl: '30d',
          },
          policy: { grace: '20m', refreshWithin: '5m', minInterval: '0s', ...policy },
        },
      },
    }),
  );
  await createKeyFile(join(directory, 'key'));
  const config = await loadConfig(configFile);
  const vault = await openVault(config);
  const fields = { apiKey: new Secret(seeded.apiKey), secretKey: new Secret(seeded.secretKey) };
  await sealFirstKey(vault, config.credentials.get(credentialId), { keyId: seeded.keyId, fields });
  const target = temporalTarget(config, { ignoreAmbient: true });
  const client = await KeyturnClient.connect({
    connection: target.connection,
    namespace: target.namespace,
    taskQueue: config.temporal.taskQueue,
  });
  const worker = withWorker ? await startWorker({ config, target, vault }) : null;
  const log = pino({ level: 'silent' });
  const server = await startServer({
    config,
    resolveSecret,
    client,
    log,
    storeReady: async () => true,
    metrics: createServerMetrics(),
  });
  let version = 1;

  async function webhook() {
    const headers = {
      apiConsumerId: seeded.consumerId,
      'x-secret': 'bench',
      'content-type': 'application/json',
      'x-notifications-idempotency-key': randomUUID(),
    };
    const started = performance.now();
    const answer = await fetch(server.webhookUrl, { method: 'POST', headers, body: '{}' });
    await answer.text();
    if (answer.status !== 202) throw new Error(`the webhook was answered ${answer.status}`);
    return performance.now() - started;
  }

  return {
    configFile,
    credentialId,
    client,
    simulator,
    webhook,
    async record() {
      const opened = await vault.custody.read(credentialId);
      return opened.record;
    },
    /** From the webhook to the published key, ms; resolves when the old one is gone. */
    async rotate() {
      const started = performance.now();
      await webhook();
      version += 1;
      await until((s) => s.current?.version === version && s.rotation === null);
      const took = performance.now() - started;
      await until((s) => s.previous.length === 0 && s.status === 'idle');
      return took;
    },
    async history() {
      const { historyLength, historySize } = await client.handle(credentialId).describe();
      return { events: historyLength, bytes: historySize };
    },
    async close() {
      await server.close();
      await worker?.stop();
      await client
        .handle(credentialId)
        .terminate('bench')
        .catch(() => undefined);
      await client.close();
      await vault.close();
      await simulator.close();
      await rm(directory, { recursive: true, force: true });
    },
  };

  async function until(holds) {
    const deadline = Date.now() + 30_000;
    while (Date.now() < deadline) {
      const state = await client.state(credentialId).catch(() => null);
      if (state && holds(state)) return;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    throw new Error('the rotation does not end');
  }
}
