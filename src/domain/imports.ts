/** Sealing a key that was made by hand: the first one, or the replacement that mends a lost capability. */
import { beginRetirement } from './retirement.js';
import {
  bounds,
  currentOf,
  type CredentialRecord,
  type DestroyedFacts,
  type ProviderIdentity,
  type RotationPolicy,
  type VersionFacts,
} from './record.js';
import { abandonPending, type Transition } from './transitions.js';

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
 * with grace; where the key is the same and only the secret key is new, nothing is retired. A key that keyturn knows already keeps its
 * life, and one that leaked or was removed does not come back.
 */
export function importReplacement(
  record: CredentialRecord,
  key: ImportedKey,
  revokeOld: { readonly policy: RotationPolicy } | null,
): Transition {
  const current = currentOf(record);
  const known = record.versions.find((v) => v.fingerprint === key.fingerprint);
  const because = refusal(record, key, known);
  if (because !== null) return { kind: 'lost', because };
  const version = record.highestVersion + 1;
  const fresh: VersionFacts = { ...importedVersion(version, key), ...(known ? lifeOf(known) : {}) };
  const replaced = current && current !== known ? current : null;
  const versions = record.versions.flatMap((v): VersionFacts[] => {
    if (v !== known && v !== current) return [v];
    return v === replaced && revokeOld ? [retired(v, fresh, revokeOld.policy, record)] : [];
  });
  const forgotten: readonly DestroyedFacts[] = replaced && !revokeOld ? [forgottenAt(replaced, key.nowMs)] : [];
  const next: CredentialRecord = {
    ...record,
    highestVersion: version,
    versions: [...versions, fresh],
    destroyed: [...forgotten, ...record.destroyed].slice(0, bounds.history),
    capabilityLost: null,
    lostProofs: null,
  };
  return { kind: 'next', record: abandonPending(next, key.nowMs) };
}

function refusal(record: CredentialRecord, key: ImportedKey, known: VersionFacts | undefined): string | null {
  if (record.operation !== null) return 'a rotation is in progress';
  if (record.destroyed.some((d) => d.fingerprint === key.fingerprint && d.proof !== 'operator'))
    return 'this key has been removed at the provider';
  if (!known?.retirement) return null;
  if (known.leaked) return `this key is version ${known.version}, which has leaked`;
  const { state } = known.retirement;
  return state === 'in-grace' || state === 'held' ? null : `this key is version ${known.version}, which is ${state}`;
}

function lifeOf({ createdAtMs, verifiedAtMs, expiresAtMs, lifetime, providerDiesAtMs, leaked }: VersionFacts) {
  return { createdAtMs, verifiedAtMs, expiresAtMs, lifetime, providerDiesAtMs, leaked };
}

function retired(
  old: VersionFacts,
  fresh: VersionFacts,
  policy: RotationPolicy,
  { acknowledged }: CredentialRecord,
): VersionFacts {
  const by = { version: fresh.version, keyId: fresh.keyId, verified: true };
  return {
    ...old,
    stage: 'previous',
    retirement: beginRetirement(old, by, policy, acknowledged, fresh.publishedAtMs ?? 0),
  };
}

function forgottenAt({ version, keyId, fingerprint }: VersionFacts, destroyedAtMs: number): DestroyedFacts {
  return { version, keyId, fingerprint, destroyedAtMs, proof: 'operator' };
}
