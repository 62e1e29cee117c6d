/** Going back to a version in grace: its value is published again, as a new version. */
import {
  currentOf,
  type CredentialRecord,
  type RotationFacts,
  type RotationPolicy,
  type VersionFacts,
} from './record.js';
import { beginRetirement, providerEndMs, retireDueMs } from './retirement.js';
import { abandonPending, closeOperation, killLeaked, type Transition } from './transitions.js';

const tooLate = {
  held: 'is held, and its provider cannot restore it',
  revoking: 'is being revoked',
  debt: 'is to be removed, which has been tried already',
} as const;

/** Why a rollback to this version is refused, or null. `nowMs` matters for keys with an end of life of their own. */
export function rollbackRefusal(
  record: Pick<CredentialRecord, 'versions' | 'operation'>,
  toVersion: number,
  policy: RotationPolicy,
  providerGrace: boolean,
  restorable: boolean,
  nowMs: number,
): string | null {
  const target = record.versions.find((v) => v.version === toVersion);
  if (record.operation !== null) return 'a rotation is in progress';
  if (!target) return `version ${toVersion} does not exist any more`;
  if (target.stage === 'current') return `version ${toVersion} is current already`;
  const r = target.retirement;
  if (!r) return `version ${toVersion} was never published`;
  if (providerGrace || target.providerDiesAtMs !== null) {
    return 'the provider ends the old key by itself: a rotation in place cannot be taken back';
  }
  if (target.leaked) return `version ${toVersion} has leaked`;
  const held = r.state === 'held' && restorable;
  if (!held && r.state !== 'in-grace') return `version ${toVersion} ${tooLate[r.state]}`;
  if (!held && retireDueMs(target, 0) <= nowMs) return `the grace of version ${toVersion} is over`;
  const ends = providerEndMs(target);
  if (ends !== null && ends - nowMs < policy.refreshWithinMs + policy.graceMs) {
    return `version ${toVersion} expires too soon at the provider`;
  }
  return null;
}

/** Republishes the value of an older version as a new version; the version that was current goes into grace, the older facts are dropped. */
export function rollBack(
  record: CredentialRecord,
  toVersion: number,
  policy: RotationPolicy,
  rotation: Omit<RotationFacts, 'version'>,
): Transition {
  if (record.history.some((h) => h.operationId === rotation.operationId)) return { kind: 'done' };
  const target = record.versions.find((v) => v.version === toVersion);
  const current = currentOf(record);
  const state = target?.retirement?.state;
  if (!target || !current || record.operation || (state !== 'in-grace' && state !== 'held') || target.leaked) {
    return { kind: 'lost', because: 'the versions have moved on' };
  }
  const version = record.highestVersion + 1;
  const nowMs = rotation.endedAtMs;
  const restored: VersionFacts = {
    ...target,
    version,
    stage: 'current',
    publishedAtMs: nowMs,
    retirement: null,
    operationId: rotation.operationId,
  };
  const by = { version, keyId: target.keyId, verified: target.verifiedAtMs !== null };
  const left = abandonPending(record, nowMs);
  const versions = left.versions.flatMap((v): VersionFacts[] => {
    if (v.version === toVersion) return [];
    if (v.version !== current.version) return [v];
    return [{ ...v, stage: 'previous', retirement: beginRetirement(v, by, policy, record.acknowledged, nowMs) }];
  });
  const restoredRecord = killLeaked({ ...left, highestVersion: version, versions: [...versions, restored] });
  return { kind: 'next', record: closeOperation(restoredRecord, { ...rotation, version }, nowMs) };
}
