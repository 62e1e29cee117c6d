/** The file with the sealing keys. It is the one secret that keyturn cannot seal: a file of its own, mode 0600, backed up apart from the store. */
import { constants, type Stats } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { randomBytes, randomUUID, type KeyObject } from 'node:crypto';
import { dirname } from 'node:path';
import { z } from 'zod';
import { KeyturnError } from '../domain/errors.js';
import { asStoreFailure, errorCode, publishFile } from '../stores/durable.js';
import { KEY_BYTES, keyFromBase64 } from './gcm.js';
import type { SealingKeys } from './sealing.js';

const FORMAT = 'keyturn-key/1';
const MODE = 0o600;
const MAX_BYTES = 64 * 1024;

/** `current` seals; the others are kept to open what they sealed. */
const keyFileSchema = z.strictObject({
  format: z.literal(FORMAT),
  current: z.string(),
  keys: z.record(z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/), z.string()),
});

/**
 * Makes a key file with one random key. An existing file is never touched.
 * @throws KeyturnError KT-KEY-FILE
 */
export async function createKeyFile(path: string): Promise<void> {
  const kid = `k-${randomBytes(6).toString('hex')}`;
  const keys = { [kid]: randomBytes(KEY_BYTES).toString('base64') };
  const text = `${JSON.stringify({ format: FORMAT, current: kid, keys }, null, 2)}\n`;
  let outcome: 'published' | 'exists';
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    outcome = await publishFile(`${path}.${randomUUID()}.tmp`, path, Buffer.from(text));
  } catch (error) {
    throw refused(asStoreFailure(`cannot make the key file ${path}`, error).message, 'Choose a place on a local disk.');
  }
  if (outcome === 'exists') {
    throw refused(`the key file ${path} exists already and was left as it is`, 'Use it, or name another place.');
  }
}

/** @throws KeyturnError KT-KEY-FILE when it is missing, not a key file, of another user, or open to others */
export async function readKeyFile(path: string): Promise<SealingKeys> {
  return parse(path, await readGuarded(path));
}

/** What is checked is what is read: both go through one handle. */
async function readGuarded(path: string): Promise<string> {
  const file = await opened(path);
  try {
    refuseUnsafe(path, await file.stat());
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}

async function opened(path: string): ReturnType<typeof open> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') {
      const mend = 'Restore it from its backup; for a new store make one with `keyturn init`.';
      throw refused(`the key file ${path} does not exist`, mend);
    }
    throw refused(`the key file ${path} cannot be read (${errorCode(error) ?? 'unknown error'})`);
  }
}

function refuseUnsafe(path: string, stats: Stats): void {
  if (!stats.isFile() || stats.size > MAX_BYTES) throw refused(`${path} is not a key file`, 'Mend `keyFile`.');
  const uid = process.getuid?.();
  if (uid === undefined) return;
  if (stats.uid !== uid) {
    throw refused(`the key file ${path} belongs to user ${stats.uid}, not to ${uid}`, `Run \`chown ${uid} ${path}\`.`);
  }
  const mode = stats.mode & 0o777;
  if ((mode & ~MODE) !== 0) {
    throw refused(`the key file ${path} has mode 0${mode.toString(8)}, wider than 0600`, `Run \`chmod 600 ${path}\`.`);
  }
}

function parse(path: string, text: string): SealingKeys {
  const damaged = refused(`the key file ${path} is damaged`, 'Restore it from its backup.');
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw damaged;
  }
  const parsed = keyFileSchema.safeParse(json);
  if (!parsed.success) throw damaged;
  const byKid = new Map<string, KeyObject>();
  for (const [kid, base64] of Object.entries(parsed.data.keys)) {
    const key = keyFromBase64(base64);
    if (!key) throw damaged;
    byKid.set(kid, key);
  }
  if (!byKid.has(parsed.data.current)) throw damaged;
  return { currentKid: parsed.data.current, byKid };
}

function refused(message: string, hint?: string): KeyturnError {
  return new KeyturnError('KT-KEY-FILE', message, hint === undefined ? {} : { hint });
}
