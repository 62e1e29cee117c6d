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

/** @throws ProviderFailure as `Provider.inventory` */
export async function listKeys(
  { credential, vault }: Pick<Calling, 'credential' | 'vault'>,
  context: ProviderContext<unknown>,
): Promise<readonly ListedKey[]> {
  const provider = providerOf(credential);
  const { keyIdIsSecret } = provider.capability(credential.settings);
  const keys = await provider.inventory(context);
  return Promise.all(
    keys.map(async (key) => {
      const keyId = keyIdIsSecret ? await vault.custody.fingerprint(new Secret(key.keyId)) : key.keyId;
      return { shown: { ...key, keyId }, providerId: key.keyId };
    }),
  );
}
