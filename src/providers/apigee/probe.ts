import type { ErrorCode } from '../../domain/errors.js';
import { type FailureClass, ProviderFailure } from '../../domain/failure.js';
import { Secret } from '../../domain/secret.js';
import { retryAfterMs } from '../answers.js';
import type { CredentialValues, ProviderAnswer, ProviderRequest } from '../provider.js';
import { faultCodeOf } from './envelope.js';
import type { Context } from './management.js';
import type { ProbeSettings } from './settings.js';
import { consumerKeyOf } from './values.js';

/** Between two looks at a key that message processors do not know yet. */
const RETRY_MS = 5_000;

/** Faults of the policy VerifyAPIKey that say no to a key (Apigee docs, VerifyAPIKey; Google's apidVerifyApiKey). */
const refusals: ReadonlyMap<string, string> = new Map([
  ['oauth.v2.InvalidApiKey', 'the key is not known'],
  ['oauth.v2.ApiKeyNotApproved', 'the key is revoked'],
  ['oauth.v2.InvalidApiKeyForGivenResource', 'no approved product of the key covers what the probe asks for'],
  ['keymanagement.service.consumer_key_missing_api_product_association', 'the key has no product'],
  ['keymanagement.service.consumer_key_expired', 'the key has expired'],
  ['keymanagement.service.invalid_client-app_not_approved', 'the app is not approved'],
  ['keymanagement.service.DeveloperStatusNotActive', 'the developer is not active'],
  ['keymanagement.service.CompanyStatusNotActive', 'the company is not active'],
]);

const unresolvedKey = 'oauth.v2.FailedToResolveAPIKey';
const noProxy = 'messaging.adaptors.http.flow.ApplicationNotFound';

/**
 * Calls the proxy with the new key, several times, since every message processor has a cache of its own. It passes by any answer that
 * VerifyAPIKey did not give: what comes after it is none of our business. Returns what could not be proven, null where all was.
 * @throws ProviderFailure `busy` while a refusal may be a cache's; `credential-refused` KT-NEW-KEY-REFUSED afterwards
 */
export async function probe(
  context: Context,
  fresh: CredentialValues,
  issuedAtMs: number | null,
): Promise<string | null> {
  const { probe: settings } = context.settings;
  if (settings === null) return null;
  const request = requestOf(settings, new Secret(consumerKeyOf(fresh)));
  const isYoung = issuedAtMs !== null && context.now() - issuedAtMs < settings.patienceMs;
  let unproven: string | null = null;
  for (let call = 0; call < settings.times; call += 1) {
    const answer = await context.send(request);
    unproven ??= judged(answer, isYoung, context.now());
  }
  return unproven;
}

function requestOf({ url, in: place, name }: ProbeSettings, consumerKey: Secret): ProviderRequest {
  const { origin, pathname, search } = new URL(url);
  const common = { method: 'GET', route: '(probe.url)', baseUrl: origin, effect: 'read' } as const;
  if (place === 'header') {
    return { ...common, path: pathname + search, auth: { kind: 'header', name, value: consumerKey } };
  }
  const query = `${search === '' ? '?' : `${search}&`}${name}=${encodeURIComponent(consumerKey.reveal())}`;
  return { ...common, path: pathname + query, auth: { kind: 'none' } };
}

/** What the answer leaves unproven; null: the key passed. */
function judged(answer: ProviderAnswer, isYoung: boolean, nowMs: number): string | null {
  const { status } = answer;
  const fault = faultCodeOf(answer)?.replace(/^steps\./, '') ?? null;
  const refused = fault === null ? undefined : refusals.get(fault);
  if (refused !== undefined) {
    if (isYoung) throw failure('busy', 'KT-PROVIDER-BUSY', status, `${refused} (yet)`, RETRY_MS);
    throw failure('credential-refused', 'KT-NEW-KEY-REFUSED', status, refused);
  }
  if (fault === unresolvedKey) {
    const means = 'the proxy found no key: `probe.in` and `probe.name` must say where it looks';
    throw failure('rejected', 'KT-PROVIDER-REJECTED', status, means);
  }
  if (fault === noProxy) throw failure('rejected', 'KT-PROVIDER-REJECTED', status, 'there is no API proxy');
  if (status === 429) throw failure('busy', 'KT-PROVIDER-BUSY', status, 'it asks to wait', retryAfterMs(answer, nowMs));
  if (fault === null && (status >= 500 || (status >= 300 && status < 400))) {
    throw failure('outage', 'KT-PROVIDER-ERROR', status, 'whatever answered is no proxy of Apigee');
  }
  if (fault === null && (status === 401 || status === 403)) {
    return `the probe was answered ${status} without a fault of Apigee: whether the runtime accepts the new key is not proven`;
  }
  return null;
}

function failure(
  className: FailureClass,
  code: ErrorCode,
  status: number,
  means: string,
  waitMs?: number,
): ProviderFailure {
  const message = `probe.url answered ${status} to the key: ${means}`;
  const wait = waitMs === undefined ? {} : { retryAfterMs: waitMs };
  return new ProviderFailure({ class: className, code, message, status, ...wait });
}
