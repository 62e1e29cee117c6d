import { describe, expect, test } from 'vitest';
import { installations } from '../../src/custody/installation.js';
import { maxPlaintextBytes, reseal, sealedObjects, type SealedObjects } from '../../src/custody/objects.js';
import type { SealingKeys } from '../../src/custody/sealing.js';
import { KeyturnError } from '../../src/domain/errors.js';
import { StoreFailure, type Store, type StoreFailureKind } from '../../src/stores/store.js';
import { newKeys } from '../support/custody.js';

const key = { purpose: 'late', name: 'late/a', store: 'here' } as const;
const both = newKeys('k-a', 'k-b');

/** Keys that follow a file which gets `k-b` as soon as `becomes` says so. */
function followed(becomes: () => boolean): SealingKeys & { refresh(): void } {
  const keys = { ...both, currentKid: 'k-a', refresh: () => void (keys.currentKid = becomes() ? 'k-b' : 'k-a') };
  return keys;
}

function memory(over: Partial<Store> = {}): Store {
  const held = new Map<string, { bytes: Uint8Array; etag: string }>();
  let writes = 0;
  return {
    kind: 'memory',
    read: async (name) => held.get(name),
    write: async (name, bytes, expected) => {
      if ((held.get(name)?.etag ?? null) !== expected) throw new StoreFailure('conflict', name);
      held.set(name, { bytes, etag: String(++writes) });
      return String(writes);
    },
    list: async (prefix) => [...held.keys()].filter((name) => name.startsWith(prefix)),
    remove: async (name) => void held.delete(name),
    check: async () => undefined,
    close: async () => undefined,
    ...over,
  };
}

const put = (objects: SealedObjects, text: string) =>
  objects.update(key, () => ({ write: Buffer.from(text), value: text }));
const textOf = async (store: Store) => (await sealedObjects(store, both).read(key))?.plaintext.toString();
const failing = (kind: StoreFailureKind) => () => Promise.reject(new StoreFailure(kind, 'said'));

describe('a sealed object', () => {
  test('is written up to the bound that every store takes, and refused beyond it', async () => {
    const store = memory();
    const objects = sealedObjects(store, both);
    const write = (bytes: number) => objects.update(key, () => ({ write: Buffer.alloc(bytes), value: bytes }));
    expect(await write(maxPlaintextBytes)).toBe(maxPlaintextBytes);
    await expect(write(maxPlaintextBytes + 1)).rejects.toMatchObject({ code: 'KT-INTERNAL' });
    expect((await objects.read(key))?.seq).toBe(1);
  });

  test('is sealed for one installation, or not at all', async () => {
    const objects = sealedObjects(memory(), both);
    const change = () => ({ write: Buffer.from('x'), value: 1 });
    await expect(objects.update({ ...key, store: null }, change)).rejects.toMatchObject({ code: 'KT-INTERNAL' });
    await objects.update({ ...key, store: null }, () => ({ ...change(), store: 'there' }));
    await expect(objects.read(key)).rejects.toMatchObject({ code: 'KT-STORE-FOREIGN' });
  });

  test.each([
    ['unavailable', 'KT-STORE-UNAVAILABLE'],
    ['corrupt', 'KT-STORE-CORRUPT'],
    ['conflict', 'KT-CONFLICT'],
  ] as const)('of a store that fails as %s fails as %s', async (kind, code) => {
    const broken = sealedObjects(memory({ check: failing(kind), list: failing(kind), remove: failing(kind) }), both);
    for (const calling of [broken.check(), broken.list(''), broken.remove('a')]) {
      await expect(calling).rejects.toMatchObject({ code, message: 'said' });
    }
  });

  test('is not written where the store is damaged, nor where keyturn itself fails', async () => {
    const defect = new TypeError('a defect');
    await expect(put(sealedObjects(memory({ write: failing('corrupt') }), both), 'x')).rejects.toMatchObject({
      code: 'KT-STORE-CORRUPT',
    });
    await expect(put(sealedObjects(memory({ write: () => Promise.reject(defect) }), both), 'x')).rejects.toBe(defect);
  });
});

