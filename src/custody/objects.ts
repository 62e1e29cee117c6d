/** Sealed objects over a store: read, and read-decide-write with compare-and-set. Knows nothing of what is inside them. */
import { setTimeout as sleep } from 'node:timers/promises';
import { KeyturnError } from '../domain/errors.js';
import { StoreFailure, type Store } from '../stores/store.js';
import { headerOf, seal, unseal, type Label, type SealingKeys } from './sealing.js';

/** In base64 and with its header an object of this size stays under 64 KiB, which is what the strictest store takes. */
export const maxPlaintextBytes = 47 * 1024;

const MAX_CONFLICTS = 16;
const BACKOFF_MS = { first: 5, most: 500 } as const;

/** Random, so that writers who met once do not meet again. */
const backOffMs = (conflicts: number): number =>
  Math.random() * Math.min(BACKOFF_MS.first * 2 ** conflicts, BACKOFF_MS.most);

/** Which object; `store` is the installation it must belong to, null for the object that says which one it is. */
export interface ObjectKey extends Pick<Label, 'purpose' | 'name'> {
  readonly store: string | null;
}

export interface SealedObject {
  readonly seq: number;
  readonly store: string;
  readonly plaintext: Buffer;
}

/** What a read-decide-write does with what it has read; `store` is needed where the key does not name it. */
export type Change<T> =
  { readonly write: Buffer; readonly value: T; readonly store?: string } | { readonly unchanged: T };

export interface SealedObjects {
  /** @throws KeyturnError KT-STORE-UNAVAILABLE, KT-STORE-CORRUPT, KT-STORE-FOREIGN, KT-KEY-FILE */
  read(key: ObjectKey): Promise<SealedObject | undefined>;
  /**
   * Decides from what is there now and writes the outcome as `seq`. A lost race is read again and decided anew, 16 times.
   * @throws KeyturnError as `read`, KT-CONFLICT; and whatever `decide` throws
   */
  update<T>(key: ObjectKey, decide: (current: SealedObject | undefined, seq: number) => Change<T>): Promise<T>;
  list(prefix: string): Promise<readonly string[]>;
  remove(name: string): Promise<void>;
  check(): Promise<void>;
}

export function sealedObjects(store: Store, keys: SealingKeys): SealedObjects {
  return {
    async read(key) {
      return (await read(store, keys, key))?.object;
    },
    async update(key, decide) {
      for (let conflicts = 0; conflicts < MAX_CONFLICTS; conflicts++) {
        if (conflicts > 0) await sleep(backOffMs(conflicts));
        const found = await read(store, keys, key);
        const seq = (found?.object.seq ?? 0) + 1;
        const change = decide(found?.object, seq);
        if ('unchanged' in change) return change.unchanged;
        const sealAgain = (): Buffer => sealAs(keys, key, change.store, seq, change.write);
        const sealed = sealAgain();
        if (!(await written(store, key.name, sealed, found?.etag ?? null))) continue;
        await keepReadable(store, keys, key.name, sealed, sealAgain);
        return change.value;
      }
      throw new KeyturnError('KT-CONFLICT', `${key.name}: other writers came first ${MAX_CONFLICTS} times in a row`);
    },
    list: (prefix) => inStore(() => store.list(prefix)),
    remove: (name) => inStore(() => store.remove(name)),
    check: () => inStore(() => store.check()),
  };
}

/**
 * Seals the object with the current key, if another one has sealed it: same content, same `seq`, so that nobody who believes in a sequence
 * number notices. Ends only when what is in the store opens with the current key.
 * @throws KeyturnError of the store's codes, KT-KEY-FILE, KT-CONFLICT
 */
