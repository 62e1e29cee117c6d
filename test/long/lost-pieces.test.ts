/** A key file or a store that is not the right one any more: it is said, nothing is made anew, and with the right one it goes on. */
import { cp, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createKeyFile, readKeyFile } from '../../src/custody/key-file.js';
import { rotated } from '../support/around.js';
import { keyturn } from '../support/cli.js';
import { filesUnder } from '../support/custody.js';
import { expectAllWell } from '../support/guarantees.js';
import { installation, type Installation } from '../support/installation.js';
import { writesOf } from '../support/invariants.js';
import { workerProcess } from '../support/worker-process.js';

const keyFileOf = ({ directory }: Installation): string => join(directory, 'key');
const storeOf = ({ directory }: Installation): string => join(directory, 'store');

async function contentsOf(i: Installation): Promise<ReadonlyMap<string, string>> {
  const files = await filesUnder(storeOf(i));
  return new Map(await Promise.all(files.map(async (file) => [file, await readFile(file, 'hex')] as const)));
}

/** What somebody does to the key file, and what is then said of it. */
const losses: readonly (readonly [what: string, lose: (i: Installation) => Promise<unknown>, says: RegExp])[] = [
  ['is lost', (i) => rm(keyFileOf(i)), /does not exist/],
  ['is cut in half', async (i) => truncate(keyFileOf(i), (await stat(keyFileOf(i))).size / 2), /is damaged/],
  [
    'is that of another installation',
    async (i) => {
      await rm(keyFileOf(i));
      await createKeyFile(keyFileOf(i));
    },
    /sealed with key id k-[0-9a-f]{12}, this key file has k-[0-9a-f]{12}/,
  ],
];

it.concurrent.for(losses)(
  'a key file that %s: nothing is sealed, sent or made anew, and a running worker goes on when it is back',
  async ([, lose, says], { onTestFinished }) => {
    const i = await installation({ onTestFinished });
    await workerProcess(i, { onTestFinished });
    const right = await readFile(keyFileOf(i));
    await lose(i);
    await i.request('r-1');
    const state = await i.until('the worker says so', (s) => s.status === 'needs-operator');
    expect(state.attention).toMatchObject([{ code: 'KT-KEY-FILE', command: 'keyturn doctor' }]);
    const before = await contentsOf(i);

    const wrong = await readFile(keyFileOf(i)).catch(() => null);
    for (const argv of [
      ['get', i.credentialId],
      ['import', i.credentialId],
      ['keys', 'rotate'],
      ['keys', 'rewrap'],
    ]) {
      const refused = await keyturn(i, '--json', ...argv);
      expect(refused, argv.join(' ')).toMatchObject({ exit: 2, json: { error: { code: 'KT-KEY-FILE' } } });
      expect(refused.json.error.message).toMatch(says);
    }
    await keyturn(i, '--json', 'init');
    expect(await readFile(keyFileOf(i)).catch(() => null)).toEqual(wrong);
    await expect(workerProcess(i, { onTestFinished })).rejects.toThrow(says);
    expect(await contentsOf(i)).toEqual(before);
    expect(writesOf(i)).toEqual({});

    await writeFile(`${keyFileOf(i)}.restored`, right, { mode: 0o600 });
    await rename(`${keyFileOf(i)}.restored`, keyFileOf(i));
    await i.until('version 2', (s) => s.current?.version === 2 && s.previous.length === 0, 40_000);
    await expectAllWell(i, 2);
  },
);

it.concurrent(
  'a key file that lacks a key of the store: keys list names it, and says how much it has sealed',
  async ({ onTestFinished }) => {
    const i = await installation({ onTestFinished });
    const right = await readKeyFile(keyFileOf(i));
    const missing = right.currentKid;
    await rename(keyFileOf(i), `${keyFileOf(i)}.right`);
    await createKeyFile(keyFileOf(i));
    const { exit, json } = await keyturn(i, '--json', 'keys', 'list');
    expect(exit).toBe(3);
    expect(json.warnings).toEqual([expect.stringContaining(`lacks ${missing}`)]);
    expect(json.data).toMatchObject({
      keys: [
        { current: true, inFile: true, objects: 0 },
        { kid: missing, current: false, inFile: false, objects: 2 },
      ],
    });
  },
);

it.concurrent(
  'a store that was restored from before the last rotation is noticed: no key is published, made or deleted, and the newer store heals it',
  async ({ onTestFinished }) => {
    const i = await installation({ onTestFinished });
    await workerProcess(i, { onTestFinished });
    await cp(storeOf(i), `${storeOf(i)}.backup`, { recursive: true });
    await rotated(i, 2);
    await i.until('the old key is gone', (s) => s.previous.length === 0);
    const writes = writesOf(i);
    await rename(storeOf(i), `${storeOf(i)}.newer`);
    await rename(`${storeOf(i)}.backup`, storeOf(i));
    await i.request('r-2');
    const state = await i.until('it is noticed', (s) => s.status === 'needs-operator');
    expect(state.attention.map(({ code }) => code)).toContain('KT-STORE-BEHIND');
    expect(state.current).toMatchObject({ version: 2 });
    expect(await keyturn(i, '--json', 'status', i.credentialId)).toMatchObject({ exit: 3 });
    expect(writesOf(i)).toEqual(writes);
    const restored = await contentsOf(i);

    await rename(storeOf(i), `${storeOf(i)}.old`);
    await rename(`${storeOf(i)}.newer`, storeOf(i));
    await i.until('version 3', (s) => s.current?.version === 3 && s.previous.length === 0, 40_000);
    await expectAllWell(i, 3);
    await rename(storeOf(i), `${storeOf(i)}.newest`);
    await rename(`${storeOf(i)}.old`, storeOf(i));
    expect(await contentsOf(i), 'nothing was written into the restored store').toEqual(restored);
  },
);

it.concurrent(
  'a worker that begins before the store is mounted makes nothing anew at the provider, and goes on when the store is there',
  async ({ onTestFinished }) => {
    const i = await installation({ onTestFinished });
    const first = await workerProcess(i, { onTestFinished });
    await rotated(i, 2);
    await i.until('the old key is gone', (s) => s.previous.length === 0);
    first.kill('SIGKILL');
    await first.ended;
    const writes = writesOf(i);
    await rename(storeOf(i), `${storeOf(i)}.unmounted`);
    await workerProcess(i, { onTestFinished });
    await i.request('r-2');
    const state = await i.until('it is noticed', (s) => s.status === 'needs-operator', 30_000);
    expect(state.attention.map(({ code }) => code)).toContain('KT-STORE-FOREIGN');
    expect(state.current).toMatchObject({ version: 2 });
    expect(writesOf(i)).toEqual(writes);
    await rename(storeOf(i), `${storeOf(i)}.underneath`);
    await rename(`${storeOf(i)}.unmounted`, storeOf(i));
    await i.until('version 3', (s) => s.current?.version === 3 && s.previous.length === 0, 40_000);
    await expectAllWell(i, 3);
  },
);
