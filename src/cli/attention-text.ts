/** What needs attention, for people: what happened, what lives until when, and the next command. */
import type { Attention, CredentialState } from '../contract.js';
import { isErrorCode, type ErrorCode } from '../domain/errors.js';
import type { Output } from './output.js';
import { distanceText, instantText } from './when.js';

/** The current key is known to be dead. */
const dead: ReadonlySet<ErrorCode> = new Set(['KT-KEY-MISSING', 'KT-CONSUMER-GONE']);
/** Nobody can tell. */
const unsure: ReadonlySet<ErrorCode> = new Set([
  'KT-CREDENTIAL-REFUSED',
  'KT-STORE-BEHIND',
  'KT-STORE-CORRUPT',
  'KT-STORE-FOREIGN',
  'KT-UNVERIFIED',
  'KT-WRONG-TENANT',
]);

export function attentionText(
  { code, since, message, deadline, command }: Attention,
  state: Pick<CredentialState, 'current' | 'previous'>,
  nowMs: number,
  paint: Pick<Output, 'style'>,
): string {
  return [
    `${paint.style('red', code)} ${message}`,
    `  since ${instantText(since)} (${distanceText(since, nowMs)})`,
    `  what lives: ${livesText(code, deadline, state, nowMs)}`,
    `  next: ${command}`,
    `  more: docs/runbooks/${code}.md`,
  ].join('\n');
}

function livesText(
  code: string,
  deadline: string | undefined,
  { current, previous }: Pick<CredentialState, 'current' | 'previous'>,
  nowMs: number,
): string {
  const until = (at: string | null, otherwise: string): string =>
    at === null ? otherwise : `until ${instantText(at)} (${distanceText(at, nowMs)})`;
  const old = previous.map(({ version, diesAt }) => `version ${version} ${until(diesAt, 'until it is removed')}`);
  if (current === null) return ['no key is known', ...old].join('; ');
  const { version, keyId, expiresAt } = current;
  const known = isErrorCode(code) ? code : 'KT-INTERNAL';
  const end = until(deadline ?? expiresAt, 'no end of it is known');
  const now = dead.has(known)
    ? `version ${version} is not accepted any more`
    : unsure.has(known)
      ? `consumers get version ${version} (key ${keyId}); whether it works is not certain`
      : `consumers get version ${version} (key ${keyId}), ${end}`;
  return [now, ...old].join('; ');
}
