import type { CredentialRecord, LockoutView, RecordView } from './record.js';

/** What the workflow sees of the record. */
export function viewOf(record: CredentialRecord, lockout: LockoutView | null): RecordView {
  const { history, intents: _intents, seen: _seen, destroyed: _destroyed, ...rest } = record;
  return { ...rest, lastRotation: history[0] ?? null, lockout };
}
