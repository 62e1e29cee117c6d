import { chmod, readdir, readFile, rename, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openFileStore } from '../../src/stores/file.js';
import { filesUnder, temporaryFolder } from '../support/custody.js';

const bytes = (text: string): Buffer => Buffer.from(text);

describe('file store', () => {
  test('reads what was written, under the etag the write gave', async () => {
    const store = await openFileStore({ path: await temporaryFolder() });
    expect(await store.read('credential/a')).toBeUndefined();
    const etag = await store.write('credential/a', bytes('one'), null);
    expect(await store.read('credential/a')).toEqual({ bytes: bytes('one'), etag });
  });

  test('refuses a write whose expectation is not the present state', async () => {
    const store = await openFileStore({ path: await temporaryFolder() });
    await expect(store.write('a', bytes('x'), '1')).rejects.toMatchObject({ kind: 'conflict' });
    const first = await store.write('a', bytes('one'), null);
    const second = await store.write('a', bytes('two'), first);
    for (const stale of [null, first, '3', 'junk']) {
      await expect(store.write('a', bytes('x'), stale)).rejects.toMatchObject({ kind: 'conflict' });
    }
    expect(await store.read('a')).toEqual({ bytes: bytes('two'), etag: second });
  });

  test('lets exactly one of many racing writers win each round', async () => {
    const path = await temporaryFolder();
    const stores = await Promise.all(Array.from({ length: 6 }, () => openFileStore({ path })));
    let etag: string | null = null;
    for (let round = 0; round < 30; round++) {
      const expected: string | null = etag;
      const outcomes: readonly PromiseSettledResult<string>[] = await Promise.allSettled(
        stores.map((s, i) => s.write('a', bytes(`${round}/${i}`), expected)),
      );
      const winners = outcomes.flatMap((o, i) => (o.status === 'fulfilled' ? [{ i, etag: o.value }] : []));
      expect(winners).toHaveLength(1);
      etag = winners[0]?.etag ?? null;
      expect((await stores[0]?.read('a'))?.bytes.toString()).toBe(`${round}/${winners[0]?.i}`);
    }
  });

  test('never gives an old etag to other bytes, also not after a removal', async () => {
    const store = await openFileStore({ path: await temporaryFolder() });
    const first = await store.write('a', bytes('one'), null);
    await store.remove('a');
    await store.remove('a');
    await store.remove('never-there');
    expect(await store.read('a')).toBeUndefined();
    expect(await store.list('')).toEqual([]);
    await expect(store.write('a', bytes('x'), first)).rejects.toMatchObject({ kind: 'conflict' });
    await expect(store.write('a', bytes('x'), '2')).rejects.toMatchObject({ kind: 'conflict' });
    const again = await store.write('a', bytes('two'), null);
    expect(again).not.toBe(first);
    await expect(store.write('a', bytes('x'), first)).rejects.toMatchObject({ kind: 'conflict' });
  });

  test('lists the names with a prefix, sorted', async () => {
    const store = await openFileStore({ path: await temporaryFolder() });
    for (const name of ['credential/b', 'credential/a', 'credentials', 'late/a/1/2'])
      await store.write(name, bytes('x'), null);
    expect(await store.list('credential/')).toEqual(['credential/a', 'credential/b']);
    expect(await store.list('late/a/')).toEqual(['late/a/1/2']);
    expect(await store.list('')).toHaveLength(4);
  });

  test('keeps only the last few snapshots, whatever the number of writes', async () => {
    const path = await temporaryFolder();
    const store = await openFileStore({ path });
    let etag: string | null = null;
    for (let i = 0; i < 60; i++) etag = await store.write('a', bytes(String(i)), etag);
    expect((await readdir(join(path, 'objects', 'a'))).length).toBeLessThanOrEqual(8);
    expect((await store.read('a'))?.bytes.toString()).toBe('59');
  });

  test('a reader never fails because of writers that prune under it', async () => {
    const path = await temporaryFolder();
    const [writer, reader] = [await openFileStore({ path }), await openFileStore({ path })];
    let etag = await writer.write('a', bytes('0'), null);
    let writing = true;
    const reading = (async () => {
      let last = 0;
      let reads = 0;
      while (writing) {
        const seen = Number((await reader.read('a'))?.bytes);
        expect(seen).toBeGreaterThanOrEqual(last);
        last = seen;
        reads++;
      }
      return reads;
    })();
    for (let i = 1; i <= 300; i++) etag = await writer.write('a', bytes(String(i)), etag);
    writing = false;
    expect(await reading).toBeGreaterThan(0);
  });

  test('no name can leave the store or meet another name', async () => {
    const path = await temporaryFolder();
    const store = await openFileStore({ path });
    const bad = [
      '',
      '..',
      '../x',
      'a/../b',
      '/a',
      'a/',
      'a//b',
      '.hidden',
      'A',
      'a~b',
      'a\0b',
      'a\\b',
      `a${'b'.repeat(240)}`,
    ];
    for (const name of bad) {
      expect(() => store.read(name)).toThrow(TypeError);
      expect(() => store.write(name, bytes('x'), null)).toThrow(TypeError);
    }
    await store.write('a', bytes('short'), null);
    await store.write('a/1', bytes('long'), null);
    expect((await store.read('a'))?.bytes.toString()).toBe('short');
    expect((await store.read('a/1'))?.bytes.toString()).toBe('long');
  });

  test('files are 0600 and folders 0700', async () => {
    const path = join(await temporaryFolder(), 'deep', 'store');
    const store = await openFileStore({ path });
    await store.write('credential/a', bytes('x'), null);
    for (const folder of [path, join(path, 'objects'), join(path, 'tmp'), join(path, 'objects', 'credential~a')]) {
      expect((await stat(folder)).mode & 0o777).toBe(0o700);
    }
    for (const file of await filesUnder(path)) expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  test('left-overs of killed writers are ignored, and swept when they are old', async () => {
    const path = await temporaryFolder();
    const store = await openFileStore({ path });
    await store.write('a', bytes('one'), null);
    const [fresh, old] = [join(path, 'tmp', 'fresh'), join(path, 'tmp', 'old')];
    await writeFile(fresh, 'torn');
    await writeFile(old, 'torn');
    await utimes(old, new Date(0), new Date(0));
    await writeFile(join(path, 'objects', 'a', '9.tmp'), 'torn');
    expect((await (await openFileStore({ path })).read('a'))?.bytes.toString()).toBe('one');
    expect(await readdir(join(path, 'tmp'))).toEqual(['fresh']);
  });

  test('a damaged snapshot is corrupt, for readers and writers, is left as it is, and does not hide other objects', async () => {
    const path = await temporaryFolder();
    const store = await openFileStore({ path });
    const etag = await store.write('a', bytes('one two three'), null);
    const file = join(path, 'objects', 'a', etag);
    const whole = await readFile(file);
    for (const damaged of [
      whole.subarray(0, -1),
      whole.subarray(0, 10),
      Buffer.alloc(0),
      Buffer.concat([whole, bytes('x')]),
    ]) {
      await writeFile(file, damaged);
      await expect(store.read('a')).rejects.toMatchObject({ kind: 'corrupt' });
      await expect(store.write('a', bytes('x'), etag)).rejects.toMatchObject({ kind: 'corrupt' });
    }
    await store.write('b', bytes('sound'), null);
    expect(await store.list('')).toEqual(['a', 'b']);
    await writeFile(file, whole);
    expect((await store.read('a'))?.bytes.toString()).toBe('one two three');
  });

  test('a store whose volume is gone is unavailable, not empty', async () => {
    const path = await temporaryFolder();
    const store = await openFileStore({ path });
    await store.write('a', bytes('one'), null);
    await rename(join(path, 'objects'), join(path, 'elsewhere'));
    await expect(store.read('a')).rejects.toMatchObject({ kind: 'unavailable' });
    await expect(store.read('b')).rejects.toMatchObject({ kind: 'unavailable' });
    await expect(store.list('')).rejects.toMatchObject({ kind: 'unavailable' });
    await expect(store.write('b', bytes('x'), null)).rejects.toMatchObject({ kind: 'unavailable' });
  });

  test('a place that cannot be a store is refused with a reason', async () => {
    const path = join(await temporaryFolder(), 'file');
    await writeFile(path, 'in the way');
    await chmod(path, 0o600);
    await expect(openFileStore({ path })).rejects.toMatchObject({ kind: 'unavailable' });
  });

  test('check writes, reads back and leaves nothing', async () => {
    const path = await temporaryFolder();
    const store = await openFileStore({ path });
    await store.check();
    expect(await filesUnder(path)).toEqual([]);
  });
});
