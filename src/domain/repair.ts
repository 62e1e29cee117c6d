/**
 * The repairs of `keyturn reconcile`, as one change of the record. Nothing is removed here: what is to be removed or closed becomes due now,
 * and the workflow's own housekeeping does it, with its checks and proofs.
 */
import type { Finding } from './reconcile.js';
import type { CredentialRecord } from './record.js';
import { patchRetirement } from './transitions.js';

/** @param propagationMs for so long a removed key may still be accepted */
export function repaired(
  record: CredentialRecord,
  findings: readonly Finding[],
  nowMs: number,
  propagationMs: number,
): CredentialRecord {
  return findings.reduce((next, finding) => repairedOne(next, finding, nowMs, propagationMs), record);
}

function repairedOne(
  record: CredentialRecord,
  { repair, version, keyId }: Finding,
  nowMs: number,
  propagationMs: number,
): CredentialRecord {
  switch (repair) {
    case 'retry':
      if (version !== null) return patchRetirement(record, version, { nextAttemptAtMs: nowMs });
      return {
        ...record,
        debts: record.debts.map((d) =>
          d.kind === 'orphan' && d.keyId === keyId ? { ...d, nextAttemptAtMs: nowMs } : d,
        ),
      };
    case 'close': {
      const old = record.versions.find((v) => v.version === version);
      // Nothing is left to suspend; the death is proven after propagation, by another listing.
      return patchRetirement(record, version ?? 0, {
        state: 'revoking',
        suspendedAtMs: old?.retirement?.suspendedAtMs ?? nowMs,
        deletedAtMs: nowMs,
        nextAttemptAtMs: nowMs + propagationMs,
      });
    }
    case 'forget':
      return { ...record, debts: record.debts.filter((d) => d.kind !== 'suspected-orphan' || d.keyId !== keyId) };
    case 'tell':
    case null:
      return record;
    default:
      return repair satisfies never;
  }
}

/** The workflow has dealt with what these repairs made due: done, or tried and planned anew. */
export function isDealtWith(record: CredentialRecord, repairs: readonly Finding[], nowMs: number): boolean {
  return repairs.every(({ repair, version, keyId }) => {
    if (repair !== 'retry' && repair !== 'close') return true;
    const due =
      version !== null
        ? record.versions.find((v) => v.version === version)?.retirement
        : record.debts.find((d) => d.kind === 'orphan' && d.keyId === keyId);
    return !due || (due.nextAttemptAtMs !== null && due.nextAttemptAtMs > nowMs);
  });
}

/** No rotation, import or removal came between: what was listed in between may be judged by this record. */
export function hasSameKeys(a: CredentialRecord, b: CredentialRecord): boolean {
  const keysOf = ({ versions, debts, operation }: CredentialRecord): string =>
    JSON.stringify([
      versions.map(({ version, keyId, stage }) => [version, keyId, stage]),
      debts.map(({ kind, keyId }) => [kind, keyId]),
      operation?.operationId ?? null,
    ]);
  return keysOf(a) === keysOf(b);
}
