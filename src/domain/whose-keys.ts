/** The provider's listing against the record: which key is whose. Pure. */
import type { CredentialRecord } from './record.js';

/** One key of the provider's listing, its id as the record shows it. */
export interface SeenKey {
  readonly keyId: string;
  readonly revoked?: boolean;
}

/** A key and whose it is. */
export interface WhoseKey {
  readonly keyId: string;
  /** `foreign`: listed, and nothing of ours. */
  readonly is: 'current' | 'previous' | 'pending' | 'orphan' | 'suspected-orphan' | 'foreign';
  readonly version: number | null;
  readonly listed: boolean;
}

/** Every key that the record or the listing knows. */
export function whoseAreThey(record: CredentialRecord, listing: readonly SeenKey[]): readonly WhoseKey[] {
  const listedIds = new Set(listing.filter(({ revoked }) => revoked !== true).map(({ keyId }) => keyId));
  const ours = [
    ...record.versions.map(({ keyId, stage, version }) => ({ keyId, is: stage, version })),
    ...record.debts.flatMap(({ kind, keyId, version }) => (kind === 'mirror' ? [] : [{ keyId, is: kind, version }])),
  ].map((key) => ({ ...key, listed: listedIds.has(key.keyId) }));
  const known = new Set(ours.map(({ keyId }) => keyId));
  const foreign = [...listedIds]
    .filter((keyId) => !known.has(keyId))
    .map((keyId) => ({ keyId, is: 'foreign', version: null, listed: true }) as const);
  return [...ours, ...foreign];
}

/** Why keyturn does not delete this key, or null: only a debt that stands for a key which nobody needs. */
export function deleteRefusal(record: CredentialRecord, keyId: string): string | null {
  const living = record.versions.find((one) => one.keyId === keyId);
  if (living) return `${keyId} is version ${living.version}, which is ${living.stage}`;
  if (record.debts.some((debt) => debt.keyId === keyId && debt.kind !== 'mirror')) return null;
  return `${keyId} is no suspect: nothing in the record says that keyturn made it`;
}
