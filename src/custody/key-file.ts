/** The file with the sealing keys. It is the one secret that keyturn cannot seal: a file of its own, mode 0600, backed up apart from the store. */
import { closeSync, constants, fstatSync, openSync, readFileSync, statSync, type BigIntStats } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { randomBytes, randomUUID, type KeyObject } from 'node:crypto';
import { dirname } from 'node:path';
import { z } from 'zod';
import { KeyturnError } from '../domain/errors.js';
import { iso } from '../domain/instant.js';
import { asStoreFailure, errorCode, publishFile } from '../stores/durable.js';
import { KEY_BYTES, keyFromBase64 } from './gcm.js';
import type { SealingKeys } from './sealing.js';

const FORMAT = 'keyturn-key/1';
export const KEY_FILE_MODE = 0o600;
const MAX_BYTES = 64n * 1024n;

const kidSchema = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/);

/** `current` seals; the others are kept to open what they sealed. */
const keyFileSchema = z.strictObject({
  format: z.literal(FORMAT),
  current: z.string(),
  keys: z.record(kidSchema, z.string()),
  /** When each key was made (ISO 8601); of a key that has none here it is not known. */
  created: z.record(kidSchema, z.iso.datetime()).exactOptional(),
  /** Keys that were here once. A process that works with one of them knows by it that this is a later state of its own file. */
  retired: z.array(kidSchema).exactOptional(),
});

/** What stands in a key file: secrets, for whoever changes it. */
export type KeyFileContent = Readonly<Omit<z.infer<typeof keyFileSchema>, 'format'>>;

/** The keys of a file, as the file was when it was last looked at. */
export interface FileKeys extends SealingKeys {
  /** When each key was made, where that is known. */
  readonly createdMs: ReadonlyMap<string, number>;
  refresh(): void;
}

/**
 * Makes a key file with one random key. An existing file is never touched.
 * @throws KeyturnError KT-KEY-FILE
 */
export async function createKeyFile(path: string): Promise<void> {
  const kid = newKid();
  const content = { current: kid, keys: { [kid]: newKey() }, created: { [kid]: iso(Date.now()) } };
  let outcome: 'published' | 'exists';
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    outcome = await publishFile(`${path}.${randomUUID()}.tmp`, path, Buffer.from(keyFileText(content)));
  } catch (error) {
    const { message } = asStoreFailure(`cannot make the key file ${path}`, error);
    throw keyFileRefused(message, 'Choose a place on a local disk.');
  }
  if (outcome === 'exists') {
    throw keyFileRefused(`the key file ${path} exists already and was left as it is`, 'Use it, or name another place.');
  }
}

/**
 * The keys of the file, which are followed: whoever seals looks whether the file has changed, so that a new key counts in running processes,
 * too. (One stat of a local file; without a gap between looking and sealing, and therefore not asynchronous.)
 * @throws KeyturnError KT-KEY-FILE when it is missing, not a key file, of another user, or open to others
 */
export async function readKeyFile(path: string): Promise<FileKeys> {
  return Promise.resolve().then(() => new FollowedKeys(path));
}

class FollowedKeys implements FileKeys {
  readonly #path: string;
  #known: Known;

  constructor(path: string) {
    this.#path = path;
    this.#known = look(path);
  }

