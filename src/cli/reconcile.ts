/** The provider's listing against the record: which key is whose. Pure. */
import { type CredentialRecord, currentOf } from '../domain/record.js';
import type { KeyInfo } from '../providers/provider.js';

export interface ComparedKey {
  readonly keyId: string;
  /** `foreign`: listed, and nothing of ours. */
  readonly is: 'current' | 'previous' | 'pending' | 'orphan' | 'suspected-orphan' | 'foreign';
  readonly version: number | null;
  readonly listed: boolean;
  /** What an operator should know of it; null where all is as it should be. */
  readonly note: string | null;
}

export function compare(record: CredentialRecord, listing: readonly KeyInfo[]): readonly ComparedKey[] {
  const listedIds = new Set(listing.filter(({ revoked }) => revoked !== true).map(({ keyId }) => keyId));
  const versions = record.versions.map(({ keyId, stage, version }): ComparedKey => {
    const listed = listedIds.has(keyId);
    return { keyId, is: stage, version, listed, note: listed ? null : missing(record, version) };
  });
  const debts = record.debts.flatMap(({ kind, keyId, version }): ComparedKey[] => {
    if (kind === 'mirror') return [];
    const listed = listedIds.has(keyId);
    const note = kind === 'orphan' ? 'keyturn removes it by itself' : 'may be ours: see `--delete`';
    return [{ keyId, is: kind, version, listed, note }];
  });
  const ours = new Set([...versions, ...debts].map(({ keyId }) => keyId));
  const foreign = [...listedIds]
    .filter((keyId) => !ours.has(keyId))
    .map((keyId): ComparedKey => ({ keyId, is: 'foreign', version: null, listed: true, note: null }));
  return [...versions, ...debts, ...foreign];
}

function missing(record: CredentialRecord, version: number): string {
  if (currentOf(record)?.version === version) return 'the current key is not listed: import a working key';
  const old = record.versions.find((one) => one.version === version);
  return old?.providerDiesAtMs === null
    ? 'not listed: it was removed by someone else'
    : 'not listed during the provider’s grace';
}

/** Why keyturn does not delete this key, or null: only a debt that stands for a key which nobody needs. */
export function deleteRefusal(record: CredentialRecord, keyId: string): string | null {
  const living = record.versions.find((one) => one.keyId === keyId);
  if (living) return `${keyId} is version ${living.version}, which is ${living.stage}`;
  if (record.debts.some((debt) => debt.keyId === keyId && debt.kind !== 'mirror')) return null;
  return `${keyId} is no suspect: nothing in the record says that keyturn made it`;
}
