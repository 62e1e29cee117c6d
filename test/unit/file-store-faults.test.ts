/** What a disk can do to the file store; the file system's calls fail on demand, everything else is real. */
import type * as fs from 'node:fs/promises';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { sealedObjects } from '../../src/custody/objects.js';
import { openFileStore } from '../../src/stores/file.js';
import { encodeSnapshot } from '../../src/stores/snapshot.js';
import { newKeys, temporaryFolder } from '../support/custody.js';

type Fault = { readonly call: 'open' | 'writeFile' | 'link' | 'syncFile' | 'syncFolder'; readonly code: string };
const disk = vi.hoisted(() => ({
  fault: null as Fault | null,
  /** What happens while a process sleeps right before this call; once. */
  asleep: null as { readonly before: 'link' | 'readFile'; readonly meanwhile: () => Promise<unknown> } | null,
}));

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof fs>();
  const fail = (call: Fault['call']): void => {
    if (disk.fault?.call === call) throw Object.assign(new Error(disk.fault.code), { code: disk.fault.code });
  };
  const sleepBefore = async (call: 'link' | 'readFile'): Promise<void> => {
    if (disk.asleep?.before !== call) return;
    const { meanwhile } = disk.asleep;
    disk.asleep = null;
    await meanwhile();
  };
  return {
    ...real,
    readFile: async (path: string) => {
      await sleepBefore('readFile');
      return real.readFile(path);
    },
    open: async (path: string, flags: string | number, mode?: number) => {
      const writing = typeof flags === 'string' && flags.startsWith('w');
      if (writing) fail('open');
      const handle = await real.open(path, flags, mode);
      const [write, sync] = [handle.writeFile.bind(handle), handle.sync.bind(handle)];
      handle.writeFile = async (...args: Parameters<typeof write>) => {
        if (disk.fault?.call === 'writeFile') await write(args[0].slice(0, 5));
        fail('writeFile');
        return write(...args);
      };
      handle.sync = async () => {
        fail(writing ? 'syncFile' : 'syncFolder');
        return sync();
      };
      return handle;
    },
    link: async (from: string, to: string) => {
      fail('link');
      await sleepBefore('link');
      return real.link(from, to);
    },
  };
});

beforeEach(() => {
  disk.fault = null;
  disk.asleep = null;
});

const cases: readonly (Fault & { readonly says: RegExp })[] = [
  { call: 'writeFile', code: 'ENOSPC', says: /cannot write a .*disk is full/ },
  { call: 'open', code: 'EROFS', says: /cannot write a .*read-only/ },
  { call: 'open', code: 'EACCES', says: /cannot write a .*permission denied/ },
  { call: 'syncFile', code: 'EIO', says: /cannot write a .*disk reports an error/ },
  { call: 'link', code: 'EPERM', says: /cannot write a .*hard links/ },
];

describe('file store on a failing disk', () => {
  test.each(cases)('$call $code: unavailable, says why, and the old object stands', async ({ says, ...fault }) => {
    const path = await temporaryFolder();
    const store = await openFileStore({ path });
    const etag = await store.write('a', Buffer.from('one'), null);
    disk.fault = fault;
    await expect(store.write('a', Buffer.from('two'), etag)).rejects.toMatchObject({
      kind: 'unavailable',
      message: expect.stringMatching(says),
    });
    await expect(store.check()).rejects.toMatchObject({ kind: 'unavailable' });
    disk.fault = null;
    expect(await store.read('a')).toEqual({ bytes: Buffer.from('one'), etag });
    expect(await readdir(join(path, 'tmp'))).toEqual([]);
    await store.write('a', Buffer.from('two'), etag);
  });

  test('a folder that cannot be synced after the link leaves the outcome unknown, and is not read as durable', async () => {
    const store = await openFileStore({ path: await temporaryFolder() });
    const etag = await store.write('a', Buffer.from('one'), null);
    disk.fault = { call: 'syncFolder', code: 'EIO' };
    await expect(store.write('a', Buffer.from('two'), etag)).rejects.toMatchObject({ kind: 'unavailable' });
    await expect(store.read('a')).rejects.toMatchObject({ kind: 'unavailable' });
    disk.fault = null;
    expect((await store.read('a'))?.bytes.toString()).toBe('two');
  });

  test('reads go on when the file system has become read-only', async () => {
    const store = await openFileStore({ path: await temporaryFolder() });
    const etag = await store.write('a', Buffer.from('one'), null);
    disk.fault = { call: 'syncFolder', code: 'EROFS' };
    expect(await store.read('a')).toEqual({ bytes: Buffer.from('one'), etag });
  });

  test('custody reports a full disk by its code, with the reason', async () => {
    const objects = sealedObjects(await openFileStore({ path: await temporaryFolder() }), newKeys('k-a'));
    disk.fault = { call: 'writeFile', code: 'ENOSPC' };
    const key = { purpose: 'late', name: 'late/a', store: 's' } as const;
    await expect(objects.update(key, () => ({ write: Buffer.from('x'), value: 1 }))).rejects.toMatchObject({
      code: 'KT-STORE-UNAVAILABLE',
      message: expect.stringContaining('disk is full'),
    });
  });
});

