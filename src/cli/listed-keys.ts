import { Secret } from '../domain/secret.js';
import type { KeyInfo, ProviderContext } from '../providers/provider.js';
import { type Calling, providerOf } from './provider-calls.js';

/** One key of the provider's listing. */
export interface ListedKey {
  /** Its id as the record and people know it: where the provider's own id is secret, its fingerprint. */
  readonly shown: KeyInfo;
  /** For the provider only. */
  readonly providerId: string;
}

type Where = Pick<Calling, 'credential' | 'vault'>;

/** @throws ProviderFailure as `Provider.inventory` */
export async function listKeys(where: Where, context: ProviderContext<unknown>): Promise<readonly ListedKey[]> {
  const keys = await providerOf(where.credential).inventory(context);
  return Promise.all(
    keys.map(async (key) => ({ shown: { ...key, keyId: await shownId(where, key.keyId) }, providerId: key.keyId })),
  );
}

export async function shownId({ credential, vault }: Where, keyId: string): Promise<string> {
  const { keyIdIsSecret } = providerOf(credential).capability(credential.settings);
  return keyIdIsSecret ? vault.custody.fingerprint(new Secret(keyId)) : keyId;
}
