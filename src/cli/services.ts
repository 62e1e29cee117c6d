/** The long-running parts, put together: `worker`, `serve`, and `dev` with both. */
import { KeyturnClient } from '../client.js';
import { liveConfig, openVault, type Vault } from '../compose.js';
import { issueText, resolveSecret, type Config } from '../config.js';
import { createScrubber, type Scrubber } from '../custody/scrub.js';
import { attentionOf } from '../domain/attention.js';
import { newLane } from '../domain/lane.js';
import { viewOf } from '../domain/view.js';
import { keepEntitiesRunning } from '../entities.js';
import { startServer } from '../http/server.js';
import { startWorkerEndpoint } from '../http/worker-endpoint.js';
import { ensureSearchAttributes } from '../search-attributes.js';
import { createLogger, temporalLogger, type Logger } from '../telemetry/log.js';
import { createServerMetrics, startCredentialGauges, type GaugedCredential } from '../telemetry/metrics.js';
import { installRuntime } from '../telemetry/runtime.js';
import { temporalTarget, type TemporalTarget } from '../temporal.js';
import { startWorker } from '../worker.js';
import { Runtime } from '@temporalio/worker';
import type { Context } from './run.js';

const GAUGES_EVERY_MS = 15_000;

/** What the services of one process share. */
export interface Host {
  readonly config: Config;
  readonly target: TemporalTarget;
  readonly vault: Vault;
  readonly client: KeyturnClient;
  readonly log: Logger;
  /** Prometheus text of Temporal's runtime, on loopback; null where nobody asks for it. */
  readonly metricsUrl: string | null;
  close(): Promise<void>;
}

export interface Service {
  /** One line for stderr. */
  readonly says: string;
  /** Settles when it has ended by itself; rejects when it failed. */
  readonly done: Promise<void>;
  stop(): Promise<void>;
}

/** @throws KeyturnError for whatever of configuration, key file, store and Temporal cannot be had */
export async function openHost(context: Context, config: Config, target = targetOf(context, config)): Promise<Host> {
  for (const warning of config.warnings) context.out.warn(issueText(config.file, warning));
  const scrubber: Scrubber = createScrubber();
  const log = createLogger({ level: 'info', scrubber });
  const { metricsUrl } = await installRuntime(temporalLogger(log), config.worker.listen !== null);
  const vault = await openVault(config, scrubber);
  const { connection, namespace } = target;
  const installationId = await vault.custody.installationId();
  const { taskQueue } = config.temporal;
  const client = await KeyturnClient.connect({ connection, namespace, taskQueue, installationId });
  const close = async (): Promise<void> => {
    await client.close();
    await vault.close();
  };
  return { config, target, vault, client, log, metricsUrl, close };
}

export function targetOf(context: Context, config: Config): TemporalTarget {
  const { address, namespace } = context.globals;
  return temporalTarget(config, { ...(address ? { address } : {}), ...(namespace ? { namespace } : {}) });
}

export async function workerService(host: Host): Promise<Service> {
  const { config, target, vault, client, log } = host;
  const { searchAttributes: mode } = config.temporal;
  await ensureSearchAttributes(client.temporal.connection, target.namespace, mode, (line) => log.info(line));
  // Once read, the file is followed: a credential that is added later has its entity and its gauges, too.
  const live = liveConfig(config, () => undefined);
  const running = await startWorker({
    config,
    target,
    vault,
    onConfigError: (error) =>
      log.error(
        { reason: error instanceof Error ? error.message : 'unknown' },
        'the changed configuration cannot be used; the last good one still counts',
      ),
  });
  const stopKeeping = keepEntitiesRunning(client, live, (credentialId, event) =>
    log.info({ credentialId }, `entity ${event}`),
  );
  const gauges = startCredentialGauges({
    list: async () => gauged(host, await live()),
    intervalMs: GAUGES_EVERY_MS,
    meter: Runtime.instance().metricMeter,
    onError: () => log.warn('the store could not be read for the metrics'),
  });
  const endpoint = config.worker.listen
    ? await startWorkerEndpoint({
        listen: config.worker.listen,
        metricsUrl: host.metricsUrl,
        log,
        ready: () =>
          vault.custody.list().then(
            () => running.worker.getState() === 'RUNNING',
            () => false,
          ),
      })
    : null;
  return {
    says: `keyturn worker polls task queue ${config.temporal.taskQueue} of ${target.namespace} at ${target.address}`,
    done: running.done,
    async stop() {
      stopKeeping();
      await gauges.close();
      await endpoint?.close();
      await running.stop();
    },
  };
}

async function gauged({ vault }: Host, config: Config): Promise<GaugedCredential[]> {
  const found: GaugedCredential[] = [];
  for (const [credentialId, { policy, baseUrl }] of config.credentials) {
    const opened = await vault.custody.read(credentialId);
    if (!opened) continue;
    const { used, reserved, limit, asOfMs } = await vault.lockout.view({ baseUrl, egress: config.worker.egress });
    const lockout = { used, reserved, limit, asOfMs };
    const lane = { ...newLane(credentialId), view: viewOf(opened.record, lockout), policy };
    found.push({ record: opened.record, lockout, attention: attentionOf(lane, Date.now()).length });
  }
  return found;
}

/** @param besideWorker the worker of the same process keeps the entities running */
export async function serverService(host: Host, { besideWorker = false } = {}): Promise<Service> {
  const { config, vault, client, log } = host;
  const storeReady = (): Promise<boolean> =>
    vault.custody.list().then(
      () => true,
      () => false,
    );
  const server = await startServer({
    config,
    resolveSecret: scrubbed(vault),
    client,
    log,
    storeReady,
    metrics: createServerMetrics(),
  });
  const stopKeeping = besideWorker
    ? (): void => undefined
    : keepEntitiesRunning(
        client,
        () => Promise.resolve(config),
        (credentialId, event) => log.info({ credentialId }, `entity ${event}`),
      );
  return {
    says: `keyturn serves ${server.url}, webhooks at ${server.webhookUrl}`,
    done: new Promise(() => undefined),
    async stop() {
      stopKeeping();
      await server.close();
    },
  };
}

/** What the configuration refers to must not show up in a log either. */
function scrubbed({ scrubber }: Vault): typeof resolveSecret {
  return async (ref, place) => {
    const secret = await resolveSecret(ref, place);
    scrubber.add(secret);
    return secret;
  };
}

/** Until a signal, or until one of them fails. */
export async function runServices(context: Context, services: readonly Service[]): Promise<void> {
  for (const { says } of services) context.out.say(says);
  const aborted = new Promise<void>((resolve) => {
    if (context.signal.aborted) resolve();
    context.signal.addEventListener('abort', () => resolve(), { once: true });
  });
  try {
    await Promise.race([aborted, ...services.map((s) => s.done)]);
  } finally {
    for (const service of services.toReversed()) await service.stop();
  }
}
