/**
 * A store in a folder of a local disk, for any number of processes of one machine.
 *
 *     objects/<name>/<seq>   immutable snapshots; the highest seq is the object, the last few are kept
 *     tmp/                   files that are being written
 *
 * A write publishes the snapshot `expected + 1`; link(2) lets exactly one writer have that name, so a lost race is seen as EEXIST.
 * Pruning frees names again, and a process that slept through it could take a freed one: a writer would believe in a write nobody will
 * ever read, a reader would read it. A name can only have been freed once the newest seq is KEPT ahead of it. So both look at the newest
 * seq again afterwards, and within KEPT of it the name was never free. For the same reason an older value is forgotten by putting an empty
 * snapshot in its place, never by removing it early.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { asStoreFailure, errorCode, publishFile, replaceFile, syncFolder } from './durable.js';
import { folderOf, nameOf } from './file-names.js';
import { decodeSnapshot, encodeSnapshot, forgottenSnapshot } from './snapshot.js';
import { StoreFailure, type OlderValue, type Store, type StoredObject } from './store.js';

const KEPT = 8;
const TMP_LIFE_MS = 3_600_000;
/** Each round of a lost race means that another process got on with its work. */
const MAX_ROUNDS = 100;
const FOLDER_MODE = 0o700;

interface Head {
  readonly seq: number;
  /** Null: removed. */
  readonly bytes: Buffer | null;
}

/**
 * Opens the store in the folder `path`, making it (mode 0700) if it is not there.
 * @throws StoreFailure `unavailable`
 */
export async function openFileStore(options: { readonly path: string }): Promise<Store> {
  const store = new FileStore(options.path);
  await store.prepare();
  return store;
}

class FileStore implements Store {
  readonly kind = 'file';
  readonly #path: string;
  readonly #objects: string;
  readonly #tmp: string;

  constructor(path: string) {
    this.#path = path;
    this.#objects = join(path, 'objects');
    this.#tmp = join(path, 'tmp');
  }

  prepare(): Promise<void> {
    return this.#reporting('cannot open the store', async () => {
      for (const folder of [this.#path, this.#objects, this.#tmp]) {
        await mkdir(folder, { recursive: true, mode: FOLDER_MODE });
      }
      await syncFolder(this.#path);
      await this.#sweep();
    });
  }

