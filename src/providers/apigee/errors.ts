import { ProviderFailure } from '../../domain/failure.js';
import { retryAfterMs } from '../answers.js';
import type { ProviderAnswer } from '../provider.js';
import { undecided, type Verdict } from '../verdict.js';
import { accountOf } from './account.js';
import { envelopeOf, type Envelope } from './envelope.js';
import type { Operation } from './requests.js';
import type { ApigeeSettings } from './settings.js';

export const isSuccess = (answer: ProviderAnswer): boolean => answer.status >= 200 && answer.status < 300;

/** True where an answer says that this app has no such key: it never had, or it was deleted. */
export const hasNoSuchKey = (answer: ProviderAnswer): boolean =>
  answer.status === 404 && envelopeOf(answer).code === 'keymanagement.service.InvalidClientIdForGivenApp';

/** Whether the credential of the management API was accepted. There is no lockout to count strikes for. */
export function credentialVerdict({ status }: ProviderAnswer): 'accepted' | 'refused' | 'unclear' {
  if (status === 401) return 'refused';
  return status === 403 || (status >= 200 && status < 300) ? 'accepted' : 'unclear';
}

/** What an answer other than 2xx means. */
export function refusalOf(
  answer: ProviderAnswer,
  operation: Operation,
  settings: ApigeeSettings,
  nowMs: number,
): ProviderFailure {
  const { status } = answer;
  const envelope = envelopeOf(answer);
  const verdict = verdictOf(status, envelope, operation, settings);
  const wait = verdict.class === 'busy' || verdict.class === 'outage' ? retryAfterMs(answer, nowMs) : undefined;
  const said = envelope.code === null ? String(status) : `${status} ${envelope.code}`;
  return new ProviderFailure({
    class: verdict.class,
    code: verdict.code,
    message: `Apigee answered ${said} to ${routeOf(operation)}: ${verdict.means}`,
    status,
    ...(envelope.code === null ? {} : { reason: envelope.code }),
    ...(wait === undefined ? {} : { retryAfterMs: wait }),
  });
}

export const routeOf = ({ method, route }: Operation): string => `${method} ${route}`;

function verdictOf(status: number, envelope: Envelope, operation: Operation, settings: ApigeeSettings): Verdict {
  if (status === 401) return unauthenticated(operation, settings);
  if (status === 429 || envelope.code === 'QuotaExceeded') return busy('asks to wait');
  if (status === 403) return envelope.isApigee ? forbidden(envelope, operation, settings) : unexplained403;
  if (status === 404) return absent(envelope, settings);
  if (status === 409) return busy('something else changes the app at this moment');
  if (status >= 400 && status < 500 && status !== 408) return envelope.isApigee ? rejected : notApigee;
  return undecided(status, operation.effect, 'Apigee', '`baseUrl`');
}

/** It surely had no effect, and it may pass: tokens and passwords are mended without keyturn. */
function unauthenticated({ effect }: Operation, { isRebuilt }: ApigeeSettings): Verdict {
  const means = isRebuilt
    ? `what \`auth\` was is not known any more: ${putBack}`
    : 'it does not accept what `auth` gives';
  return { class: effect === 'write' ? 'not-sent' : 'outage', code: 'KT-MANAGEMENT-AUTH', means };
}

/** For a key whose configuration is gone. */
export const putBack = 'put the entry of this credential back into keyturn.yaml';

const busy = (means: string): Verdict => ({ class: 'busy', code: 'KT-PROVIDER-BUSY', means });

/** Google says the same of a missing permission and of an organization that does not exist. */
function forbidden({ permission }: Envelope, operation: Operation, { organization, dialect }: ApigeeSettings): Verdict {
  const missing = permission ?? operation.permission;
  const means =
    dialect === 'x'
      ? `\`auth\` needs the permission ${missing} in organization ${organization} (if that exists)`
      : `the user of \`auth\` needs a role in organization ${organization} (if that exists) that may do it`;
  return { class: 'forbidden', code: 'KT-FORBIDDEN', means };
}

const unexplained403: Verdict = {
  class: 'rejected',
  code: 'KT-PROVIDER-REJECTED',
  means: 'not in a form of Apigee; a gateway or an IP rule may stand between',
};

function absent({ code, isApigee }: Envelope, settings: ApigeeSettings): Verdict {
  const { owner, app, organization } = settings;
  const whose = owner.kind === 'developer' ? `developer ${owner.email}` : `AppGroup ${owner.name}`;
  const gone = (means: string): Verdict => ({ class: 'absent', code: 'KT-CONSUMER-GONE', means });
  switch (code) {
    case 'developer.service.AppDoesNotExist':
      return gone(`${whose} has no app ${app} in organization ${organization}`);
    case 'developer.service.DeveloperDoesNotExist':
    case 'appgroup.service.AppGroupDoesNotExist':
      return gone(`organization ${organization} has no ${whose}`);
    case 'keymanagement.service.InvalidClientIdForGivenApp':
      return { class: 'absent', code: 'KT-PROVIDER-REJECTED', means: `the app ${accountOf(settings)} has no such key` };
    default:
      return isApigee ? gone(`${accountOf(settings)} is not there`) : notApigee;
  }
}

const rejected: Verdict = { class: 'rejected', code: 'KT-PROVIDER-REJECTED', means: 'refused' };

const notApigee: Verdict = {
  class: 'rejected',
  code: 'KT-PROVIDER-ANSWER',
  means: 'not in a form of Apigee: check `baseUrl` (it ends in /v1) and `dialect`',
};

/** A success whose body is not what Apigee documents. A write was perhaps executed all the same. */
export function unusable(answer: ProviderAnswer, operation: Operation, what: string): ProviderFailure {
  return new ProviderFailure({
    class: operation.effect === 'write' ? 'unknown' : 'outage',
    code: 'KT-PROVIDER-ANSWER',
    message: `Apigee answered ${answer.status} to ${routeOf(operation)}, but ${what}`,
    status: answer.status,
  });
}
