import { chmod, chown, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { addKey, removeKey } from '../../src/custody/key-changes.js';
import { createKeyFile, readKeyFile } from '../../src/custody/key-file.js';
import { headerOf, seal, unseal } from '../../src/custody/sealing.js';
import { temporaryFolder } from '../support/custody.js';

const label = { purpose: 'record', store: 's', name: 'credential/a', seq: 1 } as const;

async function newKeyFile(): Promise<string> {
  const path = join(await temporaryFolder(), 'sub', 'key');
  await createKeyFile(path);
  return path;
}

describe('key file', () => {
  test('is made with mode 0600 in a folder of mode 0700, and leaves nothing beside it', async () => {
    const path = await newKeyFile();
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await stat(join(path, '..'))).mode & 0o777).toBe(0o700);
    expect(await readdir(join(path, '..'))).toEqual(['key']);
  });

  test('opens what it has sealed, at every reading', async () => {
    const path = await newKeyFile();
    const sealed = seal(await readKeyFile(path), label, Buffer.from('x'));
    expect(unseal(await readKeyFile(path), label, sealed).plaintext.toString()).toBe('x');
  });

  test('is never overwritten, also not by one of many at once', async () => {
    const path = await newKeyFile();
    const before = await readFile(path);
    await expect(createKeyFile(path)).rejects.toMatchObject({ code: 'KT-KEY-FILE' });
    expect(await readFile(path)).toEqual(before);
    const fresh = join(path, '..', 'fresh');
    const outcomes = await Promise.allSettled(Array.from({ length: 5 }, () => createKeyFile(fresh)));
    expect(outcomes.filter((o) => o.status === 'fulfilled')).toHaveLength(1);
    await readKeyFile(fresh);
  });

  test.each([0o640, 0o604, 0o660, 0o644, 0o700, 0o601])('mode %o is refused, with the mend', async (mode) => {
    const path = await newKeyFile();
    await chmod(path, mode);
    await expect(readKeyFile(path)).rejects.toMatchObject({
      code: 'KT-KEY-FILE',
      message: expect.stringContaining(path),
      hint: expect.stringContaining(`chmod 600 ${path}`),
    });
  });

  test('mode 0400 is fine', async () => {
    const path = await newKeyFile();
    await chmod(path, 0o400);
    expect((await readKeyFile(path)).byKid.size).toBe(1);
  });

  test.skipIf(process.getuid?.() !== 0)('a file of another user is refused', async () => {
    const path = await newKeyFile();
    await chown(path, 12_345, 12_345);
    await expect(readKeyFile(path)).rejects.toMatchObject({
      code: 'KT-KEY-FILE',
      hint: expect.stringContaining('chown'),
    });
  });

  test('a missing file, a folder, and a damaged file are refused without quoting anything', async () => {
    const folder = await temporaryFolder();
    await expect(readKeyFile(join(folder, 'none'))).rejects.toMatchObject({
      code: 'KT-KEY-FILE',
      message: expect.stringContaining('does not exist'),
      hint: expect.stringContaining('keyturn init'),
    });
    await mkdir(join(folder, 'dir'), { mode: 0o700 });
    await expect(readKeyFile(join(folder, 'dir'))).rejects.toMatchObject({ code: 'KT-KEY-FILE' });
    const canary = Buffer.alloc(31, 7).toString('base64');
    const file = (change: object): string =>
      JSON.stringify({ format: 'keyturn-key/1', current: 'k-1', keys: { 'k-1': canary }, ...change });
    for (const text of ['', canary, file({}), file({ current: 'k-2' }), file({ keys: {} }), file({ extra: canary })]) {
      const path = join(folder, 'damaged');
      await writeFile(path, text, { mode: 0o600 });
      const error: unknown = await readKeyFile(path).catch((e: unknown) => e);
      expect(error).toMatchObject({ code: 'KT-KEY-FILE', message: expect.stringContaining(path) });
      expect(String(error)).not.toContain(canary);
    }
  });
});

