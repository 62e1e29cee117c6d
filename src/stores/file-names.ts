/** Names of objects as names of folders: one flat folder a name, so that no name can reach out of the store or into another. */

const namePattern = /^[a-z0-9][a-z0-9._-]*(?:\/[a-z0-9][a-z0-9._-]*)*$/;
const folderPattern = /^[a-z0-9][a-z0-9._-]*(?:~[a-z0-9][a-z0-9._-]*)*$/;
/** File systems take 255 bytes. */
const MAX_LENGTH = 240;

/** @throws TypeError when it is no name of the store contract: a defect of the caller */
export function folderOf(name: string): string {
  if (name.length > MAX_LENGTH || !namePattern.test(name)) throw new TypeError('not a name of the store contract');
  return name.replaceAll('/', '~');
}

/** Undefined for a folder that is not the store's. */
export function nameOf(folder: string): string | undefined {
  return folderPattern.test(folder) ? folder.replaceAll('~', '/') : undefined;
}