  get currentKid(): string {
    return this.#known.currentKid;
  }
  get byKid(): ReadonlyMap<string, KeyObject> {
    return this.#known.byKid;
  }
  get createdMs(): ReadonlyMap<string, number> {
    return this.#known.createdMs;
  }
  refresh(): void {
    const stats = statSync(this.#path, { bigint: true, throwIfNoEntry: false });
    if (stats && stampOf(stats) === this.#known.stamp) return;
    const now = look(this.#path);
    if (!follows(now, this.#known)) throw foreign(this.#path, this.#known.currentKid, now);
    this.#known = now;
  }
}

/** A file of another store, or one that is older than what this process has sealed, must not take over: it would seal what the right one cannot open. */
function follows(now: Known, before: Known): boolean {
  const kid = before.currentKid;
  const [key, known] = [now.byKid.get(kid), before.byKid.get(kid)];
  return key && known ? key.equals(known) : now.retired.has(kid);
}

interface Known {
  /** Changes with the file, its owner and its mode. */
  readonly stamp: string;
  readonly currentKid: string;
  readonly byKid: ReadonlyMap<string, KeyObject>;
  readonly createdMs: ReadonlyMap<string, number>;
  readonly retired: ReadonlySet<string>;
}

function look(path: string): Known {
  const { text, stamp } = readGuarded(path);
  const { current, keys, created = {}, retired = [] } = parseKeyFile(path, text);
  const byKid = new Map<string, KeyObject>();
  for (const [kid, base64] of Object.entries(keys)) {
    const key = keyFromBase64(base64);
    if (!key) throw damaged(path);
    byKid.set(kid, key);
  }
  const createdMs = new Map(Object.entries(created).map(([kid, at]) => [kid, Date.parse(at)]));
  return { stamp, currentKid: current, byKid, createdMs, retired: new Set(retired) };
}

/** What is checked is what is read: both go through one handle. @throws KeyturnError KT-KEY-FILE */
export function readGuarded(path: string): { readonly text: string; readonly stamp: string } {
  const file = opened(path);
  try {
    const stats = fstatSync(file, { bigint: true });
    refuseUnsafe(path, stats);
    return { text: readFileSync(file, 'utf8'), stamp: stampOf(stats) };
  } catch (error) {
    if (error instanceof KeyturnError) throw error;
    throw unreadable(path, error);
  } finally {
    closeSync(file);
  }
}

function opened(path: string): number {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw unreadable(path, error);
    const mend = 'Restore it from its backup; for a new store make one with `keyturn init`.';
    throw keyFileRefused(`the key file ${path} does not exist`, mend);
  }
}

function stampOf({ ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return [ino, size, mtimeNs, ctimeNs].join('/');
}

function refuseUnsafe(path: string, stats: BigIntStats): void {
  if (!stats.isFile() || stats.size > MAX_BYTES) throw keyFileRefused(`${path} is not a key file`, 'Mend `keyFile`.');
  const uid = process.getuid?.();
  if (uid === undefined) return;
  if (Number(stats.uid) !== uid) {
    const mend = `Run \`chown ${uid} ${path}\`.`;
    throw keyFileRefused(`the key file ${path} belongs to user ${stats.uid}, not to ${uid}`, mend);
  }
  const mode = Number(stats.mode) & 0o777;
  if ((mode & ~KEY_FILE_MODE) !== 0) {
    const mend = `Run \`chmod 600 ${path}\`.`;
    throw keyFileRefused(`the key file ${path} has mode 0${mode.toString(8)}, wider than 0600`, mend);
  }
}

/** @throws KeyturnError KT-KEY-FILE, which quotes nothing */
export function parseKeyFile(path: string, text: string): KeyFileContent {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw damaged(path);
  }
  const parsed = keyFileSchema.safeParse(json);
  if (!parsed.success || !Object.hasOwn(parsed.data.keys, parsed.data.current)) throw damaged(path);
  const { format: _, ...content } = parsed.data;
  return content;
}

export function keyFileText(content: KeyFileContent): string {
  return `${JSON.stringify({ format: FORMAT, ...content }, null, 2)}\n`;
}

export function newKid(): string {
  return `k-${randomBytes(6).toString('hex')}`;
}

export function newKey(): string {
  return randomBytes(KEY_BYTES).toString('base64');
}

export function keyFileRefused(message: string, hint?: string): KeyturnError {
  return new KeyturnError('KT-KEY-FILE', message, hint === undefined ? {} : { hint });
}

function damaged(path: string): KeyturnError {
  return keyFileRefused(`the key file ${path} is damaged`, 'Restore it from its backup.');
}

function foreign(path: string, kid: string, { byKid }: Known): KeyturnError {
  const message = `key id ${kid}, which is in use, is gone from ${path}: this key file has ${[...byKid.keys()].join(', ')}`;
  return keyFileRefused(message, 'Put the newest key file of this store in its place.');
}

function unreadable(path: string, error: unknown): KeyturnError {
  return keyFileRefused(`the key file ${path} cannot be read (${errorCode(error) ?? 'unknown error'})`);
}
