import { currentOf, type CredentialRecord, type ProviderIdentity } from './record.js';

/** That the configuration names another account than the one the current key belongs to, in words; null where it does not. */
export function repointing(record: CredentialRecord, configured: ProviderIdentity): string | null {
  const known = currentOf(record)?.identity;
  if (!known || (known.baseUrl === configured.baseUrl && known.account === configured.account)) return null;
  return `the key belongs to ${known.account} at ${known.baseUrl}, the configuration now names ${configured.account} at ${configured.baseUrl}`;
}
