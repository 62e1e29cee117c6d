/** What a disk can do to a key file that is being changed; the file system's calls fail on demand, everything else is real. */
import type * as fs from 'node:fs/promises';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, test, vi } from 'vitest';
import { addKey } from '../../src/custody/key-changes.js';
import { createKeyFile, readKeyFile } from '../../src/custody/key-file.js';
import { seal, unseal } from '../../src/custody/sealing.js';
import { temporaryFolder } from '../support/custody.js';

type Call = 'open' | 'writeFile' | 'syncFile' | 'rename' | 'syncFolder';
const disk = vi.hoisted(() => ({
  fault: null as { readonly call: Call; readonly code: string; readonly nth: number } | null,
  /** What was done, in order; a rename with the text that it put in place. */
  done: [] as string[],
}));

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof fs>();
  let calls = 0;
  const pass = (call: Call, what: string = call): void => {
    if (disk.fault?.call === call && (calls += 1) === disk.fault.nth) {
      calls = 0;
      const { code } = disk.fault;
      throw Object.assign(new Error(code), { code });
    }
    disk.done.push(what);
  };
  return {
    ...real,
    open: async (path: string, flags: string | number, mode?: number) => {
      const writing = flags === 'wx';
      if (writing) pass('open');
      const handle = await real.open(path, flags, mode);
      const [write, sync] = [handle.writeFile.bind(handle), handle.sync.bind(handle)];
      handle.writeFile = async (...args: Parameters<typeof write>) => {
        await write(args[0].slice(0, 20));
        pass('writeFile');
        return write(args[0].slice(20));
      };
      handle.sync = async () => {
        pass(writing ? 'syncFile' : 'syncFolder');
        return sync();
      };
      return handle;
    },
    rename: async (from: string, to: string) => {
      pass('rename', await real.readFile(from, 'utf8'));
      return real.rename(from, to);
    },
  };
});

const label = { purpose: 'record', store: 's', name: 'credential/a', seq: 1 } as const;

beforeEach(() => {
  disk.fault = null;
  disk.done = [];
});

const faults: readonly { readonly call: Call; readonly code: string; readonly says: RegExp }[] = [
  { call: 'open', code: 'EROFS', says: /read-only/ },
  { call: 'writeFile', code: 'ENOSPC', says: /disk is full/ },
  { call: 'syncFile', code: 'EIO', says: /disk reports an error/ },
  { call: 'rename', code: 'EACCES', says: /permission denied/ },
  { call: 'syncFolder', code: 'EIO', says: /disk reports an error/ },
];

test.each(faults.flatMap((fault) => [1, 2].map((nth) => ({ ...fault, nth }))))(
  '$call $code, time $nth: the key file is whole, opens what was sealed, and can be changed afterwards',
  async ({ says, ...fault }) => {
    const path = join(await temporaryFolder(), 'key');
    await createKeyFile(path);
    const running = await readKeyFile(path);
    const sealed = [seal(running, label, Buffer.from('before'))];
    disk.fault = fault;
    await expect(addKey(path)).rejects.toMatchObject({ code: 'KT-KEY-FILE', message: expect.stringMatching(says) });
    disk.fault = null;
    expect(await readdir(join(path, '..'))).toEqual(['key']);
    sealed.push(seal(running, label, Buffer.from('between')));
    const kid = await addKey(path);
    const fresh = await readKeyFile(path);
    expect(fresh.currentKid).toBe(kid);
    expect(sealed.map((one) => unseal(fresh, label, one).plaintext.toString())).toEqual(['before', 'between']);
  },
);

test('a new key is durably in the file before anything can be sealed with it', async () => {
  const path = join(await temporaryFolder(), 'key');
  await createKeyFile(path);
  const { currentKid: old } = await readKeyFile(path);
  disk.done = [];
  const kid = await addKey(path);
  const steps = disk.done.filter((what) => !['open', 'writeFile'].includes(what));
  const contents = steps
    .filter((what) => what.startsWith('{'))
    .map((text) => JSON.parse(text) as { current: string; keys: object });
  expect(steps.map((what) => (what.startsWith('{') ? 'rename' : what))).toEqual([
    ...['syncFile', 'rename', 'syncFolder'],
    ...['syncFile', 'rename', 'syncFolder'],
  ]);
  expect(contents.map(({ current, keys }) => [current, Object.keys(keys)])).toEqual([
    [old, [old, kid]],
    [kid, [old, kid]],
  ]);
  expect(await readFile(path, 'utf8')).toContain(kid);
});
