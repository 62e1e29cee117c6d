import type {
  CredentialValues,
  KeyInfo,
  ProviderAnswer,
  ProviderContext,
  ProviderRequest,
  RequestAuth,
} from '../provider.js';
import { type MambuCall, type MambuPermission, refusalOf, unusable } from './errors.js';
import { readListedKeys } from './keys.js';
import { isSuccess } from './reasons.js';
import { byApiKey, fieldOf } from './requests.js';
import type { MambuSettings } from './settings.js';

export type Context = ProviderContext<MambuSettings>;

/** Who makes a call: the proof, and the words for messages. */
export interface Caller {
  readonly auth: RequestAuth;
  readonly by: string;
}

/** The key of a version, to authenticate a call with. */
export function callerOf(values: CredentialValues, by: string): Caller {
  return { auth: byApiKey(fieldOf(values, 'apiKey')), by };
}

export function callOf(
  { method, route, effect }: ProviderRequest,
  by: string,
  permission: MambuPermission | null,
): MambuCall {
  return { route: `${method} ${route}`, effect, permission, by };
}

/** @throws ProviderFailure for anything but a 2xx */
export async function succeed(context: Context, request: ProviderRequest, call: MambuCall): Promise<ProviderAnswer> {
  const answer = await context.send(request);
  if (isSuccess(answer)) return answer;
  throw refusalOf(answer, call, context.now());
}

/** @throws ProviderFailure `outage` KT-PROVIDER-ANSWER */
export function listingOf(answer: ProviderAnswer, call: MambuCall, nowMs: number): readonly KeyInfo[] {
  const listing = readListedKeys(answer, nowMs);
  if (listing !== undefined) return listing;
  throw unusable(answer, call, 'the answer is no list of keys: check the base URL (it ends in /api)');
}