describe('a key file that gets another key', () => {
  const kidOf = (sealed: Buffer): string => headerOf(label.name, sealed).kid;

  test('seals with it from then on, also in a process that has read the file long before, and opens what was', async () => {
    const path = await newKeyFile();
    const running = await readKeyFile(path);
    const before = seal(running, label, Buffer.from('before'));
    const kid = await addKey(path);
    const after = seal(running, label, Buffer.from('after'));
    expect([kidOf(before) === kid, kidOf(after)]).toEqual([false, kid]);
    for (const [sealed, text] of [
      [before, 'before'],
      [after, 'after'],
    ] as const) {
      expect(unseal(running, label, sealed).plaintext.toString()).toBe(text);
      expect(unseal(await readKeyFile(path), label, sealed).plaintext.toString()).toBe(text);
    }
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readdir(join(path, '..'))).toEqual(['key']);
  });

  test('is looked at once more by whoever meets an object of a key that it does not know', async () => {
    const path = await newKeyFile();
    const running = await readKeyFile(path);
    await addKey(path);
    const sealed = seal(await readKeyFile(path), label, Buffer.from('x'));
    expect(unseal(running, label, sealed).plaintext.toString()).toBe('x');
  });

  test('loses none of the keys that commands at once have added', async () => {
    const path = await newKeyFile();
    const outcomes = await Promise.allSettled(Array.from({ length: 6 }, () => addKey(path)));
    const added = outcomes.flatMap((o) => (o.status === 'fulfilled' ? [o.value] : []));
    const refused = outcomes.flatMap((o) => (o.status === 'rejected' ? [o.reason as unknown] : []));
    expect(added.length).toBeGreaterThan(0);
    for (const reason of refused) expect(reason).toMatchObject({ code: 'KT-CONFLICT' });
    const { byKid, currentKid } = await readKeyFile(path);
    expect([...byKid.keys()]).toEqual(expect.arrayContaining(added));
    expect([...byKid.keys()]).toContain(currentKid);
  });

  test('is whole after a kill in the middle; the torn rest stands in the way until somebody removes it', async () => {
    const path = await newKeyFile();
    const before = await readFile(path);
    await writeFile(`${path}.next`, before.subarray(0, 40), { mode: 0o600 });
    await expect(addKey(path)).rejects.toMatchObject({
      code: 'KT-CONFLICT',
      hint: expect.stringContaining(`remove ${path}.next`),
    });
    expect(await readFile(path)).toEqual(before);
    await rm(`${path}.next`);
    expect((await readKeyFile(path)).currentKid).not.toBe(await addKey(path));
  });

  test('loses an old key, never the current one', async () => {
    const path = await newKeyFile();
    const keys = await readKeyFile(path);
    const old = keys.currentKid;
    await expect(removeKey(path, old)).rejects.toMatchObject({ code: 'KT-KEY-IN-USE' });
    const kid = await addKey(path);
    await removeKey(path, old);
    const { byKid, createdMs } = await readKeyFile(path);
    expect([[...byKid.keys()], [...createdMs.keys()]]).toEqual([[kid], [kid]]);
  });

  test('is followed by a process that slept from before its key was replaced until it was retired', async () => {
    const path = await newKeyFile();
    const asleep = await readKeyFile(path);
    const old = asleep.currentKid;
    const kid = await addKey(path);
    await removeKey(path, old);
    expect(kidOf(seal(asleep, label, Buffer.from('x')))).toBe(kid);
  });

  test.each(['another store', 'an older state'])('is not followed to %s: nothing is sealed with it', async (what) => {
    const path = await newKeyFile();
    const first = await readFile(path);
    await addKey(path);
    const running = await readKeyFile(path);
    const sealed = seal(running, label, Buffer.from('x'));
    if (what === 'an older state') await writeFile(path, first);
    else await rename(await newKeyFile(), path);
    expect(() => seal(running, label, Buffer.from('y'))).toThrow(
      expect.objectContaining({ code: 'KT-KEY-FILE', message: expect.stringContaining(running.currentKid) }),
    );
    expect(unseal(running, label, sealed).plaintext.toString()).toBe('x');
  });

  test('of an older keyturn does not tell when its key was made, and gets another all the same', async () => {
    const path = await newKeyFile();
    const { created: _, ...rest } = JSON.parse(await readFile(path, 'utf8')) as { created: object };
    await writeFile(path, JSON.stringify(rest));
    const kid = await addKey(path);
    const { byKid, createdMs } = await readKeyFile(path);
    expect([byKid.size, [...createdMs.keys()]]).toEqual([2, [kid]]);
  });
});

test.each([
  ['is gone', (path: string) => rename(path, `${path}.away`), (path: string) => rename(`${path}.away`, path)],
  ['can be read by others', (path: string) => chmod(path, 0o644), (path: string) => chmod(path, 0o600)],
])('while the key file %s, a running process opens what there is and seals nothing', async (_, spoil, mend) => {
  const path = await newKeyFile();
  const running = await readKeyFile(path);
  const sealed = seal(running, label, Buffer.from('x'));
  await spoil(path);
  expect(() => seal(running, label, Buffer.from('y'))).toThrow(expect.objectContaining({ code: 'KT-KEY-FILE' }));
  expect(unseal(running, label, sealed).plaintext.toString()).toBe('x');
  await mend(path);
  expect(unseal(running, label, seal(running, label, Buffer.from('y'))).plaintext.toString()).toBe('y');
});
