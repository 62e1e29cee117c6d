/** One immutable snapshot file of the file store: a line that names its kind and digest, then the bytes. */
import { createHash } from 'node:crypto';
import { StoreFailure } from './store.js';

const FORMAT = 'keyturn-snapshot/1';
const headerPattern = /^keyturn-snapshot\/1 (value|removed) ([0-9a-f]{64})$/;

/** `null` stands for a removed object: its tombstone keeps the sequence from starting anew. */
export function encodeSnapshot(value: Uint8Array | null): Buffer {
  const bytes = value ?? new Uint8Array();
  return Buffer.concat([Buffer.from(`${FORMAT} ${value ? 'value' : 'removed'} ${digest(bytes)}\n`), bytes]);
}

/** @throws StoreFailure `corrupt` */
export function decodeSnapshot(place: string, file: Buffer): Buffer | null {
  const end = file.indexOf('\n');
  const [, kind, expected] = headerPattern.exec(file.toString('latin1', 0, Math.max(end, 0))) ?? [];
  const bytes = file.subarray(end + 1);
  if (kind === undefined || digest(bytes) !== expected) {
    throw new StoreFailure('corrupt', `${place}: the snapshot is damaged`);
  }
  return kind === 'value' ? bytes : null;
}

function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
