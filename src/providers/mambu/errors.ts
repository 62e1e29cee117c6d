import { ProviderFailure } from '../../domain/failure.js';
import { parseJson, retryAfterMs } from '../answers.js';
import type { ProviderAnswer } from '../provider.js';
import { undecided, type Verdict } from '../verdict.js';
import { isSuccess, reasonsOf } from './reasons.js';

/** The permissions of Mambu's rotation recipe; which route needs which is inferred from their names. */
export type MambuPermission =
  | 'VIEW_API_CONSUMERS_AND_KEYS'
  | 'CREATE_API_CONSUMERS_AND_KEYS'
  | 'EDIT_API_CONSUMERS_AND_KEYS'
  | 'DELETE_API_CONSUMERS_AND_KEYS';

/** What a failure says about the call that it ended. */
export interface MambuCall {
  /** E.g. `POST /consumers/{id}/apikeys`. */
  readonly route: string;
  readonly effect: 'read' | 'write';
  readonly permission: MambuPermission | null;
  /** Whose credential was presented, in words. */
  readonly by: string;
}

type CallKind = Pick<MambuCall, 'effect' | 'route'>;

const locked: Verdict = {
  class: 'blocked',
  code: 'KT-LOCKED-OUT',
  means: 'Mambu has blocked this IP address; only an administrator can unblock it (Access Preferences)',
};
const refused: Verdict = { class: 'credential-refused', code: 'KT-CREDENTIAL-REFUSED', means: 'Mambu does not accept' };
const forbidden: Verdict = { class: 'forbidden', code: 'KT-FORBIDDEN', means: 'not permitted' };
const busy: Verdict = { class: 'busy', code: 'KT-PROVIDER-BUSY', means: 'Mambu asks to wait' };

/** Reasons that say more than the status, whatever the status is. */
const byReason: ReadonlyMap<string, Verdict> = new Map<string, Verdict>([
  ['EXCESSIVE_INVALID_REQUESTS', locked],
  ['INVALID_IP_ADDRESS', locked],
  ['INVALID_CREDENTIALS', refused],
  ['INVALID_PERMISSIONS', forbidden],
  ['API_CONSUMER_MISSING_PERMISSIONS', forbidden],
  ['ROLE_DOES_NOT_HAVE_APIS_ACCESS', forbidden],
  ['API_NOT_AUTHORIZED', forbidden],
  ['NO_API_ACCESS', forbidden],
  ['INACTIVE_USER', forbidden],
  [
    'READ_ONLY_MODE',
    {
      class: 'busy',
      code: 'KT-PROVIDER-MAINTENANCE',
      means: 'the tenant is in read-only mode (maintenance)',
    },
  ],
  ['BLOCKING_OPERATION_IN_PROGRESS', busy],
  [
    'FEATURE_DISABLED',
    {
      class: 'rejected',
      code: 'KT-PROVIDER-REJECTED',
      means: 'the tenant does not have API consumers (an Early Access feature): ask Mambu to enable it',
    },
  ],
]);

/** Of several reasons, one that keyturn knows. */
function tellingReason(answer: ProviderAnswer): string | undefined {
  const reasons = reasonsOf(answer);
  return reasons.find((reason) => byReason.has(reason)) ?? reasons[0];
}

/** True where Mambu knew the caller and said that a permission is missing; a blocked IP address or an inactive user is a 403 too. */
export function lacksPermission(answer: ProviderAnswer): boolean {
  return answer.status === 403 && tellingReason(answer) === 'INVALID_PERMISSIONS';
}

/**
 * Whether the presented credential was accepted. Maintenance, gateways and a blocked IP address say nothing about it; nor does a success
 * that is no JSON.
 */
export function credentialVerdict(answer: ProviderAnswer): 'accepted' | 'refused' | 'unclear' {
  if (isSuccess(answer)) return answer.text === '' || parseJson(answer.text) !== undefined ? 'accepted' : 'unclear';
  if (lacksPermission(answer)) return 'accepted';
  return answer.status >= 400 &&
    verdictOf(answer.status, tellingReason(answer), { effect: 'read', route: '' }) === refused
    ? 'refused'
    : 'unclear';
}

/**
 * What an answer other than 2xx means. A `busy` 102 or 409 on a write with an idempotency key may stand for the first sending of it, still in
 * progress: for that key the outcome stays unknown until an answer with a usable key comes.
 */
export function refusalOf(answer: ProviderAnswer, call: MambuCall, nowMs: number): ProviderFailure {
  const { status } = answer;
  const reason = tellingReason(answer);
  const verdict = verdictOf(status, reason, call);
  const wait = verdict.class === 'busy' || verdict.class === 'outage' ? retryAfterMs(answer, nowMs) : undefined;
  const said = reason === undefined ? String(status) : `${status} ${reason}`;
  return new ProviderFailure({
    class: verdict.class,
    code: verdict.code,
    message: `Mambu answered ${said} to ${call.route}: ${meaning(verdict, call)}`,
    status,
    ...(reason === undefined ? {} : { reason }),
    ...(wait === undefined ? {} : { retryAfterMs: wait }),
  });
}

function verdictOf(status: number, reason: string | undefined, { effect, route }: CallKind): Verdict {
  const known = reason === undefined ? undefined : byReason.get(reason);
  if (known === locked) return known;
  if (status === 401) return refused;
  if (status >= 400 && known !== undefined) return known;
  if (status === 102 || status === 409 || status === 429) return busy;
  if (status === 404 && reason !== undefined && route.includes('/consumers/')) return gone;
  if (status === 403) return reason === 'INVALID_API_KEY' ? refused : unexplained403;
  if (status >= 400 && status < 500 && status !== 408) return rejected(reason);
  return undecided(status, effect, 'Mambu', 'the base URL');
}

function meaning(verdict: Verdict, { permission, by }: MambuCall): string {
  if (verdict === refused) return `${verdict.means} ${by}`;
  if (verdict !== forbidden) return verdict.means;
  return permission === null ? `${by} lacks a permission for it` : `${by} needs the permission ${permission}`;
}

const unexplained403: Verdict = {
  class: 'rejected',
  code: 'KT-PROVIDER-REJECTED',
  means: 'without a reason that keyturn knows; a gateway or an IP rule may stand between',
};

const gone: Verdict = {
  class: 'absent',
  code: 'KT-CONSUMER-GONE',
  means: 'the API consumer does not exist (or the base URL is wrong)',
};

function rejected(reason: string | undefined): Verdict {
  return reason === undefined ? notMambu : { class: 'rejected', code: 'KT-PROVIDER-REJECTED', means: 'refused' };
}

const notMambu: Verdict = {
  class: 'rejected',
  code: 'KT-PROVIDER-ANSWER',
  means: "not in Mambu's form: check the base URL (it ends in /api)",
};

/** A success whose body is not what Mambu documents. A write was perhaps executed all the same. */
export function unusable(answer: ProviderAnswer, call: MambuCall, what: string): ProviderFailure {
  return new ProviderFailure({
    class: call.effect === 'write' ? 'unknown' : 'outage',
    code: 'KT-PROVIDER-ANSWER',
    message: `Mambu answered ${answer.status} to ${call.route}, but ${what}`,
    status: answer.status,
  });
}
