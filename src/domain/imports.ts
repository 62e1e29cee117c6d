/** Sealing a key that was made by hand: the first one, or the replacement that mends a lost capability. */
import { beginRetirement } from './retirement.js';
import {
  currentOf,
  type CredentialRecord,
  type ProviderIdentity,
  type RotationPolicy,
  type VersionFacts,
} from './record.js';
import type { Transition } from './transitions.js';

export interface ImportedKey {
  readonly keyId: string;
  readonly fingerprint: string;
  readonly identity: ProviderIdentity;
  readonly secretKey: 'ok' | null;
  readonly nowMs: number;
}

function importedVersion(version: number, key: ImportedKey): VersionFacts {
  return {
    version,
    stage: 'current',
    keyId: key.keyId,
    fingerprint: key.fingerprint,
    operationId: `import/${version}`,
    identity: key.identity,
    createdAtMs: key.nowMs,
    publishedAtMs: key.nowMs,
    verifiedAtMs: null,
    expiresAtMs: null,
    lifetime: null,
    providerDiesAtMs: null,
    secretKey: key.secretKey,
    leaked: false,
    retirement: null,
  };
}

export function firstRecord(credentialId: string, installationId: string, key: ImportedKey): CredentialRecord {
  return {
    schemaVersion: 1,
    installationId,
    credentialId,
    provider: key.identity.provider,
    seq: 1,
    epoch: 0,
    highestVersion: 1,
    versions: [importedVersion(1, key)],
    operation: null,
    intents: [],
    debts: [],
    acknowledged: [],
    paused: null,
    waiting: [],
    capabilityLost: null,
    lostProofs: null,
    seen: [],
    history: [],
    destroyed: [],
  };
}

/**
 * The imported key becomes current as the next version. The replaced version is forgotten (`proof: operator`) or, with `revokeOld`, retired
 * with grace; where the key is the same and only the secret key is new, nothing is retired.
 */
export function importReplacement(
  record: CredentialRecord,
  key: ImportedKey,
  revokeOld: { readonly policy: RotationPolicy } | null,
): Transition {
  if (record.operation !== null) return { kind: 'lost', because: 'a rotation is in progress' };
  const current = currentOf(record);
  const version = record.highestVersion + 1;
  const fresh = importedVersion(version, key);
  const sameKey = current !== undefined && current.fingerprint === key.fingerprint;
  const retire = (v: VersionFacts): VersionFacts => ({
    ...v,
    stage: 'previous',
    retirement: beginRetirement(
      v,
      { version, keyId: key.keyId, verified: true },
      revokeOld?.policy ?? noPolicy,
      record.acknowledged,
      key.nowMs,
    ),
  });
  const versions = record.versions.flatMap((v) => {
    if (v.stage !== 'current') return [v];
    return revokeOld && !sameKey ? [retire(v)] : [];
  });
  const forgotten =
    current && !sameKey && !revokeOld
      ? [
          {
            version: current.version,
            keyId: current.keyId,
            fingerprint: current.fingerprint,
            destroyedAtMs: key.nowMs,
            proof: 'operator' as const,
          },
        ]
      : [];
  const kept =
    sameKey && current
      ? { expiresAtMs: current.expiresAtMs, verifiedAtMs: current.verifiedAtMs, createdAtMs: current.createdAtMs }
      : {};
  return {
    kind: 'next',
    record: {
      ...record,
      highestVersion: version,
      versions: [...versions, { ...fresh, ...kept }],
      destroyed: [...forgotten, ...record.destroyed],
      capabilityLost: null,
      lostProofs: null,
    },
  };
}

const noPolicy: RotationPolicy = {
  graceMs: 0,
  refreshWithinMs: 0,
  minIntervalMs: 0,
  renewBeforeMs: 0,
  activationLagMs: 0,
  consumers: [],
};
