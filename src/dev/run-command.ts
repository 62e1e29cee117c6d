import { spawn } from 'node:child_process';

const keptOutputChars = 4_000;

/** How a command is run. All times in milliseconds. */
export interface CommandOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** The command is ended after this time whatever it does. */
  readonly timeoutMs: number;
  /** The command is ended when it has neither printed anything nor changed `progress()` for this long. */
  readonly quietMs?: number;
  readonly progress?: () => Promise<number>;
}

/**
 * Runs a command to its end and returns what it printed on stdout.
 * @throws Error with the end of what it printed on stderr when it cannot be started, fails, or is ended for taking too long
 */
export async function runCommand(file: string, args: readonly string[], options: CommandOptions): Promise<string> {
  const { promise, resolve, reject } = deferred<string>();
  const child = spawn(file, args, { cwd: options.cwd, env: options.env, stdio: ['pipe', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  let ended: string | undefined;
  let activityAtMs = performance.now();
  const end = (reason: string): void => {
    ended ??= reason;
    child.kill('SIGTERM');
  };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    activityAtMs = performance.now();
    stdout = (stdout + text).slice(-keptOutputChars);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    activityAtMs = performance.now();
    stderr = (stderr + text).slice(-keptOutputChars);
  });
  child.stdin.on('error', () => end('its input was closed'));

  const limit = setTimeout(() => end(`gave up after ${seconds(options.timeoutMs)}`), options.timeoutMs);
  const quietMs = options.quietMs;
  const watch = quietMs === undefined ? undefined : setInterval(() => void look(quietMs), Math.min(1_000, quietMs));
  let progressSeen = 0;
  const look = async (allowedMs: number): Promise<void> => {
    const progress = (await options.progress?.()) ?? 0;
    if (progress !== progressSeen) {
      progressSeen = progress;
      activityAtMs = performance.now();
    }
    if (performance.now() - activityAtMs >= allowedMs) end(`no progress for ${seconds(allowedMs)}`);
  };

  child.on('error', (error) => reject(new Error(`${file} could not be started: ${error.message}`)));
  child.on('close', (code, signal) => {
    if (ended === undefined && code === 0) return resolve(stdout);
    const why = ended ?? (code === null ? `ended by ${signal ?? 'a signal'}` : `exit code ${code}`);
    reject(new Error([why, lastLines(stderr)].filter((part) => part !== '').join(': ')));
  });
  try {
    return await promise;
  } finally {
    clearTimeout(limit);
    clearInterval(watch);
  }
}

function lastLines(text: string): string {
  return text.trim().split('\n').slice(-3).join(' / ');
}

function seconds(ms: number): string {
  return `${Math.round(ms / 100) / 10} s`;
}

function deferred<T>(): {
  promise: Promise<T>;
  resolve: (value: T) => void;
  reject: (error: Error) => void;
} {
  let resolve: (value: T) => void = () => undefined;
  let reject: (error: Error) => void = () => undefined;
  const promise = new Promise<T>((onValue, onError) => {
    resolve = onValue;
    reject = onError;
  });
  return { promise, resolve, reject };
}
