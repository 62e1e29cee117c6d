import { CALLS_PER_ACTIVITY } from '../../domain/capability.js';
import { ProviderFailure } from '../../domain/failure.js';
import type { CredentialValues, Equipped, KeyInfo } from '../provider.js';
import { readKey } from './answers.js';
import { envelopeOf } from './envelope.js';
import { isSuccess, refusalOf, unusable } from './errors.js';
import { type ApigeeKey, differences, type Grants, grantsOf, scopeOf } from './keys.js';
import type { Context, Management } from './management.js';
import { approveProduct, type Operation, removeProduct, updateKey } from './requests.js';
import { consumerKeyOf } from './values.js';

/** When reads lag behind a write, they do so for seconds. */
const LAG_MS = 2_000;

/** One call of an activity's share (`CALLS_PER_ACTIVITY`) is the read, and one is left for a token that has to be renewed. */
const WRITES_AT_ONCE = CALLS_PER_ACTIVITY - 2;

/**
 * Gives the new key what is approved on the old one at this moment, by as few writes as that takes: nothing when it has it already. First
 * what is too much is taken away, so that it never has more. An approval that we may not give is what has to be waited for; what one call has
 * no share of the quota for is left to the next.
 */
export async function equip(
  management: Management,
  context: Context,
  fresh: CredentialValues,
  old: KeyInfo,
): Promise<Equipped> {
  const { settings } = context;
  const consumerKey = consumerKeyOf(fresh);
  const { keys } = await management.app(context);
  const model = keys.find((key) => key.consumerKey === old.keyId);
  const listed = keys.find((key) => key.consumerKey === consumerKey);
  if (model === undefined) {
    // One listing is not a verdict, which would ask for an operator.
    const exists = (await management.key(context, old.keyId)) !== null;
    throw exists ? notListed('the old key, which it has') : oldKeyGone();
  }
  if (listed === undefined) throw notListed('the new key yet');
  const wanted = grantsOf(model);

  const tooMuch = listed.products.filter(({ name }) => !wanted.products.includes(name));
  for (const { name } of tooMuch.slice(0, WRITES_AT_ONCE)) {
    await takeAway(management, context, removeProduct(settings, consumerKey, name));
  }
  if (tooMuch.length >= WRITES_AT_ONCE) return { waitingFor: [], more: true };
  const equipped = await add(management, context, listed, wanted);
  const written = tooMuch.length + (equipped === listed ? 0 : 1);
  const unapproved = equipped.products.filter((one) => isUnapproved(one) && wanted.products.includes(one.name));
  return approveAll(management, context, consumerKey, unapproved, WRITES_AT_ONCE - written);
}

/** Where one is refused, so would be the rest that is not asked for now: all that are pending are waited for. */
async function approveAll(
  management: Management,
  context: Context,
  consumerKey: string,
  unapproved: ApigeeKey['products'],
  writes: number,
): Promise<Equipped> {
  const refused: string[] = [];
  for (const { name } of unapproved.slice(0, writes)) {
    const approved = await approve(management, context, approveProduct(context.settings, consumerKey, name));
    if (!approved) refused.push(name);
  }
  const left = unapproved.slice(writes).map(({ name }) => name);
  if (refused.length === 0) return left.length === 0 ? { waitingFor: [] } : { waitingFor: [], more: true };
  return { waitingFor: [...refused, ...left].map((name) => `approval:${name}`).toSorted() };
}

const isUnapproved = ({ status }: { readonly status: string }): boolean => status !== 'approved';

/** One update for products, scopes and attributes: what it does not name may be wiped (updateDeveloperAppKey: "replaced"). */
async function add(management: Management, context: Context, key: ApigeeKey, wanted: Grants): Promise<ApigeeKey> {
  const products = wanted.products.filter((name) => !key.products.some((one) => one.name === name));
  if (products.length === 0 && isSameBesideProducts(key, wanted)) return key;
  const operation = updateKey(context.settings, key.consumerKey, { ...wanted, products });
  const answer = await repeatable(management.succeed(context, operation));
  const updated = readKey(answer);
  if (updated?.consumerKey === key.consumerKey) return updated;
  throw unusable(answer, { ...operation, effect: 'read' }, 'the answer is not that key');
}

function isSameBesideProducts(key: ApigeeKey, { scopes, attributes }: Grants): boolean {
  const own = scopeOf({ ...key, products: [] });
  return differences(own, scopeOf({ ...key, products: [], scopes, attributes })).length === 0;
}

/** False: not permitted to us. */
async function approve(management: Management, context: Context, operation: Operation): Promise<boolean> {
  const answer = await repeatable(management.send(context, operation));
  if (isSuccess(answer)) return true;
  if (answer.status === 403 && envelopeOf(answer).isApigee) return false;
  throw asOutage(refusalOf(answer, operation, context.settings, context.now()));
}

/** Where it is not associated any more, X answers 400 and Edge 500. */
async function takeAway(management: Management, context: Context, operation: Operation): Promise<void> {
  const answer = await repeatable(management.send(context, operation));
  const { code } = envelopeOf(answer);
  if (isSuccess(answer) || code === 'keymanagement.service.ProductNotAssociatedWithKey') return;
  throw asOutage(refusalOf(answer, operation, context.settings, context.now()));
}

/** These writes may be repeated at will, so that an unknown outcome is no more than an outage. */
function asOutage(error: unknown): unknown {
  if (!(error instanceof ProviderFailure) || error.class !== 'unknown') return error;
  return new ProviderFailure({ ...error.facts, class: 'outage' });
}

async function repeatable<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    throw asOutage(error);
  }
}

const notListed = (what: string): ProviderFailure =>
  new ProviderFailure({
    class: 'busy',
    code: 'KT-PROVIDER-BUSY',
    message: `the app does not list ${what}`,
    retryAfterMs: LAG_MS,
  });

const oldKeyGone = (): ProviderFailure =>
  new ProviderFailure({
    class: 'rejected',
    code: 'KT-CAPABILITY-LOST',
    message: 'the old key is not in the app any more, so that nobody knows what the new one must be allowed to do',
  });