describe('file store and processes that sleep', () => {
  async function writeOn(path: string, times: number): Promise<string> {
    const store = await openFileStore({ path });
    let etag = (await store.read('a'))?.etag ?? null;
    for (let i = 0; i < times; i++) etag = await store.write('a', Buffer.from(`later ${i}`), etag);
    return etag ?? '';
  }

  test('a writer that slept until its slot was pruned is not told that it has written, and nobody reads what it wrote', async () => {
    const path = await temporaryFolder();
    const store = await openFileStore({ path });
    const etag = await store.write('a', Buffer.from('one'), null);
    disk.asleep = { before: 'link', meanwhile: () => writeOn(path, 20) };
    await expect(store.write('a', Buffer.from('stale'), etag)).rejects.toMatchObject({ kind: 'unavailable' });
    expect(await store.read('a')).toEqual({ bytes: Buffer.from('later 19'), etag: '21' });
    expect(await readdir(join(path, 'objects', 'a'))).not.toContain('2');
  });

  test('a writer that slept while its slot was taken sees a conflict', async () => {
    const path = await temporaryFolder();
    const store = await openFileStore({ path });
    const etag = await store.write('a', Buffer.from('one'), null);
    disk.asleep = { before: 'link', meanwhile: () => writeOn(path, 5) };
    await expect(store.write('a', Buffer.from('stale'), etag)).rejects.toMatchObject({ kind: 'conflict' });
  });

  test('a reader that slept until its snapshot was pruned reads the newest', async () => {
    const path = await temporaryFolder();
    const store = await openFileStore({ path });
    await store.write('a', Buffer.from('one'), null);
    disk.asleep = { before: 'readFile', meanwhile: () => writeOn(path, 20) };
    expect(await store.read('a')).toEqual({ bytes: Buffer.from('later 19'), etag: '21' });
  });

  test('a reader that slept does not read what was put into a pruned slot', async () => {
    const path = await temporaryFolder();
    const store = await openFileStore({ path });
    await store.write('a', Buffer.from('one'), null);
    const stray = async (): Promise<void> => {
      await writeOn(path, 20);
      await writeFile(join(path, 'objects', 'a', '1'), encodeSnapshot(Buffer.from('stray')));
    };
    disk.asleep = { before: 'readFile', meanwhile: stray };
    expect((await store.read('a'))?.bytes.toString()).toBe('later 19');
  });

  const forgetOlder = async (path: string): Promise<void> => {
    const store = await openFileStore({ path });
    for await (const { forget } of store.older?.() ?? []) await forget();
  };

  test('a reader that slept until its snapshot was forgotten reads the newest', async () => {
    const path = await temporaryFolder();
    const store = await openFileStore({ path });
    await store.write('a', Buffer.from('one'), null);
    const meanwhile = async (): Promise<void> => {
      await writeOn(path, 2);
      await forgetOlder(path);
    };
    disk.asleep = { before: 'readFile', meanwhile };
    expect(await store.read('a')).toEqual({ bytes: Buffer.from('later 1'), etag: '3' });
  });

  test('a writer that slept until its slot was taken and forgotten sees a conflict', async () => {
    const path = await temporaryFolder();
    const store = await openFileStore({ path });
    const etag = await store.write('a', Buffer.from('one'), null);
    const meanwhile = async (): Promise<void> => {
      await writeOn(path, 5);
      await forgetOlder(path);
    };
    disk.asleep = { before: 'link', meanwhile };
    await expect(store.write('a', Buffer.from('stale'), etag)).rejects.toMatchObject({ kind: 'conflict' });
    expect(await store.read('a')).toEqual({ bytes: Buffer.from('later 4'), etag: '6' });
  });

  test('removals by several processes at once leave the object removed', async () => {
    const path = await temporaryFolder();
    const store = await openFileStore({ path });
    await store.write('a', Buffer.from('one'), null);
    disk.asleep = { before: 'link', meanwhile: async () => (await openFileStore({ path })).remove('a') };
    await store.remove('a');
    expect(await store.read('a')).toBeUndefined();
    expect(await store.write('a', Buffer.from('two'), null)).toBe('3');
  });
});
