/** What the provider says of our keys, for a comparison: one listing, and one read with the current key. Only reads. */
import { isErrorCode, type ErrorCode } from '../domain/errors.js';
import { ProviderFailure, type FailureClass } from '../domain/failure.js';
import type { SeenKey } from '../domain/whose-keys.js';
import type { Sighting } from '../domain/reconcile.js';
import type { KeyInfo, Provider, ProviderContext } from './provider.js';

export interface Looking {
  readonly provider: Provider;
  /** Its credential is the current key. */
  readonly context: ProviderContext<unknown>;
  /** A key's id as the record shows it. */
  readonly shown: (keyId: string) => Promise<string>;
}

/** @throws ProviderFailure where nothing can be learnt now: an outage, a missing permission to list */
export async function look(looking: Looking): Promise<Sighting> {
  const { provider, context, shown } = looking;
  try {
    const listed = await provider.inventory(context);
    const keys = await Promise.all(listed.map(async (key) => seen(key, await shown(key.keyId))));
    const current = listed.find(({ keyId }) => keyId === context.credential.keyId);
    // A key that is known to be dead would only cost a strike.
    const isDead = !current || current.revoked === true || hasEnded(current, context.now());
    return { keys, account: 'listed', code: null, ...(isDead ? notTried : await tryCurrent(looking)) };
  } catch (error) {
    const account = error instanceof ProviderFailure ? accountBy(error) : null;
    if (account === null || !(error instanceof ProviderFailure)) throw error;
    // Where another credential manages the keys it is that one which was refused; the key's own refusal is not sent twice.
    const { current } = account === 'refused' ? await tryCurrent(looking) : notTried;
    return { keys: null, account, current, because: error.message, code: codeOf(error) };
  }
}

const seen = ({ revoked = false }: KeyInfo, keyId: string): SeenKey => ({ keyId, ...(revoked ? { revoked } : {}) });

const hasEnded = ({ expiresAtMs = null }: KeyInfo, nowMs: number): boolean =>
  expiresAtMs !== null && expiresAtMs <= nowMs;

type Tried = Pick<Sighting, 'current' | 'because'>;
const notTried: Tried = { current: 'not-tried', because: null };

async function tryCurrent({ provider, context }: Looking): Promise<Tried> {
  try {
    await provider.verify(context, context.credential, null);
    return { current: 'works', because: null };
  } catch (error) {
    if (!(error instanceof ProviderFailure)) throw error;
    const because = error.message;
    if (error.class === 'credential-refused') return { current: 'refused', because };
    if (error.facts.code === 'KT-SCOPE-DIFFERS') return { current: 'other-value', because };
    return { current: 'not-tried', because };
  }
}

const accounts: Partial<Record<FailureClass, Sighting['account']>> = {
  absent: 'gone',
  'credential-refused': 'refused',
  blocked: 'not-asked',
};

function accountBy({ class: kind, facts }: ProviderFailure): Sighting['account'] | null {
  return facts.code === 'KT-CONSUMER-GONE' ? 'gone' : (accounts[kind] ?? null);
}

function codeOf({ facts: { code } }: ProviderFailure): ErrorCode {
  return isErrorCode(code) ? code : 'KT-PROVIDER-ERROR';
}
