import { readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

const touchEveryMs = 2_000;
const staleAfterMs = 30_000;
const lookAgainMs = 200;

/**
 * Runs `work` while no other process runs its own under the same lock file. The holder writes its pid into the file and
 * touches it every 2 s; a lock of a dead process, or one that was not touched for 30 s, is taken over.
 *
 * This saves a second build, it does not guard correctness: in the worst race two processes work, and as each ends with
 * an atomic rename both are right.
 * @param waiting called once when another process holds the lock
 */
export async function withInstallLock<T>(
  file: string,
  waiting: (pid: number) => void,
  work: () => Promise<T>,
): Promise<T> {
  let told = false;
  while (!(await take(file))) {
    const holder = await liveHolder(file);
    if (holder === undefined) await rm(file, { force: true });
    else if (!told) {
      told = true;
      waiting(holder);
    }
    await sleep(lookAgainMs);
  }
  const touch = setInterval(
    () => void utimes(file, new Date(), new Date()).catch(() => clearInterval(touch)),
    touchEveryMs,
  );
  try {
    return await work();
  } finally {
    clearInterval(touch);
    await rm(file, { force: true });
  }
}

async function take(file: string): Promise<boolean> {
  try {
    await writeFile(file, `${process.pid}\n`, { flag: 'wx' });
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

/** The pid of the process that holds the lock, or undefined when the lock is free or left behind. */
async function liveHolder(file: string): Promise<number | undefined> {
  try {
    const [text, { mtimeMs }] = await Promise.all([readFile(file, 'utf8'), stat(file)]);
    const ageMs = Date.now() - mtimeMs;
    const pid = Number.parseInt(text, 10);
    if (ageMs > staleAfterMs) return undefined;
    // An empty file belongs to a process between creating and writing it.
    return Number.isNaN(pid) || isAlive(pid) ? pid : undefined;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
