import { spawn } from 'node:child_process';
import { Socket } from 'node:net';
import { createInterface } from 'node:readline';

/** How long the guarded process may take to end after SIGTERM before it is killed. */
const endWithinMs = 3_000;
const keptOutputChars = 8_000;

/**
 * The guard runs as a process of its own, in a session of its own, and holds the read end of a pipe whose write end only
 * the parent has: however the parent ends (exit, crash, SIGKILL), the pipe closes and the guard ends what it started.
 */
const guard = `
  const { spawn } = require('node:child_process');
  const [endWithinMs, file, ...args] = process.argv.slice(1);
  process.stdout.on('error', () => {});
  const say = (message, done) => process.stdout.write(JSON.stringify(message) + '\\n', done);
  const child = spawn(file, args, { stdio: ['ignore', 2, 2] });
  const end = () => {
    child.kill('SIGTERM');
    setTimeout(() => child.kill('SIGKILL'), Number(endWithinMs));
  };
  child.on('spawn', () => say({ pid: child.pid }));
  child.on('error', (error) => say({ ended: error.message }, () => process.exit(1)));
  child.on('exit', (code, signal) => say({ ended: signal ?? 'exit code ' + code }, () => process.exit(0)));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, end);
  process.stdin.on('end', end).on('error', end).resume();
`;

export interface GuardedProcess {
  /** Pid of the process itself, not of its guard. */
  readonly pid: number;
  /** Settles when the process is gone, with how it ended, for example `SIGKILL` or `exit code 1`. */
  readonly ended: Promise<string>;
  /** The end of what it printed so far on stdout and stderr. */
  readonly output: () => string;
  /** SIGTERM, and SIGKILL after 3 s; settles when the process is gone. */
  readonly stop: () => Promise<void>;
  readonly kill: (signal: NodeJS.Signals) => void;
}

/**
 * Starts a process that cannot outlive this one. It does not keep this process from ending.
 * @throws Error when it cannot be started
 */
export async function startGuarded(
  file: string,
  args: readonly string[],
  options: { env: NodeJS.ProcessEnv; onLine?: (line: string) => void },
): Promise<GuardedProcess> {
  const child = spawn(process.execPath, ['-e', guard, String(endWithinMs), file, ...args], {
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...options.env, NODE_OPTIONS: undefined },
  });
  child.stdin.on('error', () => undefined); // the guard is gone; `ended` tells
  let output = '';
  let isGone = false;
  createInterface({ input: child.stderr }).on('line', (line) => {
    output = `${output}${line}\n`.slice(-keptOutputChars);
    options.onLine?.(line);
  });
  const reports = createInterface({ input: child.stdout });
  let reason = 'its guard ended';
  const started = new Promise<number>((resolve, reject) => {
    reports.on('line', (line) => {
      const report = JSON.parse(line) as { pid: number } | { ended: string };
      if ('pid' in report) resolve(report.pid);
      else reason = report.ended;
    });
    child.on('error', reject);
    child.on('close', () => reject(new Error(`${file} could not be started: ${reason}`)));
  });
  const ended = new Promise<string>((resolve) => {
    child.on('close', () => {
      isGone = true;
      resolve(reason);
    });
  });
  const pid = await started;
  child.unref();
  for (const stream of child.stdio) if (stream instanceof Socket) stream.unref();
  return {
    pid,
    ended,
    output: () => output.trim(),
    stop: async () => {
      child.ref();
      child.stdin.end();
      await ended;
    },
    kill: (signal) => {
      if (!isGone) process.kill(pid, signal);
    },
  };
}
