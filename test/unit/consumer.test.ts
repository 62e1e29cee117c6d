import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { openVault } from '../../src/compose.js';
import { loadConfig } from '../../src/config.js';
import { createConsumer, resolveCredential, type Consumer, type ConsumerOptions } from '../../src/consumer.js';
import { createKeyFile } from '../../src/custody/key-file.js';
import { firstRecord, importReplacement, type ImportedKey } from '../../src/domain/imports.js';
import { Secret } from '../../src/domain/secret.js';
import { temporaryFolder } from '../support/custody.js';

const credentialId = 'core';
const refreshWithinMs = 300_000;
let folder: string;

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.parse('2026-11-21T04:00:00.000Z') });
  folder = await temporaryFolder();
  await createKeyFile(join(folder, 'key'));
  await writeFile(
    join(folder, 'keyturn.yaml'),
    `version: 1
store: { kind: file, path: store, keyFile: key }
credentials:
  core:
    provider: mambu
    mambu: { baseUrl: https://acme.mambu.com/api, consumerId: 8a8186f9, strategy: create-and-delete }
    policy: { grace: 20m, refreshWithin: 5m }
`,
  );
});
afterEach(() => {
  vi.useRealTimers();
});

/** Puts the next version into the store, as a rotation or an import would. */
async function publish(apiKey: string): Promise<void> {
  const config = await loadConfig(join(folder, 'keyturn.yaml'));
  const { custody, close } = await openVault(config);
  const key: ImportedKey = {
    keyId: `id-of-${apiKey}`,
    fingerprint: await custody.fingerprint(new Secret(apiKey)),
    identity: {
      provider: 'mambu',
      baseUrl: 'https://acme.mambu.com/api',
      account: '8a8186f9',
      strategy: 'create-and-delete',
    },
    secretKey: 'ok',
    nowMs: Date.now(),
  };
  const fields = { apiKey: new Secret(apiKey), secretKey: new Secret(`secret-of-${apiKey}`) };
  const values = { keyId: key.keyId, fields };
  if (await custody.read(credentialId)) {
    await custody.update(credentialId, ({ record, shelf }) => {
      const next = importReplacement(record, key, null);
      if (next.kind !== 'next') throw new Error('the import was refused');
      const versions = { ...shelf.versions, [next.record.highestVersion]: values };
      return { next: { record: next.record, shelf: { ...shelf, versions } }, value: null };
    });
  } else {
    const record = firstRecord(credentialId, await custody.installationId(), key);
    await custody.create(credentialId, { record, shelf: { versions: { '1': values }, intents: {} } });
  }
  await close();
}

async function consumer(options: ConsumerOptions = {}): Promise<Consumer> {
  const made = await createConsumer({ config: join(folder, 'keyturn.yaml'), ...options });
  onTestFinished(() => made.close());
  return made;
}

/** The folder of the store is gone for a while. */
async function withoutStore(work: () => Promise<void>): Promise<void> {
  await rename(join(folder, 'store'), join(folder, 'elsewhere'));
  await writeFile(join(folder, 'store'), '');
  await work();
  await rm(join(folder, 'store'));
  await rename(join(folder, 'elsewhere'), join(folder, 'store'));
}

test('gives what a call needs, without the secret key, and cannot be printed by accident', async () => {
  await publish('first-api-key');
  const resolved = await resolveCredential(credentialId, { config: join(folder, 'keyturn.yaml') });
  expect(resolved).toMatchObject({
    credentialId,
    version: 1,
    keyId: 'id-of-first-api-key',
    baseUrl: 'https://acme.mambu.com/api',
  });
  expect(Object.keys(resolved.fields)).toEqual(['apiKey']);
  expect(resolved.fields['apiKey']?.reveal()).toBe('first-api-key');
  expect(JSON.stringify(resolved.fields)).toBe('{"apiKey":"[secret]"}');
  expect(resolved.acknowledge).toBeUndefined();
});

