/** Workers in processes of their own, that can be killed, frozen and woken. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { onTestFinished as onThisTestFinished } from 'vitest';
import type { Home } from './installation.js';

/** A point at which the worker stops itself, once per installation. `before` and `after` mean the write to the store. */
export type Point =
  | 'plan'
  | 'persist'
  | 'retire'
  | `${'before' | 'after'}-${'intent' | 'key' | 'verdict' | 'publish' | 'revoking' | 'held' | 'death'}`;

export interface WorkerProcess {
  readonly pid: number;
  /** Settles with the signal that ended it. */
  readonly ended: Promise<NodeJS.Signals | null>;
  /** Settles when it is frozen by SIGSTOP. */
  frozen(): Promise<void>;
  /** Settles when, after SIGCONT, it has nothing in hand any more. */
  readonly quiet: Promise<void>;
  kill(signal: NodeJS.Signals): void;
}

export interface WorkerProcessOptions {
  readonly at?: Point;
  readonly signal?: 'SIGKILL' | 'SIGSTOP';
  /** Default: the address of the configuration. */
  readonly address?: string;
  /** Beside the test's own. */
  readonly env?: Readonly<Record<string, string>>;
  readonly onTestFinished?: typeof onThisTestFinished;
}

const script = fileURLToPath(new URL('./crash-worker.mjs', import.meta.url));

/** Resolves when it polls. */
export async function workerProcess(
  i: Pick<Home, 'directory' | 'configFile'>,
  options: WorkerProcessOptions = {},
): Promise<WorkerProcess> {
  const { at, signal = 'SIGKILL', env = {}, onTestFinished = onThisTestFinished } = options;
  const marker = join(i.directory, 'struck');
  return spawnWorker(
    script,
    { configFile: i.configFile, address: options.address, at, signal, marker },
    onTestFinished,
    env,
  );
}

/** Runs a script that prints `polling` when it polls and, after SIGCONT, `quiet`. Killed when the test has ended. */
export async function spawnWorker(
  path: string,
  argument: object,
  onTestFinished: (cleanup: () => Promise<void>) => void,
  env: NodeJS.ProcessEnv = {},
): Promise<WorkerProcess> {
  const child = spawn(process.execPath, [path, JSON.stringify(argument)], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  const ended = once(child, 'exit').then(([, by]) => by as NodeJS.Signals | null);
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-4_000)));
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  const lines = createInterface({ input: child.stdout });
  const says = (word: string): Promise<void> =>
    new Promise((resolve) => lines.on('line', (line) => (line === word ? resolve() : undefined)));
  const quiet = says('quiet');
  const gone = ended.then(() => Promise.reject(new Error(`the worker ended before it polled:\n${said}`)));
  await Promise.race([says('polling'), gone]);
  gone.catch(() => undefined);
  const { pid } = child;
  if (pid === undefined) throw new Error('the worker has no process id');
  return { pid, ended, quiet, frozen: () => untilStopped(pid), kill: (by) => void child.kill(by) };
}

/** Linux tells a stopped process as state T; of one that is gone it tells nothing, which is an error. */
async function untilStopped(pid: number): Promise<void> {
  while (!/^State:\s+T/m.test(await readFile(`/proc/${pid}/status`, 'utf8')))
    await new Promise((resolve) => setTimeout(resolve, 20));
}
