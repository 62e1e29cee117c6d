import { spawn, type ChildProcess } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { addKey, removeKey } from '../../src/custody/key-changes.js';
import { createKeyFile, readKeyFile } from '../../src/custody/key-file.js';
import { createLockout } from '../../src/custody/lockout.js';
import { openCustody } from '../../src/custody/open.js';
import { rewrap, takeCensus } from '../../src/custody/rewrap.js';
import { openFileStore } from '../../src/stores/file.js';
import { imported, lateAnswer, temporaryFolder } from '../support/custody.js';

const script = fileURLToPath(new URL('../support/store-process.mjs', import.meta.url));

interface Run {
  readonly child: ChildProcess;
  /** Effects that the process has acknowledged so far. */
  readonly acknowledged: () => readonly string[];
  readonly ended: Promise<number | string | null>;
}

function start(...args: readonly string[]): Run {
  const child = spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  const ended = new Promise<number | string | null>((resolve) => {
    child.on('close', (code, signal) => resolve(code ?? signal));
  });
  return { child, acknowledged: () => text.split('\n').slice(0, -1), ended };
}

test('of six writing processes, one of them killed, no acknowledged write is lost and none is made twice', async () => {
  const path = await temporaryFolder();
  const times = 30;
  const runs = Array.from({ length: 6 }, (_, i) => start('append', path, `w${i}`, String(times)));
  const [victim, ...others] = runs;
  await expect.poll(() => victim?.acknowledged().length, { timeout: 30_000, interval: 5 }).toBeGreaterThan(4);
  victim?.child.kill('SIGKILL');
  expect(await victim?.ended).toBe('SIGKILL');
  expect(await Promise.all(others.map((run) => run.ended))).toEqual([0, 0, 0, 0, 0]);

  const store = await openFileStore({ path });
  const found = await store.read('list');
  const list = JSON.parse(Buffer.from(found?.bytes ?? []).toString()) as readonly string[];
  for (const run of runs) expect(list).toEqual(expect.arrayContaining([...run.acknowledged()]));
  expect(new Set(list).size).toBe(list.length);
  expect(found?.etag).toBe(String(list.length));
  expect(list.filter((entry) => !entry.startsWith('w0/'))).toHaveLength(5 * times);
  expect((await readdir(join(path, 'objects', 'list'))).length).toBeLessThanOrEqual(8 + 6);
});

test('of twenty calls from four processes at once the lockout budget admits four', async () => {
  const path = await temporaryFolder();
  const keyFile = join(await temporaryFolder(), 'key');
  await createKeyFile(keyFile);
  const runs = Array.from({ length: 4 }, (_, i) => start('admit', path, `p${i}`, '5', keyFile));
  expect(await Promise.all(runs.map((run) => run.ended))).toEqual([0, 0, 0, 0]);
  expect(runs.flatMap((run) => run.acknowledged())).toHaveLength(4);
  const lockout = createLockout({
    store: await openFileStore({ path }),
    keys: await readKeyFile(keyFile),
    ...{ clock: Date, limit: 4 },
  });
  expect(await lockout.view({ baseUrl: 'https://acme.mambu.com/api', egress: 'default' })).toMatchObject({
    used: 0,
    reserved: 4,
  });
});

test('the sealing key is replaced under four writing processes, one of them killed, by commands that are killed at every change: every acknowledged write is there', async () => {
  const path = await temporaryFolder();
  const keyFile = join(await temporaryFolder(), 'key');
  await createKeyFile(keyFile);
  const [store, keys] = [await openFileStore({ path }), await readKeyFile(keyFile)];
  const old = keys.currentKid;
  const custody = await openCustody({ store, keys });
  await custody.create('core-prod', imported(await custody.installationId()));
  for (const operationId of ['op-1', 'op-2', 'op-3'])
    await custody.keepLate('core-prod', { ...lateAnswer(1), operationId });

  const times = 60;
  const runs = Array.from({ length: 4 }, (_, i) => start('raise', path, `w${i}`, String(times), keyFile));
  const [victim, ...others] = runs;
  await expect
    .poll(() => runs.every((run) => run.acknowledged().length > 2), { timeout: 30_000, interval: 5 })
    .toBe(true);
  await addKey(keyFile);
  victim?.child.kill('SIGKILL');
  let kills = 0;
  for (const [when, nth] of [
    ['before', 1],
    ['after', 1],
    ['before', 2],
    ['after', 2],
    ['after', 3],
  ] as const) {
    if ((await start('rewrapUntilKilled', path, when, String(nth), keyFile).ended) === 'SIGKILL') kills += 1;
  }
  expect(kills).toBeGreaterThan(2);
  expect(await Promise.all(others.map((run) => run.ended))).toEqual([0, 0, 0]);

  expect((await rewrap(store, keys)).failed).toEqual([]);
  expect((await takeCensus(store)).byKid.has(old)).toBe(false);
  await removeKey(keyFile, old);
  const fresh = await openCustody({ store, keys: await readKeyFile(keyFile) });
  const epoch = (await fresh.read('core-prod'))?.record.epoch ?? 0;
  const acknowledged = runs.flatMap((run) => run.acknowledged()).map(Number);
  expect(new Set(acknowledged).size, 'each write is acknowledged once').toBe(acknowledged.length);
  expect(Math.max(...acknowledged)).toBeLessThanOrEqual(epoch);
  // The killed one may have written without having said so.
  expect(epoch - acknowledged.length).toBeLessThanOrEqual(1);
  expect(epoch).toBeGreaterThanOrEqual(3 * times);
  for (const operationId of ['op-1', 'op-2', 'op-3'])
    expect(await fresh.readLate('core-prod', operationId)).toHaveLength(1);
});
