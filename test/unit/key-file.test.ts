import { chmod, chown, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createKeyFile, readKeyFile } from '../../src/custody/key-file.js';
import { seal, unseal } from '../../src/custody/sealing.js';
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
