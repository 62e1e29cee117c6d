import type { CredentialRecord, LockoutView, RecordView, RotationFacts } from './record.js';

/** What the workflow sees of the record. */
export function viewOf(record: CredentialRecord, lockout: LockoutView | null): RecordView {
  const { history, intents: _intents, seen: _seen, destroyed: _destroyed, noted: _noted, ...rest } = record;
  const [lastRotation = null] = history;
  const before = history.find((h) => !isRefusedRollback(h));
  return { ...rest, lastRotation, ...(before && before !== lastRotation ? { lastBefore: before } : {}), lockout };
}

/** What the last rotation has left: a refused rollback leaves everything as it was. */
export function lastEffect(view: RecordView): RotationFacts | null {
  const { lastRotation, lastBefore } = view;
  return lastRotation && isRefusedRollback(lastRotation) ? (lastBefore ?? null) : lastRotation;
}

function isRefusedRollback({ reason, outcome }: RotationFacts): boolean {
  return reason === 'rollback' && outcome === 'failed';
}