describe('a process that was frozen until its key was replaced', () => {
  /** The key is replaced while the first write is under way; `then` comes right after that write. */
  function frozen(then: (store: Store) => Promise<unknown> = async () => undefined) {
    let isReplaced = false;
    const store = memory();
    const asleep: Store = {
      ...store,
      write: async (...args) => {
        const etag = await store.write(...args);
        if (!isReplaced) {
          isReplaced = true;
          await then(store);
        }
        return etag;
      },
    };
    return { store, asleep, keys: followed(() => isReplaced) };
  }
  const kidIn = async (store: Store) =>
    (JSON.parse(Buffer.from((await store.read(key.name))?.bytes ?? []).toString()) as { kid: string }).kid;

  test('seals anew what it has written', async () => {
    const { store, asleep, keys } = frozen();
    expect(await put(sealedObjects(asleep, keys), 'mine')).toBe('mine');
    expect([await textOf(store), await kidIn(store)]).toEqual(['mine', 'k-b']);
  });

  test('leaves alone what another has written since, and what was removed', async () => {
    const newer = { ...both, currentKid: 'k-b' };
    const overtaken = frozen((store) => put(sealedObjects(store, newer), 'newer'));
    await put(sealedObjects(overtaken.asleep, overtaken.keys), 'mine');
    expect(await textOf(overtaken.store)).toBe('newer');
    const removed = frozen((store) => store.remove(key.name));
    await put(sealedObjects(removed.asleep, removed.keys), 'mine');
    expect(await textOf(removed.store)).toBeUndefined();
  });

  test('has written all the same when it cannot look again', async () => {
    const store = memory();
    let looks = 0;
    const keys: SealingKeys = {
      ...both,
      refresh: () => {
        looks += 1;
        if (looks > 1) throw new KeyturnError('KT-KEY-FILE', 'gone');
      },
    };
    expect(await put(sealedObjects(store, keys), 'mine')).toBe('mine');
    expect(await textOf(store)).toBe('mine');
  });
});

describe('sealing anew', () => {
  test('says what became of the object, with keys that never change, too', async () => {
    const store = memory();
    expect(await reseal(store, both, key.name)).toBe('gone');
    await put(sealedObjects(store, both), 'x');
    expect(await reseal(store, both, key.name)).toBe('already');
    expect(await reseal(store, { ...both, currentKid: 'k-b' }, key.name)).toBe('resealed');
  });

  test('gives up after sixteen lost races', async () => {
    let tries = 0;
    const store = memory();
    await put(sealedObjects(store, both), 'x');
    const lost: Store = { ...store, write: () => ((tries += 1), failing('conflict')()) };
    await expect(reseal(lost, { ...both, currentKid: 'k-b' }, key.name)).rejects.toMatchObject({ code: 'KT-CONFLICT' });
    expect(tries).toBe(16);
  });
});

describe('the installation that a process knows', () => {
  async function known() {
    const state = { nowMs: 1_000_000, reads: 0 };
    const store = memory();
    let reading: Store['read'] = store.read;
    const seen: Store = { ...store, read: (name) => ((state.reads += 1), reading(name)) };
    const one = installations(sealedObjects(seen, both), { now: () => state.nowMs });
    const { id } = await one.ensure();
    state.reads = 0;
    return { one, id, state, store, becomes: (read: Store['read']) => void (reading = read) };
  }

  test('is not read again within five seconds, and then it is', async () => {
    const { one, id, state } = await known();
    state.nowMs += 4_999;
    expect([(await one.find())?.id, state.reads]).toEqual([id, 0]);
    state.nowMs += 1;
    expect([(await one.find())?.id, state.reads]).toEqual([id, 1]);
  });

  test('still counts while the store does not answer, and is not taken on trust where it is damaged', async () => {
    const { one, id, state, becomes } = await known();
    state.nowMs += 5_000;
    becomes(failing('unavailable'));
    expect((await one.find())?.id).toBe(id);
    becomes(failing('corrupt'));
    await expect(one.find()).rejects.toMatchObject({ code: 'KT-STORE-CORRUPT' });
  });

  test.each([
    ['another id than its seal', { installationId: '6f1c1f9e-9d5e-4a53-8a52-2f2f5f0c1d2e' }],
    ['a fingerprint key that is none', { fingerprintKey: 'c2hvcnQ=' }],
  ])('is refused with %s', async (_, wrong) => {
    const store = memory();
    const objects = sealedObjects(store, both);
    await installations(objects, { now: () => 0 }).ensure();
    const own = { purpose: 'installation', name: 'installation', store: null } as const;
    await objects.update(own, (current) => {
      const held = JSON.parse(current?.plaintext.toString() ?? '{}') as object;
      return { write: Buffer.from(JSON.stringify({ ...held, ...wrong })), value: null, store: current?.store ?? '' };
    });
    await expect(installations(objects, { now: () => 0 }).find()).rejects.toMatchObject({ code: 'KT-STORE-CORRUPT' });
  });
});
