import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { createAccessLog } from '../../src/custody/access.js';
import type { Custody } from '../../src/custody/custody.js';
import { addKey, removeKey } from '../../src/custody/key-changes.js';
import { createKeyFile, readKeyFile, type FileKeys } from '../../src/custody/key-file.js';
import { createLockout } from '../../src/custody/lockout.js';
import { openCustody } from '../../src/custody/open.js';
import { rewrap, takeCensus } from '../../src/custody/rewrap.js';
import { Secret } from '../../src/domain/secret.js';
import { openFileStore } from '../../src/stores/file.js';
import { StoreFailure, type Store } from '../../src/stores/store.js';
import { bytesUnder, imported, lateAnswer, temporaryFolder } from '../support/custody.js';

const ID = 'core-prod';
const scope = { baseUrl: 'https://acme.mambu.com/api', egress: 'default' };
let path: string;
let keyFile: string;
let store: Store;
let keys: FileKeys;
let custody: Custody;
let old: string;

beforeEach(async () => {
  path = await temporaryFolder();
  keyFile = join(await temporaryFolder(), 'key');
  await createKeyFile(keyFile);
  [store, keys] = [await openFileStore({ path }), await readKeyFile(keyFile)];
  custody = await openCustody({ store, keys });
  old = keys.currentKid;
});

const raised = (one: Custody) =>
  one.update(ID, ({ record, shelf }) => ({
    next: { record: { ...record, epoch: record.epoch + 1 }, shelf },
    value: record.epoch + 1,
  }));
const lockoutOf = (s: Store, k: FileKeys) => createLockout({ store: s, keys: k, clock: Date, limit: 4 });
const accessOf = (s: Store, k: FileKeys) => createAccessLog({ store: s, keys: k, clock: Date });

/** One of everything, some written more than once, one removed. */
async function fill(): Promise<void> {
  await custody.create(ID, imported(await custody.installationId()));
  for (let i = 0; i < 3; i++) await raised(custody);
  await custody.keepLate(ID, lateAnswer(1));
  await custody.keepLate(ID, { ...lateAnswer(1), operationId: 'op-gone' });
  await custody.dropLate(ID, 'op-gone');
  await lockoutOf(store, keys).admit(scope, 'hmac:f', 'op-1');
  await accessOf(store, keys).note(ID, { by: 'me', command: 'get', version: 1, fields: ['apiKey'] });
}

/** What anybody can read with these keys. */
async function everything(one: FileKeys) {
  const s = await openFileStore({ path });
  const c = await openCustody({ store: s, keys: one });
  const opened = await c.read(ID);
  return {
    record: opened?.record,
    value: opened?.shelf.versions['1']?.fields['apiKey']?.reveal(),
    late: (await c.readLate(ID, 'op-1')).map((a) => a.fields['apiKey']?.reveal()),
    fingerprint: await c.fingerprint(new Secret('value')),
    reserved: (await lockoutOf(s, one).view(scope)).reserved,
    accesses: (await accessOf(s, one).read(ID)).map(({ by, version }) => [by, version]),
  };
}

const sealedWith = async (kid: string): Promise<boolean> => (await bytesUnder(path)).includes(`"kid":"${kid}"`);

test('everything in the store is sealed anew, with the same content and sequence, and nothing of the old key is left', async () => {
  await fill();
  const before = await everything(keys);
  const kid = await addKey(keyFile);
  expect((await takeCensus(store)).byKid.get(old)).toEqual({ objects: 5, older: 4 });
  expect(await rewrap(store, keys)).toEqual({ resealed: 5, already: 0, forgotten: 9, failed: [] });
  expect(await takeCensus(store)).toEqual({ byKid: new Map([[kid, { objects: 5, older: 0 }]]), unreadable: [] });
  expect(await sealedWith(old)).toBe(false);
  await removeKey(keyFile, old);
  expect(await everything(await readKeyFile(keyFile))).toEqual(before);
  expect(before).toMatchObject({ record: { epoch: 3, seq: 4 }, value: 'api-1-canary/+"x', reserved: 1 });
  expect(await rewrap(store, keys)).toEqual({ resealed: 0, already: 5, forgotten: 0, failed: [] });
});

