/** One immutable snapshot file of the file store: a line that names its kind and digest, then the bytes. */
import { createHash } from 'node:crypto';
import { StoreFailure } from './store.js';

const FORMAT = 'keyturn-snapshot/1';
const headerPattern = /^keyturn-snapshot\/1 (value|removed|forgotten) ([0-9a-f]{64})$/;

export interface Snapshot {
  /** `forgotten` stands only where a newer snapshot has long taken over: it holds the name and nothing else. */
  readonly kind: 'value' | 'removed' | 'forgotten';
  readonly bytes: Buffer;
}

/** `null` stands for a removed object: its tombstone keeps the sequence from starting anew. */
export function encodeSnapshot(value: Uint8Array | null): Buffer {
  return encoded(value ? 'value' : 'removed', value ?? new Uint8Array());
}

export const forgottenSnapshot = encoded('forgotten', new Uint8Array());

/** @throws StoreFailure `corrupt` */
export function decodeSnapshot(place: string, file: Buffer): Snapshot {
  const end = file.indexOf('\n');
  const [, kind, expected] = headerPattern.exec(file.toString('latin1', 0, Math.max(end, 0))) ?? [];
  const bytes = file.subarray(end + 1);
  if (kind === undefined || digest(bytes) !== expected) {
    throw new StoreFailure('corrupt', `${place}: the snapshot is damaged`);
  }
  return { kind: kind as Snapshot['kind'], bytes };
}

function encoded(kind: Snapshot['kind'], bytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`${FORMAT} ${kind} ${digest(bytes)}\n`), bytes]);
}

function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
