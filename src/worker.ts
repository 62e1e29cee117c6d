/** The Temporal worker: workflows from the prebuilt bundle, activities over an opened installation. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Client, ScheduleNotFoundError, WorkflowNotFoundError } from '@temporalio/client';
import {
  NativeConnection,
  Worker,
  type WorkerOptions as TemporalWorkerOptions,
  type WorkflowBundleOption,
} from '@temporalio/worker';
import { createActivities } from './activities/index.js';
import type { ActivityDeps, ScheduleFacts } from './activities/deps.js';
import { arazzoDeps, httpClient, liveConfig, openVault, providers, type Vault } from './compose.js';
import type { Config } from './config.js';
import { scheduleId, searchAttributes } from './contract.js';
import { activitiesPerSecond } from './domain/capability.js';
import { KeyturnError } from './domain/errors.js';
import type { TemporalTarget } from './temporal.js';

export interface WorkerOptions {
  readonly config: Config;
  readonly target: TemporalTarget;
  readonly vault?: Vault;
  /** Default: that of the build. */
  readonly workflowBundle?: WorkflowBundleOption;
  /** Workflows run in the caller's own thread, without a limit on their time: for processes with very many workers. Default: false. */
  readonly debugMode?: boolean;
  /** Told when a changed configuration cannot be used; secret-free. */
  readonly onConfigError?: (error: unknown) => void;
}

export interface RunningWorker {
  readonly worker: Worker;
  readonly vault: Vault;
  readonly connection: NativeConnection;
  /** Settles when the worker has stopped; rejects when it failed. */
  readonly done: Promise<void>;
  stop(): Promise<void>;
}

/** A write that was sent has at most one HTTP time-out to come back; then the worker may go. */
const SHUTDOWN_GRACE_MS = 20_000;

/** Resolves when the worker polls. @throws KeyturnError KT-TEMPORAL-UNREACHABLE, KT-KEY-FILE, KT-STORE-UNAVAILABLE */
export async function startWorker(options: WorkerOptions): Promise<RunningWorker> {
  const { config, target } = options;
  const vault = options.vault ?? (await openVault(config));
  const connection = await connect(target);
  const client = new Client({ connection, namespace: target.namespace });
  const http = httpClient();
  const provider = providers();
  const deps: ActivityDeps = {
    custody: vault.custody,
    lockout: vault.lockout,
    provider,
    http,
    arazzo: arazzoDeps(vault),
    clock: Date,
    config: liveConfig(config, options.onConfigError ?? (() => undefined)),
    schedule: (credentialId) => scheduleFacts(client, credentialId),
    searchAttributes: () =>
      config.temporal.searchAttributes === 'off'
        ? Promise.resolve([])
        : knownSearchAttributes(connection, target.namespace),
  };
  const capabilities = [...config.credentials.values()].map((c) => provider(c.provider).capability(c.settings));
  const perSecond = activitiesPerSecond(capabilities);
  const worker = await Worker.create({
    connection,
    namespace: target.namespace,
    taskQueue: config.temporal.taskQueue,
    workflowBundle: options.workflowBundle ?? workflowBundle(),
    debugMode: options.debugMode ?? false,
    activities: createActivities(deps),
    // Held by the server, for all workers of the task queue together.
    ...(perSecond === null ? {} : { maxTaskQueueActivitiesPerSecond: perSecond }),
    ...versioned(config),
    shutdownGraceTime: SHUTDOWN_GRACE_MS,
    // A killed worker's sticky queue holds tasks back for this long (default 10 s).
    stickyQueueScheduleToStartTimeout: '3 seconds',
    maxHeartbeatThrottleInterval: '2 seconds',
    defaultHeartbeatThrottleInterval: '2 seconds',
  });
  const done = runUntilStopped(worker, async () => {
    await connection.close();
    if (!options.vault) await vault.close();
  });
  return {
    worker,
    vault,
    connection,
    done,
    async stop() {
      if (worker.getState() === 'RUNNING') worker.shutdown();
      await done;
    },
  };
}

/** Entities live for years: with the next task they go to the version that is current, and `patched` keeps their history readable. */
function versioned({ worker: { deployment } }: Config): Pick<TemporalWorkerOptions, 'workerDeploymentOptions'> {
  if (deployment === null) return {};
  const version = { deploymentName: deployment.name, buildId: deployment.buildId };
  const defaultVersioningBehavior = 'AUTO_UPGRADE';
  return { workerDeploymentOptions: { useWorkerVersioning: true, version, defaultVersioningBehavior } };
}

async function runUntilStopped(worker: Worker, release: () => Promise<void>): Promise<void> {
  try {
    await worker.run();
  } finally {
    await release();
  }
}

async function connect(target: TemporalTarget): Promise<NativeConnection> {
  try {
    return await NativeConnection.connect(target.connection);
  } catch {
    throw new KeyturnError('KT-TEMPORAL-UNREACHABLE', `no Temporal server answers at ${target.address}`);
  }
}

/** The bundle of the build, beside this file or, where the sources run uncompiled (tests), in dist. */
function workflowBundle(): { codePath: string } {
  const places = ['./workflow-bundle.js', '../dist/workflow-bundle.js'].map((p) =>
    fileURLToPath(new URL(p, import.meta.url)),
  );
  const codePath = places.find((p) => existsSync(p));
  if (!codePath) throw new KeyturnError('KT-INTERNAL', 'the workflow bundle is missing: run `npm run build`');
  return { codePath };
}

async function scheduleFacts(client: Client, credentialId: string): Promise<ScheduleFacts> {
  try {
    const { info, state } = await client.schedule.getHandle(scheduleId(credentialId)).describe();
    const last = info.recentActions.at(-1);
    const lost =
      last?.action.type === 'startWorkflow' && (await endedUnserved(client, last.action.workflow.workflowId));
    return {
      nextMs: state.paused ? null : (info.nextActionTimes[0]?.getTime() ?? null),
      unservedMs: last && lost ? last.scheduledAt.getTime() : null,
    };
  } catch (error) {
    if (error instanceof ScheduleNotFoundError) return { nextMs: null, unservedMs: null };
    throw new KeyturnError('KT-TEMPORAL-UNREACHABLE', 'Temporal does not tell of the Schedule');
  }
}

/** A request that still runs asks again by itself; one that has completed or failed had its answer. */
async function endedUnserved(client: Client, workflowId: string): Promise<boolean> {
  try {
    const { status } = await client.workflow.getHandle(workflowId).describe();
    return ['TIMED_OUT', 'TERMINATED', 'CANCELLED'].includes(status.name);
  } catch (error) {
    // Its retention is over.
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
}

export async function knownSearchAttributes(
  connection: NativeConnection | Client['connection'],
  namespace: string,
): Promise<readonly string[]> {
  const listed = await connection.operatorService.listSearchAttributes({ namespace }).catch(() => null);
  return Object.keys(searchAttributes).filter((name) => listed?.customAttributes?.[name] !== undefined);
}
