/** The disk under the store is full, or has become read-only: nothing acknowledged is lost, and it heals when there is room again. */
import { readFile, rename, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, type TestContext } from 'vitest';
import { eventually } from '../support/around.js';
import { keyturn } from '../support/cli.js';
import { expectAllWell } from '../support/guarantees.js';
import { installation, type Installation } from '../support/installation.js';
import { requestsTo, writesOf } from '../support/invariants.js';
import { smallDisk, type SmallDisk } from '../support/small-disk.js';
import { workerProcess } from '../support/worker-process.js';

/** Store and key file on a small disk, and a worker in a process of its own. */
async function onSmallDisk(context: TestContext): Promise<{ i: Installation; disk: SmallDisk }> {
  const disk = await smallDisk(context);
  const i = await installation({ top: { store: { kind: 'file', path: join(disk.path, 'store'), keyFile: 'key' } } });
  await rename(join(i.directory, 'key'), join(i.directory, 'first'));
  await writeFile(join(disk.path, 'key'), await readFile(join(i.directory, 'first')), { mode: 0o600 });
  await symlink(join(disk.path, 'key'), join(i.directory, 'key'));
  await workerProcess(i);
  return { i, disk };
}

it('a rotation on a full disk sends nothing and waits; commands say why, show no key that they could not note, and it heals with space', async (context) => {
  const { i, disk } = await onSmallDisk(context);
  const keyFile = await readFile(join(disk.path, 'key'));
  await disk.fill();
  await i.request('r-1');
  const parked = await i.until('it waits for space', (s) => s.rotation?.parked === true);
  expect(parked.rotation?.lastError).toMatchObject({
    code: 'KT-STORE-UNAVAILABLE',
    message: expect.stringContaining('the disk is full'),
  });
  expect(writesOf(i)).toEqual({});

  const shown = await keyturn(i, '--json', 'status', i.credentialId);
  expect(shown.json.data).toMatchObject({ current: { version: 1 }, rotation: { parked: true } });
  expect((await keyturn(i, '--json', 'get', i.credentialId)).exit).toBe(0);
  const revealed = await keyturn(i, '--json', 'get', i.credentialId, '--reveal');
  expect(revealed).toMatchObject({ exit: 6, json: { error: { code: 'KT-STORE-UNAVAILABLE' } } });
  expect(revealed.out + revealed.err).not.toContain(i.simulator.seeded[0]?.apiKey);
  const rotated = await keyturn(i, '--json', 'keys', 'rotate');
  expect(rotated).toMatchObject({ exit: 2, json: { error: { code: 'KT-KEY-FILE' } } });
  expect(rotated.json.error.message).toContain('the disk is full');
  expect(await readFile(join(disk.path, 'key'))).toEqual(keyFile);

  await disk.free();
  await i.until('version 2', (s) => s.current?.version === 2 && s.rotation === null, 30_000);
  expect(writesOf(i)['create-key']).toBe(1);
  expect(await keyturn(i, '--json', 'keys', 'rotate')).toMatchObject({ exit: 0 });
  expect(await keyturn(i, '--json', 'keys', 'rewrap')).toMatchObject({ exit: 0, json: { data: { failed: [] } } });
  await i.until('the old key is gone', (s) => s.previous.length === 0, 30_000);
  await expectAllWell(i, 2);
});

it('a disk that fills up while the provider makes the key loses no key and makes no second one', async (context) => {
  const { i, disk } = await onSmallDisk(context);
  const make = { method: 'POST', route: '/consumers/{id}/apikeys' } as const;
  i.simulator.faults.add({ match: make, action: 'delay', ms: 1_000, when: 'after' });
  await i.request('r-1');
  await eventually('the request has arrived', () => writesOf(i)['create-key'] === 1);
  await disk.fill();
  const parked = await i.until('the answer waits for space', (s) => s.rotation?.parked === true);
  expect(parked.rotation).toMatchObject({ step: 'persist', lastError: { code: 'KT-STORE-UNAVAILABLE' } });
  await disk.free();
  await i.until('version 2', (s) => s.current?.version === 2 && s.previous.length === 0, 40_000);
  expect(requestsTo(i, make.method, make.route)).toHaveLength(1);
  await expectAllWell(i, 2);
});

it('on a disk that has become read-only everything can be read, nothing is sent, and it heals', async (context) => {
  const { i, disk } = await onSmallDisk(context);
  const leftOver = join(disk.path, 'store', 'tmp', 'torn');
  await writeFile(leftOver, 'torn');
  await utimes(leftOver, new Date(0), new Date(0));
  await disk.readOnly(true);
  await i.request('r-1');
  const parked = await i.until('it waits', (s) => s.rotation?.parked === true);
  expect(parked.rotation?.lastError?.message).toContain('the file system is read-only');
  for (const command of ['status', 'get', 'history']) {
    expect(await keyturn(i, '--json', command, i.credentialId), command).toMatchObject({ exit: 0 });
  }
  expect(await keyturn(i, '--json', 'keys', 'list')).toMatchObject({ exit: 0 });
  const unavailable = { exit: 6, json: { error: { code: 'KT-STORE-UNAVAILABLE' } } };
  expect(await keyturn(i, '--json', 'lockout', i.credentialId, '--reset', '--reason', 'test')).toMatchObject(
    unavailable,
  );
  expect(await keyturn(i, '--json', 'keys', 'rotate')).toMatchObject({ exit: 2 });
  expect(writesOf(i)).toEqual({});
  await disk.readOnly(false);
  await i.until('version 2', (s) => s.current?.version === 2 && s.previous.length === 0, 40_000);
  await expectAllWell(i, 2);
});
