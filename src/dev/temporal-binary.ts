import { access, constants, mkdir, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { KeyturnError } from '../domain/errors.js';
import { withInstallLock } from './install-lock.js';
import { downloadTemporal } from './temporal-download.js';
import { buildTemporal } from './temporal-go-build.js';
import { checkTemporalCli, temporalCliVersion } from './temporal-version.js';

const executable = process.platform === 'win32' ? 'temporal.exe' : 'temporal';

export interface TemporalBinary {
  readonly path: string;
  readonly source: 'path' | 'cache' | 'download' | 'go-build';
}

/** A way to get a binary that is not there yet: writes it to `target` or throws an Error that says why not. */
export interface BinaryMaker {
  readonly source: 'download' | 'go-build';
  readonly what: string;
  make(target: string, env: NodeJS.ProcessEnv, log: (line: string) => void): Promise<void>;
}

const makers: readonly BinaryMaker[] = [
  { source: 'download', what: 'download by the Temporal SDK', make: downloadTemporal },
  { source: 'go-build', what: 'build with Go', make: buildTemporal },
];

/**
 * Finds the Temporal CLI, whose dev server the demo, `keyturn dev` and the tests run: on PATH, else in the user's cache,
 * else downloaded by Temporal's SDK, else built with Go; the last two end in the cache. Safe when several processes ask
 * at once: one makes it, the others wait.
 * @param log is given a line for everything that takes long
 * @param surroundings the environment and the makers; tests give their own
 * @throws KeyturnError KT-TEMPORAL-UNREACHABLE listing everything that was tried, with the mend
 */
export async function ensureTemporalBinary(
  { log }: { log: (line: string) => void },
  surroundings: { env?: NodeJS.ProcessEnv; makers?: readonly BinaryMaker[] } = {},
): Promise<TemporalBinary> {
  const env = surroundings.env ?? process.env;
  const tried: string[] = [];
  const attempt = async <T>(what: string, work: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await work();
    } catch (error) {
      tried.push(`${what}: ${error instanceof Error ? error.message : String(error)}`);
      return undefined;
    }
  };

  const onPath = await findOnPath(env);
  if (onPath === undefined) tried.push('temporal on PATH: not found');
  else if (await attempt(`temporal on PATH (${onPath})`, () => checkTemporalCli(onPath, env))) {
    return { path: onPath, source: 'path' };
  } else log(`passing over ${tried.at(-1) ?? onPath}`);

  const cached = cachedBinaryPath(env);
  if (await exists(cached)) {
    if (await attempt(`cached binary (${cached})`, () => checkTemporalCli(cached, env))) {
      return { path: cached, source: 'cache' };
    }
  } else tried.push(`cached binary (${cached}): not there yet`);

  const made = await attempt(`cache folder ${dirname(cached)}`, async () => {
    await mkdir(dirname(cached), { recursive: true });
    const waiting = (pid: number): void => log(`waiting for process ${pid}, which is getting the Temporal server …`);
    return withInstallLock(`${cached}.lock`, waiting, async (): Promise<TemporalBinary | undefined> => {
      if (await isUsable(cached, env)) return { path: cached, source: 'cache' };
      for (const maker of surroundings.makers ?? makers) {
        const path = await attempt(maker.what, () => makeInto(cached, maker, env, log));
        if (path !== undefined) return { path, source: maker.source };
        log(`no Temporal server by ${tried.at(-1) ?? maker.what}`);
      }
      return undefined;
    });
  });
  if (made !== undefined) return made;
  throw new KeyturnError('KT-TEMPORAL-UNREACHABLE', `no Temporal server binary; tried:\n${bulleted(tried)}`, {
    hint:
      'Put the Temporal CLI (>= 1.5) on PATH (https://docs.temporal.io/cli/setup-cli), or Go (>= 1.26.4), or allow ' +
      `access to temporal.download; a writable cache folder is needed (${dirname(cached)}; XDG_CACHE_HOME moves it).`,
  });
}

/** Where the CLI is kept for this user: `<cache folder>/keyturn/temporal/<version>/temporal`. */
export function cachedBinaryPath(env: NodeJS.ProcessEnv): string {
  return join(userCacheFolder(env), 'keyturn', 'temporal', temporalCliVersion, executable);
}

function userCacheFolder(env: NodeJS.ProcessEnv): string {
  if (env['XDG_CACHE_HOME']) return env['XDG_CACHE_HOME'];
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Caches');
  if (process.platform === 'win32' && env['LOCALAPPDATA']) return env['LOCALAPPDATA'];
  return join(homedir(), '.cache');
}

async function makeInto(
  cached: string,
  maker: BinaryMaker,
  env: NodeJS.ProcessEnv,
  log: (line: string) => void,
): Promise<string> {
  const target = `${cached}.${process.pid}.tmp`;
  try {
    await maker.make(target, env, log);
    await checkTemporalCli(target, env);
    await rename(target, cached);
    return cached;
  } finally {
    await rm(target, { force: true });
  }
}

async function findOnPath(env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const candidates = (env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  for (const path of candidates.map((folder) => resolve(folder, executable))) {
    if (await exists(path)) return path;
  }
  return undefined;
}

async function exists(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

async function isUsable(path: string, env: NodeJS.ProcessEnv): Promise<boolean> {
  return checkTemporalCli(path, env).then(
    () => true,
    () => false,
  );
}

function bulleted(lines: readonly string[]): string {
  return lines.map((line) => `  - ${line}`).join('\n');
}
