import { KeyturnError } from '../domain/errors.js';
import { ProviderFailure } from '../domain/failure.js';
import type { LifetimeReading } from '../domain/record.js';
import type { Secret } from '../domain/secret.js';
import type { CredentialValues, KeyInfo, Provider, ProviderContext, Verified } from '../providers/provider.js';

export interface Checked {
  /** Null: the provider could not tell it. */
  readonly keyId: string | null;
  /** The provider has accepted the key. */
  readonly accepted: boolean;
  readonly lifetime: LifetimeReading | null;
  /** Where the provider tells the instant itself; null: without end, undefined: it does not tell. */
  readonly expiresAtMs?: number | null | undefined;
  /** What could not be found out, in words; null when all is known. */
  readonly doubt: string | null;
}

/** Failures that say nothing about the key: it is sealed all the same where its id is known. */
const silent: readonly ProviderFailure['class'][] = ['not-sent', 'outage', 'busy', 'blocked'];

/**
 * Uses the key once, with a read, and finds its id among those of the account.
 * @param key with an empty id where none was given
 * @throws KeyturnError KT-CREDENTIAL-REFUSED, KT-INPUT when it is the key of someone else or has another id
 */
export async function checkImport(
  provider: Provider,
  context: ProviderContext<unknown>,
  key: CredentialValues,
  mainField: Secret,
): Promise<Checked> {
  const keyId = key.keyId === '' ? null : key.keyId;
  let verified: Verified;
  try {
    verified = await provider.verify(context, key, null);
  } catch (error) {
    if (!(error instanceof ProviderFailure)) throw error;
    if (silent.includes(error.class)) return { keyId, accepted: false, lifetime: null, doubt: error.message };
    throw explained(error, provider.capability(context.settings).strikeLimit !== undefined);
  }
  const { lifetime, lostProof, expiresAtMs } = verified;
  if (lostProof === null) {
    if (keyId !== null && verified.keyId !== keyId) throw otherId(verified.keyId);
    return { keyId: verified.keyId, accepted: true, lifetime, expiresAtMs, doubt: null };
  }
  const listing = await listed(provider, context);
  const fitting = listing?.filter(({ prefix }) => prefix !== undefined && mainField.reveal().startsWith(prefix));
  const [only, second] = fitting ?? [];
  if (keyId !== null && fitting && !fitting.some((one) => one.keyId === keyId))
    throw otherId(second ? null : only?.keyId);
  const found = only !== undefined && second === undefined ? only.keyId : null;
  return {
    keyId: keyId ?? found,
    accepted: true,
    lifetime,
    expiresAtMs,
    doubt: fitting && (keyId ?? found) ? null : lostProof,
  };
}

async function listed(provider: Provider, context: ProviderContext<unknown>): Promise<readonly KeyInfo[] | null> {
  try {
    return await provider.inventory(context);
  } catch (error) {
    if (error instanceof ProviderFailure) return null;
    throw error;
  }
}

function otherId(listedAs: string | null | undefined): KeyturnError {
  const seen = listedAs ? `: the provider lists this key as ${listedAs}` : '';
  return new KeyturnError('KT-INPUT', `keyId is not the id of this key${seen}`, {
    hint: 'Correct keyId, or leave it out: it is looked up. Nothing was sealed.',
  });
}

function explained(failure: ProviderFailure, countsStrikes: boolean): Error {
  if (failure.class === 'credential-refused') {
    return new KeyturnError('KT-CREDENTIAL-REFUSED', `${failure.message}: nothing was sealed`, {
      hint: countsStrikes
        ? 'Import the right key; each refused one counts towards the provider’s lockout (`keyturn lockout`).'
        : 'Import the right key.',
    });
  }
  if (failure.facts.code === 'KT-SCOPE-DIFFERS') {
    return new KeyturnError('KT-INPUT', `${failure.message}; nothing was sealed`, {
      hint: 'Import a key of this account, or mend the account in keyturn.yaml.',
    });
  }
  return failure;
}
