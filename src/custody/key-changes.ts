/** What may be done to a key file that is there: it gets another key, or loses an old one. It is whole at every instant, with mode 0600. */
import { open, realpath, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { KeyturnError } from '../domain/errors.js';
import { iso } from '../domain/instant.js';
import { asStoreFailure, errorCode, syncFolder } from '../stores/durable.js';
import {
  KEY_FILE_MODE,
  keyFileRefused,
  keyFileText,
  newKey,
  newKid,
  parseKeyFile,
  readGuarded,
  type KeyFileContent,
} from './key-file.js';

/**
 * Adds a random key and makes it current; resolves with its id. In two steps: running processes seal with it as soon as it is current, and
 * by then a power cut must not be able to take it back.
 * @throws KeyturnError KT-KEY-FILE, KT-CONFLICT
 */
export async function addKey(path: string): Promise<string> {
  const kid = newKid();
  await change(path, ({ keys, created, ...rest }) => ({
    ...rest,
    keys: { ...keys, [kid]: newKey() },
    created: { ...created, [kid]: iso(Date.now()) },
  }));
  await change(path, (content) => ({ ...content, current: kid }));
  return kid;
}

/** Whether anything still needs it is for the caller to know. @throws KeyturnError KT-KEY-FILE, KT-CONFLICT, KT-KEY-IN-USE for the current one */
export async function removeKey(path: string, kid: string): Promise<void> {
  await change(path, ({ current, keys, created = {}, retired = [] }) => {
    if (current === kid) throw new KeyturnError('KT-KEY-IN-USE', `${kid} is the current sealing key`);
    return { current, keys: without(keys, kid), created: without(created, kid), retired: [...retired, kid] };
  });
}

/**
 * The new content is written beside the file and takes its place at once. The name beside it lets one process at a time do so: two that
 * read the same content would each drop the other's key.
 */
async function change(path: string, decide: (content: KeyFileContent) => KeyFileContent): Promise<void> {
  try {
    const target = await realpath(path).catch(() => path);
    const next = `${target}.next`;
    const file = await open(next, 'wx', KEY_FILE_MODE);
    try {
      await file.writeFile(keyFileText(decide(parseKeyFile(target, readGuarded(target).text))));
      await file.sync();
      await rename(next, target);
    } catch (error) {
      await rm(next, { force: true }).catch(() => undefined);
      throw error;
    } finally {
      await file.close();
    }
    await syncFolder(dirname(target));
  } catch (error) {
    if (error instanceof KeyturnError) throw error;
    if (errorCode(error) === 'EEXIST') throw underWay(path);
    const { message } = asStoreFailure(`cannot change the key file ${path}`, error);
    throw keyFileRefused(
      message,
      'Nothing was lost: the keys that were there still are. `keyturn keys list` shows them.',
    );
  }
}

function underWay(path: string): KeyturnError {
  return new KeyturnError(
    'KT-CONFLICT',
    `${path}.next exists: another command is changing the key file, or was killed`,
    {
      hint: `If no \`keyturn keys\` command runs, remove ${path}.next; the key file itself is whole.`,
    },
  );
}

function without<T>(map: Readonly<Record<string, T>>, gone: string): Record<string, T> {
  return Object.fromEntries(Object.entries(map).filter(([key]) => key !== gone));
}
