/** A comparison that finds nothing, to be spoilt by each test in its own way. */
import type { Compared, Sighting } from '../../../src/domain/reconcile.js';
import type { CredentialRecord, DebtFacts } from '../../../src/domain/record.js';
import { hour, identity, minute, previousFacts, recordOf, second, t0, versionFacts } from './facts.js';

export const nowMs = t0 + hour;

export const sighting = (...keys: readonly (string | { keyId: string; revoked: boolean })[]): Sighting => ({
  keys: keys.map((key) => (typeof key === 'string' ? { keyId: key } : key)),
  account: 'listed',
  current: 'works',
  because: null,
  code: null,
});

/** Version 2 is current, version 1 in grace, both listed, and the workflow has seen all of it. */
export function compared(over: Partial<Compared> = {}, record: Partial<CredentialRecord> = {}): Compared {
  return {
    record: recordOf({ seq: 7, versions: [previousFacts(1), versionFacts(2)], highestVersion: 2, ...record }),
    sighting: sighting('key-1', 'key-2'),
    repointed: null,
    workflow: { seq: 7, version: 2, keyId: 'key-2' },
    skewMs: 2 * second,
    settleMs: 0,
    nowMs,
    ...over,
  };
}

export const debt = (kind: DebtFacts['kind'], keyId = 'key-9'): DebtFacts => ({
  kind,
  version: null,
  keyId,
  sinceMs: t0,
  attempts: 3,
  nextAttemptAtMs: nowMs + 10 * minute,
  lastError: { code: 'KT-PROVIDER-BUSY', message: 'busy' },
  identity,
});
