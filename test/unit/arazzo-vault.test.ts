import { MockActivityEnvironment } from '@temporalio/testing';
import { expect, test } from 'vitest';
import { isSealed, Values } from '../../src/activities/arazzo-run.js';
import { arazzoVault, type ArazzoVault } from '../../src/custody/arazzo-values.js';
import { openCustody } from '../../src/custody/open.js';
import { createScrubber } from '../../src/custody/scrub.js';
import type { SealingKeys } from '../../src/custody/sealing.js';
import type { ArazzoValues } from '../../src/domain/arazzo.js';
import { Secret } from '../../src/domain/secret.js';
import { openFileStore } from '../../src/stores/file.js';
import { bytesUnder, filesUnder, newKeys, temporaryFolder } from '../support/custody.js';

async function open(path: string, keys: SealingKeys = newKeys('k-a')) {
  const store = await openFileStore({ path });
  const scrubber = createScrubber();
  const custody = await openCustody({ store, keys, scrubber });
  return { vault: arazzoVault({ store, keys, custody }), custody, scrubber };
}

const run = 'arazzo/rotate/1';
const refused = expect.objectContaining({ code: 'KT-ARAZZO-SECRET' });

test.each<unknown>(['a canary in a mine', 7, null, { a: ['canary'] }, ''])(
  'opens to the JSON that was sealed: %j',
  async (value) => {
    const { vault } = await open(await temporaryFolder());
    const sealed = await vault.seal(run, value);
    expect(await vault.open(run, sealed)).toEqual(value);
    expect(Buffer.from(sealed.sealed, 'base64').toString() + sealed.fingerprint).not.toContain('canary');
  },
);

test('the same value has the same fingerprint, the one that it has everywhere, and is kept out of the log', async () => {
  const { vault, custody, scrubber } = await open(await temporaryFolder());
  const [one, two] = [await vault.seal(run, 'a canary'), await vault.seal('arazzo/other/2', 'a canary')];
  expect(one.fingerprint).toBe(two.fingerprint);
  expect(one.fingerprint).toBe(await custody.fingerprint(new Secret('a canary')));
  expect(one.sealed).not.toBe(two.sealed);
  expect(scrubber.scrub('said a canary')).toBe('said [secret]');
});

test('opens for the workflow that it was sealed for, and by the installation that has sealed it', async () => {
  const keys = newKeys('k-a');
  const { vault } = await open(await temporaryFolder(), keys);
  const sealed = await vault.seal(run, 'x');
  const other = await open(await temporaryFolder(), keys);
  const attempts: readonly (readonly [ArazzoVault, string, typeof sealed])[] = [
    [vault, 'arazzo/rotate/2', sealed],
    [other.vault, run, sealed],
    [vault, run, { ...sealed, sealed: `${sealed.sealed.slice(0, -8)}AAAAAAA=` }],
    [vault, run, { ...sealed, fingerprint: 'hmac:00000000000000000000000000000000' }],
    [vault, run, { sealed: 'nonsense', fingerprint: sealed.fingerprint }],
  ];
  for (const [by, id, value] of attempts) await expect(by.open(id, value)).rejects.toThrow(refused);
});

test('a document of any size is kept sealed, in parts, and is gone afterwards', async () => {
  const path = await temporaryFolder();
  const { vault } = await open(path);
  const noise = Array.from({ length: 40_000 }, (_, n) => (n * 2_654_435_761) % 4_294_967_296).join(' ');
  const text = `a canary in the document ${noise}`;
  expect(await vault.read('run-1')).toBeUndefined();
  await vault.keep('run-1', text);
  await vault.keep('run-1', text);
  await vault.keep('run-2', 'small');
  expect(await vault.read('run-1')).toBe(text);
  expect((await filesUnder(path)).length).toBeGreaterThan(3);
  expect((await bytesUnder(path)).includes('a canary')).toBe(false);
  await vault.drop('run-1');
  expect(await vault.read('run-1')).toBeUndefined();
  expect(await vault.read('run-2')).toBe('small');
});

test('a secret leaves a step sealed, as does what holds one that is known, and what only looks sealed', async () => {
  const { vault } = await open(await temporaryFolder());
  const environment = new MockActivityEnvironment();
  const { workflowId = '' } = environment.context.info.workflowExecution ?? {};
  const known = await vault.seal(workflowId, 'a canary in a mine');
  const values = {
    token: 'another canary',
    state: 'kept with a canary in a mine',
    forged: { sealed: 'x', fingerprint: 'y' },
    id: 7,
  };
  let closed: ArazzoValues = {};
  let opened: ArazzoValues = {};
  await environment.run(async () => {
    closed = await new Values(vault, [known]).close(values, (name) => name === 'token');
    opened = await new Values(vault, []).open(closed);
  });
  expect(Object.entries(closed).map(([name, value]) => [name, isSealed(value)])).toEqual([
    ['token', true],
    ['state', true],
    ['forged', true],
    ['id', false],
  ]);
  expect(JSON.stringify(closed)).not.toContain('canary');
  expect(opened).toEqual(values);
});
