/** A file system of a few hundred kilobytes, which can be full and read-only in earnest. Needs root, or sudo without a password. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, rmdir, statfs, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { TestContext } from 'vitest';

export interface SmallDisk {
  readonly path: string;
  /** To the last block. */
  fill(): Promise<void>;
  free(): Promise<void>;
  readOnly(is: boolean): Promise<void>;
}

const execute = promisify(execFile);

async function asRoot(...command: readonly [string, ...string[]]): Promise<void> {
  const [file, ...args] = process.getuid?.() === 0 ? command : ['sudo', '-n', ...command];
  await execute(file ?? '', args);
}

/** Skips the test where nothing may be mounted. */
export async function smallDisk({ onTestFinished, skip }: TestContext): Promise<SmallDisk> {
  const path = await mkdtemp(join(tmpdir(), 'keyturn-disk-'));
  const owner = `uid=${process.getuid?.() ?? 0},gid=${process.getgid?.() ?? 0},mode=700`;
  try {
    await asRoot('mount', '-t', 'tmpfs', '-o', `size=512k,${owner}`, 'keyturn-test', path);
  } catch {
    await rmdir(path);
    return skip('no small disk: mounting a tmpfs needs root or sudo without a password');
  }
  onTestFinished(async () => {
    // Lazily: whoever still has a file open on it lets go when it ends.
    await asRoot('umount', '-l', path);
    await rmdir(path);
  });
  const ballast = join(path, 'ballast');
  return {
    path,
    async fill() {
      const { bavail, bsize } = await statfs(path);
      await writeFile(ballast, Buffer.alloc(bavail * bsize));
    },
    free: () => rm(ballast),
    readOnly: (is) => asRoot('mount', '-o', `remount,${is ? 'ro' : 'rw'}`, path),
  };
}
