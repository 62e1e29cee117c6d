import type { IncomingHttpHeaders } from 'node:http';
import { refusals } from './refusals.js';
import type { CredentialUse, RequestEntry } from './request-log.js';
import type { ApigeeRules } from './rules.js';
import type { World } from './world.js';

function presented({ authorization }: IncomingHttpHeaders): { kind: CredentialUse['kind']; value: string } {
  const [, scheme = '', value = ''] = /^(Bearer|Basic) +(\S+)$/i.exec(authorization ?? '') ?? [];
  if (scheme === '') return { kind: 'none', value: '' };
  return { kind: scheme.toLowerCase() === 'basic' ? 'basic' : 'bearer', value };
}

/** What a request carries, not judged: known also of requests that a fault takes away before the check. */
export const credentialOf = (headers: IncomingHttpHeaders): CredentialUse => ({
  kind: presented(headers).kind,
  outcome: 'unchecked',
});

/** @throws Refusal 401 */
export function authenticate(world: World, headers: IncomingHttpHeaders, entry: RequestEntry): void {
  if (world.rules.auth !== 'none') entry.credential.outcome = judged(world, headers);
  else entry.credential.outcome = 'accepted';
  if (entry.credential.outcome !== 'accepted') throw refusals.unauthenticated();
}

function judged({ rules, tokens, user }: World, headers: IncomingHttpHeaders): CredentialUse['outcome'] {
  const { kind, value } = presented(headers);
  if (!accepts(rules, kind)) return 'refused';
  if (kind === 'bearer') return tokens.judge(value);
  const expected = Buffer.from(`${user.username}:${user.password}`).toString('base64');
  return value === expected ? 'accepted' : 'refused';
}

function accepts({ auth, dialect }: ApigeeRules, kind: CredentialUse['kind']): boolean {
  if (kind !== 'bearer' && kind !== 'basic') return false;
  if (auth === 'dialect') return kind === 'bearer' || dialect === 'edge';
  return auth === kind;
}