export async function reseal(store: Store, keys: SealingKeys, name: string): Promise<'resealed' | 'already' | 'gone'> {
  let isMine = false;
  for (let round = 0; round < MAX_CONFLICTS; round++) {
    if (round > 0) await sleep(backOffMs(round));
    const stored = await inStore(() => store.read(name));
    if (!stored) return 'gone';
    const { purpose, kid } = headerOf(name, stored.bytes);
    const { label, plaintext } = unseal(keys, { purpose, name }, stored.bytes);
    keys.refresh?.();
    if (kid === keys.currentKid) return isMine ? 'resealed' : 'already';
    isMine = (await written(store, name, seal(keys, label, plaintext), stored.etag)) || isMine;
  }
  throw new KeyturnError('KT-CONFLICT', `${name}: other writers came first ${MAX_CONFLICTS} times in a row`);
}

/**
 * A process that was frozen between sealing and writing may wake after the key was replaced, and even retired: then nobody could read what
 * it wrote. So it looks again. The write itself is done: trouble here must not turn it into a failed one.
 */
async function keepReadable(
  store: Store,
  keys: SealingKeys,
  name: string,
  sealed: Buffer,
  sealAgain: () => Buffer,
): Promise<void> {
  if (keys.refresh === undefined) return;
  try {
    keys.refresh();
    if (headerOf(name, sealed).kid === keys.currentKid) return;
    const stored = await store.read(name);
    if (stored && sealed.equals(stored.bytes)) await written(store, name, sealAgain(), stored.etag);
  } catch {
    // `keyturn keys rewrap` finds it, and `retire` refuses until then.
    return;
  }
}

async function read(
  store: Store,
  keys: SealingKeys,
  key: ObjectKey,
): Promise<{ object: SealedObject; etag: string } | undefined> {
  const stored = await inStore(() => store.read(key.name));
  if (!stored) return undefined;
  const { label, plaintext } = unseal(keys, key, stored.bytes);
  if (key.store !== null && label.store !== key.store) {
    throw new KeyturnError(
      'KT-STORE-FOREIGN',
      `${key.name} belongs to installation ${label.store}, this store is of ${key.store}`,
    );
  }
  return { object: { seq: label.seq, store: label.store, plaintext }, etag: stored.etag };
}

function sealAs(
  keys: SealingKeys,
  key: ObjectKey,
  ownStore: string | undefined,
  seq: number,
  plaintext: Buffer,
): Buffer {
  const store = key.store ?? ownStore;
  if (store === undefined) throw new KeyturnError('KT-INTERNAL', `${key.name}: no installation to seal it for`);
  if (plaintext.length > maxPlaintextBytes) {
    throw new KeyturnError(
      'KT-INTERNAL',
      `${key.name} has ${plaintext.length} bytes, the bound is ${maxPlaintextBytes}`,
    );
  }
  return seal(keys, { purpose: key.purpose, name: key.name, store, seq }, plaintext);
}

/**
 * False: lost the race. A write with an unknown outcome is read back; no two sealings have the same bytes, so the same bytes mean that it
 * was written, and another etag means that it can no longer be. As long as the old one stands it may still arrive: that stays unknown.
 */
async function written(store: Store, name: string, sealed: Buffer, expected: string | null): Promise<boolean> {
  try {
    await store.write(name, sealed, expected);
    return true;
  } catch (error) {
    if (!(error instanceof StoreFailure) || error.kind === 'corrupt') throw asKeyturnError(error);
    if (error.kind === 'conflict') return false;
    const now = await store.read(name).catch(() => null);
    if (now && sealed.equals(now.bytes)) return true;
    if (now && now.etag !== expected) return false;
    throw asKeyturnError(error);
  }
}

export async function inStore<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw asKeyturnError(error);
  }
}

function asKeyturnError(error: unknown): unknown {
  if (!(error instanceof StoreFailure)) return error;
  switch (error.kind) {
    case 'unavailable':
      return new KeyturnError('KT-STORE-UNAVAILABLE', error.message);
    case 'corrupt':
      return new KeyturnError('KT-STORE-CORRUPT', error.message);
    case 'conflict':
      return new KeyturnError('KT-CONFLICT', error.message);
    default:
      return error.kind satisfies never;
  }
}
