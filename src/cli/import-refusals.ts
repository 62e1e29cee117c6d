import type { Opened } from '../custody/custody.js';
import { KeyturnError } from '../domain/errors.js';
import { currentOf, type ProviderIdentity } from '../domain/record.js';
import type { Fields } from '../providers/provider.js';

export interface Replacement {
  readonly credentialId: string;
  readonly opened: Opened | undefined;
  readonly identity: ProviderIdentity;
  readonly revokeOld: boolean;
  /** Once the key was read. */
  readonly fingerprint?: string;
  readonly fields?: Fields;
}

/**
 * Why a key may not replace the current one. Asked before anything is read or sent, and again of the record that is written.
 * @throws KeyturnError KT-NOT-IMPORTED, KT-CONFLICT, KT-REPOINTED, KT-ALREADY-IMPORTED
 */
export function refuseImport(replacement: Replacement): void {
  const { credentialId, opened, identity, revokeOld } = replacement;
  if (!opened) {
    throw new KeyturnError('KT-NOT-IMPORTED', `${credentialId} has no key that could be replaced`, {
      hint: `Import its first one: \`keyturn import ${credentialId}\`.`,
    });
  }
  const { record } = opened;
  if (record.operation !== null) {
    throw new KeyturnError('KT-CONFLICT', `a rotation of ${credentialId} runs: nothing was replaced`, {
      hint: `\`keyturn status ${credentialId}\` shows it; import when it has ended.`,
    });
  }
  const known = currentOf(record)?.identity;
  const moved = known !== undefined && (known.baseUrl !== identity.baseUrl || known.account !== identity.account);
  if (moved && (revokeOld || record.versions.length > 1 || record.debts.length > 0)) {
    throw new KeyturnError(
      'KT-REPOINTED',
      `the old keys of ${credentialId} belong to ${known.account} at ${known.baseUrl}: they could not be retired any more`,
    );
  }
  refuseValue(replacement, opened);
}

function refuseValue({ credentialId, fingerprint, fields }: Replacement, { record, shelf }: Opened): void {
  if (fingerprint === undefined) return;
  const dead = record.destroyed.some((one) => one.fingerprint === fingerprint && one.proof !== 'operator');
  const leaked = record.versions.some((one) => one.fingerprint === fingerprint && one.leaked);
  if (dead || leaked) {
    throw new KeyturnError('KT-CONFLICT', `this key ${dead ? 'was destroyed' : 'has leaked'}: it never comes back`, {
      hint: 'Make a new key at the provider and import that one.',
    });
  }
  const current = currentOf(record);
  if (current?.fingerprint !== fingerprint || !fields) return;
  const sealed = shelf.versions[String(current.version)]?.fields ?? {};
  const isNews = Object.entries(fields).some(([name, value]) => sealed[name]?.reveal() !== value.reveal());
  if (isNews) return;
  throw new KeyturnError('KT-ALREADY-IMPORTED', `this key is the current one of ${credentialId} already`, {
    hint: 'Nothing has to be done.',
  });
}