test('asks the store again after half of refreshWithin, and never keeps a key for longer than all of it', async () => {
  await publish('first-api-key');
  const usual = await consumer();
  const eager = await consumer({ maxAgeMs: 1_000 });
  const lazy = await consumer({ maxAgeMs: 3_600_000 });
  const versions = async () =>
    Promise.all([usual, eager, lazy].map(async (one) => (await one.resolveCredential(credentialId)).version));
  expect(await versions()).toEqual([1, 1, 1]);
  await publish('second-api-key');
  expect(await versions()).toEqual([1, 1, 1]);
  vi.advanceTimersByTime(1_000);
  expect(await versions()).toEqual([1, 2, 1]);
  vi.advanceTimersByTime(refreshWithinMs / 2 - 1_000);
  expect(await versions()).toEqual([2, 2, 1]);
  vi.advanceTimersByTime(refreshWithinMs / 2);
  expect(await versions()).toEqual([2, 2, 2]);
});

test('access tokens that live on do not lengthen how long a key is kept', async () => {
  const apigee = {
    ...{ baseUrl: 'https://apigee.googleapis.com/v1', dialect: 'x', organization: 'acme', developer: 'd@example.com' },
    ...{ app: 'orders', auth: { kind: 'google' }, tokenTtl: '1h' },
  };
  const credentials = { [credentialId]: { provider: 'apigee', apigee, policy: { refreshWithin: '5m' } } };
  const store = { kind: 'file', path: 'store', keyFile: 'key' };
  await writeFile(join(folder, 'keyturn.yaml'), JSON.stringify({ version: 1, store, credentials }));
  await publish('first-api-key');
  const usual = await consumer();
  expect((await usual.resolveCredential(credentialId)).version).toBe(1);
  await publish('second-api-key');
  vi.advanceTimersByTime(refreshWithinMs / 2);
  expect((await usual.resolveCredential(credentialId)).version).toBe(2);
});

test('goes on with the key it has while the store is away, for as long as refreshWithin and no longer', async () => {
  await publish('first-api-key');
  const one = await consumer();
  await one.resolveCredential(credentialId);
  await withoutStore(async () => {
    vi.advanceTimersByTime(refreshWithinMs - 1);
    expect((await one.resolveCredential(credentialId)).version).toBe(1);
    vi.advanceTimersByTime(1);
    await expect(one.resolveCredential(credentialId)).rejects.toMatchObject({ code: 'KT-STORE-UNAVAILABLE' });
  });
  expect((await one.resolveCredential(credentialId)).version).toBe(1);
});

test('after a refusal gives the newer key at once', async () => {
  await publish('first-api-key');
  const one = await consumer();
  const old = await one.resolveCredential(credentialId);
  await publish('second-api-key');
  const newer = await one.afterRefusal(old);
  expect(newer.version).toBe(2);
  expect(await one.resolveCredential(credentialId)).toBe(newer);
  expect(await one.afterRefusal(old)).toBe(newer);
});

test('after a refusal of the newest key reads the store once per refreshWithin, and throws every time', async () => {
  await publish('first-api-key');
  const one = await consumer({ maxAgeMs: refreshWithinMs });
  const refused = await one.resolveCredential(credentialId);
  await expect(one.afterRefusal(refused)).rejects.toMatchObject({ code: 'KT-CREDENTIAL-REFUSED' });
  await publish('second-api-key');
  await expect(one.afterRefusal(refused)).rejects.toMatchObject({ code: 'KT-CREDENTIAL-REFUSED' });
  vi.advanceTimersByTime(refreshWithinMs);
  expect((await one.afterRefusal(refused)).version).toBe(2);
});

test('names what is missing: the credential, its import', async () => {
  await mkdir(join(folder, 'store'));
  const one = await consumer();
  await expect(one.resolveCredential('other')).rejects.toMatchObject({ code: 'KT-UNKNOWN-CREDENTIAL' });
  await expect(one.resolveCredential(credentialId)).rejects.toMatchObject({ code: 'KT-NOT-IMPORTED' });
});

test('can acknowledge where it has a name', async () => {
  await publish('first-api-key');
  const one = await consumer({ acknowledgeAs: 'billing' });
  expect((await one.resolveCredential(credentialId)).acknowledge).toBeTypeOf('function');
});
