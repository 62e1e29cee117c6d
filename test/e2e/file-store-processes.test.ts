import { spawn, type ChildProcess } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { createKeyFile, readKeyFile } from '../../src/custody/key-file.js';
import { createLockout } from '../../src/custody/lockout.js';
import { openFileStore } from '../../src/stores/file.js';
import { temporaryFolder } from '../support/custody.js';

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
