import { formatDuration } from '../../domain/duration.js';
import { ProviderFailure } from '../../domain/failure.js';
import type { CredentialValues, KeyInfo, Verified } from '../provider.js';
import type { ApigeeApp } from './answers.js';
import { isSame, lifeOf } from './create.js';
import { type ApigeeKey, differences, keyInfoOf, scopeOf } from './keys.js';
import type { Context, Management } from './management.js';
import { probe } from './probe.js';
import type { ApigeeSettings } from './settings.js';
import { pairOf } from './values.js';

/** Apigee counts from its own clock, twice: two lives that are meant to be the same differ by no more. */
const SAME_LIFE_MS = 60_000;

/** For so long after it was made, a difference may be a read that lags behind. */
const SETTLE_MS = 30_000;

/**
 * Reads the key and its app: the key is there with this secret, approved, not expired, and may do what the old one may at this moment. With
 * `probe` the runtime has to let it pass, too. `old` is null for a key that is imported.
 */
export async function verify(
  management: Management,
  context: Context,
  fresh: CredentialValues,
  old: KeyInfo | null,
): Promise<Verified> {
  const { settings } = context;
  const pair = pairOf(fresh);
  const key = await management.key(context, pair.consumerKey);
  const app = await management.app(context);
  if (old === null) requireDialect(app, settings);
  if (key === null) throw keyRefused('the app has no such key');
  if (!isSame(key, pair)) throw anotherSecret();
  if (key.status !== 'approved') throw keyRefused('its status is not approved');
  if (key.expiresAtMs !== null && key.expiresAtMs <= context.now()) throw keyRefused('it has expired');
  const compared = old === null ? nothing : compare(key, app, old, settings);
  if (compared.scopeDifference.length > 0 && isSettling(key, context.now())) throw notSettled(compared);
  const unproven = compared.scopeDifference.length > 0 ? null : await probe(context, fresh, key.issuedAtMs);
  const lost = [compared.lostProof, unproven].filter((one) => one !== null);
  return {
    keyId: key.consumerKey,
    lifetime: null,
    expiresAtMs: key.expiresAtMs,
    scopeDifference: compared.scopeDifference,
    lostProof: lost.length === 0 ? null : lost.join('; '),
  };
}

/** A read may lag behind the writes that have just equipped the key. */
const isSettling = ({ issuedAtMs }: ApigeeKey, nowMs: number): boolean =>
  issuedAtMs !== null && nowMs - issuedAtMs < SETTLE_MS;

const notSettled = ({ scopeDifference }: Compared): ProviderFailure =>
  new ProviderFailure({
    class: 'busy',
    code: 'KT-PROVIDER-BUSY',
    message: `the app does not show the new key equal to the old one yet: ${scopeDifference.join(', ')}`,
    retryAfterMs: 2_000,
  });

type Compared = Pick<Verified, 'scopeDifference' | 'lostProof'>;
const nothing: Compared = { scopeDifference: [], lostProof: null };

/** With the old key as it is now: whatever somebody has changed since the new one was equipped shows up here. */
function compare(key: ApigeeKey, { keys }: ApigeeApp, old: KeyInfo, settings: ApigeeSettings): Compared {
  const now = keys.find(({ consumerKey }) => consumerKey === old.keyId);
  const was = now === undefined ? old : keyInfoOf(now);
  const pending = key.products.flatMap(({ name, status }) =>
    status === 'approved' || was.scope?.includes(`product:${name}`) === true ? [] : [`product:${name} is too much`],
  );
  if (was.scope !== undefined) {
    const scopeDifference = [
      ...differences(scopeOf(key), was.scope),
      ...pending,
      ...lifeDifference(key, was, settings),
    ];
    return { scopeDifference, lostProof: now === undefined ? goneMeanwhile : null };
  }
  return { scopeDifference: [], lostProof: goneMeanwhile };
}

const goneMeanwhile = 'the old key is not in the app any more: that the new one may do the same is not proven';

/** A life that `keyTtl` asks for is meant to differ from the old one. */
function lifeDifference(key: ApigeeKey, old: KeyInfo, { keyTtlMs }: ApigeeSettings): readonly string[] {
  const life = lifeOf(keyInfoOf(key));
  const wanted = keyTtlMs ?? lifeOf(old);
  if (life === wanted || (life !== null && wanted !== null && Math.abs(life - wanted) <= SAME_LIFE_MS)) return [];
  const said = (ms: number | null): string => (ms === null ? 'for ever' : `for ${formatDuration(roundedMs(ms))}`);
  return [`lives ${said(life)} instead of ${said(wanted)}`];
}

const roundedMs = (ms: number): number => Math.round(ms / 1_000) * 1_000;

/** Reads work whatever the dialect says, and creating a key does not: so it is said when the first one is imported. */
function requireDialect({ looksLike }: ApigeeApp, { dialect }: ApigeeSettings): void {
  if (looksLike === null || looksLike === dialect) return;
  const message = `the management API answers as \`dialect: ${looksLike}\` does, but the configuration says ${dialect}`;
  throw new ProviderFailure({ class: 'rejected', code: 'KT-PROVIDER-ANSWER', message });
}

const keyRefused = (why: string): ProviderFailure =>
  new ProviderFailure({
    class: 'credential-refused',
    code: 'KT-NEW-KEY-REFUSED',
    message: `the key cannot work: ${why}`,
  });

/** Somebody else's key of the same id: it must not be taken back. */
const anotherSecret = (): ProviderFailure =>
  new ProviderFailure({
    class: 'rejected',
    code: 'KT-SCOPE-DIFFERS',
    message: 'the app has this consumerKey with another consumerSecret',
  });
