/** All sealed objects of a store at once: by which key each is sealed, and sealing them anew with the current one. */
import { KeyturnError, type ErrorCode } from '../domain/errors.js';
import type { Store } from '../stores/store.js';
import { headerOf, type SealingKeys } from './sealing.js';
import { inStore, reseal } from './objects.js';

export interface SealedBy {
  readonly objects: number;
  /** Values of before that the store still keeps. */
  readonly older: number;
}

export interface Census {
  readonly byKid: ReadonlyMap<string, SealedBy>;
  /** Names of objects that do not tell: damaged, or not sealed by keyturn. */
  readonly unreadable: readonly string[];
}

/** Reads headers only: it needs no key. @throws KeyturnError KT-STORE-UNAVAILABLE */
export async function takeCensus(store: Store): Promise<Census> {
  const byKid = new Map<string, SealedBy>();
  const unreadable: string[] = [];
  const count = (name: string, bytes: Uint8Array, kind: keyof SealedBy): void => {
    const { kid } = headerOf(name, bytes);
    const { objects, older } = byKid.get(kid) ?? { objects: 0, older: 0 };
    byKid.set(kid, { objects, older, [kind]: (kind === 'objects' ? objects : older) + 1 });
  };
  for (const name of await namesOf(store)) {
    await unlessCorrupt(
      async () => {
        const stored = await store.read(name);
        if (stored) count(name, stored.bytes, 'objects');
      },
      () => unreadable.push(name),
    );
  }
  for await (const { name, bytes } of store.older?.() ?? []) {
    // What keyturn has not sealed needs no key.
    await unlessCorrupt(
      async () => count(name, bytes, 'older'),
      () => undefined,
    );
  }
  return { byKid, unreadable };
}

export interface Rewrapped {
  readonly resealed: number;
  readonly already: number;
  /** Values of before, sealed with another key, that the store was made to forget. */
  readonly forgotten: number;
  readonly failed: readonly { readonly name: string; readonly code: ErrorCode; readonly message: string }[];
}

/**
 * Seals every object with the current key, while others go on reading and writing. What is done stays done: it may be broken off and begun
 * again. An object that does not open is left as it is, with its older values, and named.
 * @throws KeyturnError KT-STORE-UNAVAILABLE, KT-KEY-FILE when the file cannot be read any more
 */
export async function rewrap(store: Store, keys: SealingKeys): Promise<Rewrapped> {
  const counts = { resealed: 0, already: 0, gone: 0, forgotten: 0 };
  const failed: Rewrapped['failed'][number][] = [];
  for (const name of await namesOf(store)) {
    try {
      counts[await reseal(store, keys, name)] += 1;
    } catch (error) {
      if (!(error instanceof KeyturnError) || error.code === 'KT-STORE-UNAVAILABLE') throw error;
      keys.refresh?.();
      failed.push({ name, code: error.code, message: error.message });
    }
  }
  for await (const { name, bytes, forget } of store.older?.() ?? []) {
    if (failed.some((one) => one.name === name)) continue;
    await unlessCorrupt(
      async () => {
        if (headerOf(name, bytes).kid === keys.currentKid) return;
        await forget();
        counts.forgotten += 1;
      },
      () => undefined,
    );
  }
  const { resealed, already, forgotten } = counts;
  return { resealed, already, forgotten, failed };
}

function namesOf(store: Store): Promise<readonly string[]> {
  return inStore(() => store.list(''));
}

async function unlessCorrupt(work: () => Promise<void>, otherwise: () => unknown): Promise<void> {
  try {
    await inStore(work);
  } catch (error) {
    if (!(error instanceof KeyturnError) || error.code !== 'KT-STORE-CORRUPT') throw error;
    otherwise();
  }
}
