/** Files that appear whole or not at all, and are on the disk once the call resolves. */
import { constants } from 'node:fs';
import { link, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { StoreFailure } from './store.js';

/**
 * Publishes `bytes` at `targetPath` unless something is there already: a synced temporary file is linked to its final name, which the
 * file system does for exactly one of any number of racing writers; then the folder is synced. Both paths must be on one file system.
 * @throws the file system's error; after the link has been made (`syscall` is then `fsync`) it is not known whether the file will stay
 */
export async function publishFile(
  tmpPath: string,
  targetPath: string,
  bytes: Uint8Array,
): Promise<'published' | 'exists'> {
  try {
    await writeSynced(tmpPath, bytes);
    if (!(await linked(tmpPath, targetPath))) return 'exists';
    await syncFolder(dirname(targetPath));
    return 'published';
  } finally {
    // What cannot be removed now is swept later: it must not turn a finished write into a failed one.
    await rm(tmpPath, { force: true }).catch(() => undefined);
  }
}

/** Puts `bytes` in the place of what is at `targetPath`, as `publishFile` does: whole or not at all. @throws the file system's error */
export async function replaceFile(tmpPath: string, targetPath: string, bytes: Uint8Array): Promise<void> {
  try {
    await writeSynced(tmpPath, bytes);
    await rename(tmpPath, targetPath);
  } catch (error) {
    await rm(tmpPath, { force: true }).catch(() => undefined);
    throw error;
  }
  await syncFolder(dirname(targetPath));
}

async function writeSynced(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    throw error;
  }
}

/** Makes the folder's entries durable. A folder that cannot be written to has nothing left to sync. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await folder.sync();
  } catch (error) {
    if (errorCode(error) !== 'EROFS') throw error;
  } finally {
    await folder.close();
  }
}

export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

const causes: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EROFS: 'the file system is read-only',
  EACCES: 'permission denied',
  EPERM: 'not permitted, or a file system without hard links',
  ENOENT: 'a folder of the store is missing: is its volume mounted?',
  ENOTDIR: 'a file stands where a folder should be',
  EMFILE: 'too many open files',
  EIO: 'the disk reports an error',
};

/** What the file system said, as the failure of a store. */
export function asStoreFailure(doing: string, error: unknown): StoreFailure {
  if (error instanceof StoreFailure) return error;
  const code = errorCode(error) ?? 'unknown error';
  return new StoreFailure('unavailable', `${doing}: ${causes[code] ?? 'the file system failed'} (${code})`);
}
