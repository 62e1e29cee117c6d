import { ProviderFailure } from '../../domain/failure.js';
import type { CredentialValues, KeyInfo, Verified } from '../provider.js';
import { callOf, type Context, listingOf } from './calls.js';
import { lacksPermission, refusalOf } from './errors.js';
import { locate } from './keys.js';
import { isSuccess } from './reasons.js';
import * as requests from './requests.js';
import { keysPath } from './settings.js';

const unproven = 'it is not proven that the key belongs to this API consumer, nor when it expires';

/** Lists the consumer's keys with the fresh key: that proves in one read that it works, and that it belongs to this consumer. */
export async function verify(context: Context, fresh: CredentialValues, old: KeyInfo | null): Promise<Verified> {
  const { settings } = context;
  const apiKey = requests.fieldOf(fresh, 'apiKey');
  const isListing = settings.verifyPath === keysPath;
  const request = requests.probe(settings, requests.byApiKey(apiKey));
  const call = callOf(request, 'the new key', isListing ? 'VIEW_API_CONSUMERS_AND_KEYS' : null);
  const answer = await context.send(request);
  const proven = { keyId: fresh.keyId, lifetime: null, scopeDifference: [] } as const;
  if (lacksPermission(answer)) {
    const permission = call.permission ?? `the permission for ${call.route}`;
    return { ...proven, lostProof: `without ${permission} ${unproven}` };
  }
  if (!isSuccess(answer)) throw refusalOf(answer, call, context.now());
  if (!isListing) return { ...proven, lostProof: `verify.path reads ${request.route}: ${unproven}` };

  const place = locate(fresh, apiKey, listingOf(answer, call, context.now()), old);
  switch (place.found) {
    case 'listed':
    case 'renamed':
      return { ...proven, keyId: place.key.keyId, lifetime: place.key.lifetime ?? null, lostProof: null };
    case 'ambiguous':
      return { ...proven, lostProof: `several listed keys begin like the new one, none has its id: ${unproven}` };
    case 'absent': {
      const message = 'the new key works, but is not among the keys of this API consumer: it belongs to another one';
      throw new ProviderFailure({ class: 'rejected', code: 'KT-SCOPE-DIFFERS', message });
    }
    default:
      return place satisfies never;
  }
}
