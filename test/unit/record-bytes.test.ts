import { deflateRawSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { keyFromBase64 } from '../../src/custody/gcm.js';
import { decodeRecord, encodeRecord } from '../../src/custody/record-bytes.js';
import { newDebt } from '../../src/domain/transitions.js';
import { Secret } from '../../src/domain/secret.js';
import { imported, nowMs, record, shelf, versionFacts } from '../support/custody.js';

const installationId = '6f1c1f9e-9d5e-4a53-8a52-2f2f5f0c1d2e';
const first = imported(installationId);
const opened = { ...first, record: { ...first.record, seq: 1 } };
const corrupt = expect.objectContaining({ code: 'KT-STORE-CORRUPT' });

function thrown(bytes: Buffer): unknown {
  try {
    return decodeRecord(bytes);
  } catch (error) {
    return error;
  }
}

test('bytes that are cut, damaged or grow beyond a megabyte are no record', () => {
  const { bytes } = encodeRecord(opened, undefined);
  expect(decodeRecord(bytes).record.credentialId).toBe('core-prod');
  for (const length of [0, 3, 4, 40, bytes.length - 1]) expect(thrown(bytes.subarray(0, length))).toEqual(corrupt);
  const damaged = Buffer.from(bytes);
  damaged.fill(0xff, 4, 24);
  expect(thrown(damaged)).toEqual(corrupt);
  const facts = deflateRawSync(JSON.stringify({ ...opened.record, seen: ['x'.repeat(2 * 1024 * 1024)] }));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(facts.length);
  expect(thrown(Buffer.concat([length, facts]))).toMatchObject({ message: 'the facts of a record are damaged' });
});

test('the id of a key in debt is kept where the facts show a fingerprint for it, and nowhere else', () => {
  const identity = versionFacts(1).identity;
  const owing = (keyId: string) => ({
    record: {
      ...record(installationId, [versionFacts(2)]),
      seq: 1,
      debts: [newDebt('orphan', keyId, identity, nowMs)],
    },
    shelf: shelf(2),
  });
  const debtsAfter = (before: typeof opened | undefined) => encodeRecord(owing('key-1'), before).opened.shelf.debts;
  const secretId = { ...opened, shelf: { versions: { 1: { keyId: 'real-id', fields: {} } }, intents: {} } };
  expect(debtsAfter(secretId)?.['key-1']?.reveal()).toBe('real-id');
  expect(debtsAfter(opened)).toBeUndefined();
  expect(debtsAfter(undefined)).toBeUndefined();
  expect(encodeRecord(owing('stranger'), secretId).opened.shelf).not.toHaveProperty('debts');
  const known = { ...owing('key-1'), shelf: { ...shelf(2), debts: { 'key-1': new Secret('kept') } } };
  expect(encodeRecord(known, undefined).opened.shelf.debts?.['key-1']?.reveal()).toBe('kept');
});

test('a key has one way of being written in base64', () => {
  const zeros = Buffer.alloc(32).toString('base64');
  expect(keyFromBase64(zeros)).toBeDefined();
  for (const other of [
    zeros.replace('A=', 'B='),
    zeros.slice(0, -1),
    ` ${zeros}`,
    Buffer.alloc(31).toString('base64'),
  ]) {
    expect(keyFromBase64(other)).toBeUndefined();
  }
});