test('broken off in the middle it has lost nothing, and ends when it is called again', async () => {
  await fill();
  const before = await everything(keys);
  await addKey(keyFile);
  let writes = 0;
  const failing = new Proxy(store, {
    get: (target, name) => {
      if (name === 'write' && (writes += 1) > 2) throw new StoreFailure('unavailable', 'the disk is full');
      const found: unknown = Reflect.get(target, name, target);
      return typeof found === 'function' ? found.bind(target) : found;
    },
  });
  await expect(rewrap(failing, keys)).rejects.toMatchObject({ code: 'KT-STORE-UNAVAILABLE' });
  expect(await everything(keys)).toEqual(before);
  expect(await rewrap(store, keys)).toMatchObject({ resealed: 3, already: 2, failed: [] });
  expect(await sealedWith(old)).toBe(false);
  expect(await everything(keys)).toEqual(before);
});

test('writers that go on meanwhile lose nothing, and end with the new key without having been told', async () => {
  await fill();
  const kid = await addKey(keyFile);
  const writers = await Promise.all(
    Array.from({ length: 3 }, async () =>
      openCustody({ store: await openFileStore({ path }), keys: await readKeyFile(keyFile) }),
    ),
  );
  const raising = writers.map(async (one) => {
    for (let i = 0; i < 10; i++) await raised(one);
  });
  for (let i = 0; i < 5; i++) expect((await rewrap(store, keys)).failed).toEqual([]);
  await Promise.all(raising);
  expect((await everything(keys)).record).toMatchObject({ epoch: 33, seq: 34 });
  await rewrap(store, keys);
  expect([...(await takeCensus(store)).byKid.keys()]).toEqual([kid]);
});

test('an object that is damaged is named and left, with its older values; the rest is done', async () => {
  await fill();
  await addKey(keyFile);
  const head = join(path, 'objects', `credential~${ID}`, '4');
  const whole = await readFile(head);
  await writeFile(head, whole.subarray(0, -9));
  const done = await rewrap(store, keys);
  expect(done).toMatchObject({ resealed: 4, failed: [{ name: `credential/${ID}`, code: 'KT-STORE-CORRUPT' }] });
  expect(await takeCensus(store)).toMatchObject({ unreadable: [`credential/${ID}`] });
  expect((await takeCensus(store)).byKid.get(old)).toEqual({ objects: 0, older: 3 });
  await writeFile(head, whole);
  expect(await rewrap(store, keys)).toMatchObject({ resealed: 1, failed: [] });
});

test('what a process writes that was frozen until its key was replaced and retired can be read', async () => {
  await fill();
  let kid = '';
  const asleep = new Proxy(store, {
    get: (target, name) => {
      const found: unknown = Reflect.get(target, name, target);
      if (name !== 'write' || kid !== '') return typeof found === 'function' ? found.bind(target) : found;
      return async (...args: Parameters<Store['write']>) => {
        kid = await addKey(keyFile);
        await rewrap(store, await readKeyFile(keyFile));
        await removeKey(keyFile, old);
        return target.write(...args);
      };
    },
  });
  const frozen = await openCustody({ store: asleep, keys: await readKeyFile(keyFile) });
  await frozen.keepLate(ID, { ...lateAnswer(2, 'made-by-the-provider'), operationId: 'op-2' });
  const fresh = await openCustody({ store, keys: await readKeyFile(keyFile) });
  const [answer] = await fresh.readLate(ID, 'op-2');
  expect(answer?.fields['apiKey']?.reveal()).toBe('made-by-the-provider');
  expect((await takeCensus(store)).byKid.get(old)).toEqual({ objects: 0, older: 1 });
});