  /** What a read shows is on the disk: nothing may rest on a snapshot that a power cut could still take back. */
  read(name: string): Promise<StoredObject | undefined> {
    const folder = this.#folder(name);
    return this.#reporting(`cannot read ${name}`, async () => {
      const head = await this.#head(folder);
      if (!head?.bytes) return undefined;
      await syncFolder(folder);
      return { bytes: head.bytes, etag: String(head.seq) };
    });
  }

  write(name: string, bytes: Uint8Array, expected: string | null): Promise<string> {
    const folder = this.#folder(name);
    return this.#reporting(`cannot write ${name}`, async () => {
      const head = await this.#head(folder);
      const etag = head?.bytes ? String(head.seq) : null;
      if (etag !== expected) throw conflict(name);
      const seq = (head?.seq ?? 0) + 1;
      if (!(await this.#publish(folder, seq, bytes))) throw conflict(name);
      return String(seq);
    });
  }

  list(prefix: string): Promise<readonly string[]> {
    return this.#reporting('cannot list the store', async () => {
      const found: string[] = [];
      for (const folder of await readdir(this.#objects)) {
        const name = nameOf(folder);
        if (name?.startsWith(prefix) && (await this.#isThere(join(this.#objects, folder)))) found.push(name);
      }
      return found.sort();
    });
  }

  remove(name: string): Promise<void> {
    const folder = this.#folder(name);
    return this.#reporting(`cannot remove ${name}`, async () => {
      for (let round = 0; round < MAX_ROUNDS; round++) {
        const head = await this.#head(folder);
        if (!head?.bytes || (await this.#publish(folder, head.seq + 1, null))) return;
      }
      throw conflict(name);
    });
  }

  check(): Promise<void> {
    return this.#reporting('the store failed its check', async () => {
      const written = Buffer.from(randomUUID());
      const path = join(this.#tmp, `check-${randomUUID()}`);
      try {
        await publishFile(this.#newTmp(), path, written);
        if (!written.equals(await readFile(path))) throw new StoreFailure('corrupt', 'a file reads back differently');
      } finally {
        await rm(path, { force: true });
      }
    });
  }

  /** A damaged object is there: reading it says what is wrong with it, and the others are none the worse. */
  async #isThere(folder: string): Promise<boolean> {
    try {
      return Boolean((await this.#head(folder))?.bytes);
    } catch (error) {
      if (error instanceof StoreFailure && error.kind === 'corrupt') return true;
      throw error;
    }
  }

  async *older(): AsyncGenerator<OlderValue> {
    const folders = await this.#reporting('cannot list the store', () => readdir(this.#objects));
    for (const [name, folder] of folders.map((f) => [nameOf(f), join(this.#objects, f)] as const)) {
      if (name === undefined) continue;
      for (const place of await this.#reporting(`cannot list ${name}`, () => this.#olderPlaces(folder))) {
        const bytes = await this.#reporting(`cannot read ${name}`, () => olderValue(place));
        if (bytes) yield { name, bytes, forget: () => this.#forget(name, place) };
      }
    }
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async #olderPlaces(folder: string): Promise<readonly string[]> {
    const sequence = await this.#sequence(folder);
    return sequence.filter((s) => s < newest(sequence)).map((s) => join(folder, String(s)));
  }

  #forget(name: string, place: string): Promise<void> {
    return this.#reporting(`cannot forget an older ${name}`, () =>
      replaceFile(this.#newTmp(), place, forgottenSnapshot),
    );
  }

  #folder(name: string): string {
    return join(this.#objects, folderOf(name));
  }

  #newTmp(): string {
    return join(this.#tmp, randomUUID());
  }

  async #head(folder: string): Promise<Head | undefined> {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const seq = newest(await this.#sequence(folder));
      if (seq === 0) return undefined;
      const place = join(folder, String(seq));
      const file = await fileIfThere(place);
      if (!file || newest(await this.#sequence(folder)) >= seq + KEPT) continue;
      const { kind, bytes } = decodeSnapshot(place, file);
      if (kind !== 'forgotten') return { seq, bytes: kind === 'value' ? bytes : null };
    }
    throw new StoreFailure('unavailable', `${folder}: other processes write faster than it can be read`);
  }

  /** False: another writer has that seq. */
  async #publish(folder: string, seq: number, value: Uint8Array | null): Promise<boolean> {
    if (seq === 1) {
      await mkdir(folder, { mode: FOLDER_MODE }).catch(unless('EEXIST'));
      await syncFolder(this.#objects);
    }
    const target = join(folder, String(seq));
    if ((await publishFile(this.#newTmp(), target, encodeSnapshot(value))) === 'exists') return false;
    const sequence = await this.#sequence(folder);
    if (newest(sequence) >= seq + KEPT) {
      await rm(target, { force: true });
      throw new StoreFailure('unavailable', `${folder}: many later writes came while this one was under way`);
    }
    await this.#prune(folder, sequence, seq);
    return true;
  }

  /** The write is done by now: a snapshot that cannot be removed is left to the next writer. */
  async #prune(folder: string, sequence: readonly number[], seq: number): Promise<void> {
    const old = sequence.filter((s) => s <= seq - KEPT);
    await Promise.allSettled(old.map((s) => rm(join(folder, String(s)), { force: true })));
  }

  /** Numbers of the snapshots that are there; anything else in the folder is not ours to judge. */
  async #sequence(folder: string): Promise<readonly number[]> {
    try {
      return (await readdir(folder)).filter((file) => /^[1-9][0-9]{0,14}$/.test(file)).map(Number);
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error;
      // A name that was never written, unless the whole store is gone (a volume that is not mounted).
      await stat(this.#objects);
      return [];
    }
  }

  /** Left-overs of writers that were killed. What cannot be removed (a read-only disk) stands in nobody's way. */
  async #sweep(): Promise<void> {
    const old = async (path: string): Promise<void> => {
      if ((await stat(path)).mtimeMs < Date.now() - TMP_LIFE_MS) await rm(path, { force: true });
    };
    await Promise.allSettled((await readdir(this.#tmp)).map((file) => old(join(this.#tmp, file))));
  }

  async #reporting<T>(doing: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw asStoreFailure(`${doing} (file store ${this.#path})`, error);
    }
  }
}

function newest(sequence: readonly number[]): number {
  return Math.max(0, ...sequence);
}

function conflict(name: string): StoreFailure {
  return new StoreFailure('conflict', `${name}: another write came first`);
}

async function fileIfThere(path: string): Promise<Buffer | undefined> {
  return readFile(path).catch(unless('ENOENT'));
}

/** A damaged one is nothing that anybody could open. */
async function olderValue(place: string): Promise<Buffer | undefined> {
  const file = await fileIfThere(place);
  if (!file) return undefined;
  try {
    const { kind, bytes } = decodeSnapshot(place, file);
    return kind === 'value' ? bytes : undefined;
  } catch (error) {
    if (error instanceof StoreFailure && error.kind === 'corrupt') return undefined;
    throw error;
  }
}

function unless(expected: string): (error: unknown) => undefined {
  return (error) => {
    if (errorCode(error) !== expected) throw error;
    return undefined;
  };
}
