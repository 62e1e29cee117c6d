/** One credential: its key, what the provider says of it, and how long it has. Calls are made with proven keys only. */
import { formatDuration } from '../../domain/duration.js';
import { ProviderFailure } from '../../domain/failure.js';
import { iso } from '../../domain/instant.js';
import type { VersionFacts } from '../../domain/record.js';
import { type Calling, callingAs, currentKey, type CurrentKey, lockoutScope, providerOf } from '../provider-calls.js';
import { type Check, fail, failed, looked, ok, warn } from './check.js';

export async function checkCredential(calling: Calling): Promise<readonly Check[]> {
  const { credentialId } = calling.credential;
  const name = (what: string): string => `${credentialId} ${what}`;
  const found = await looked(name('key'), async () => {
    const key = await currentKey(calling.vault, credentialId);
    const { version, keyId } = key.facts;
    return [
      ok(name('key'), `version ${version}, key ${keyId}`),
      ...checkFacts(calling, key, name),
      ...(await looked(name('provider'), () => checkProvider(calling, key, name))),
    ];
  });
  return [...found, ...(await looked(name('lockout'), () => checkLockout(calling, name('lockout'))))];
}

function checkFacts(
  { credential }: Calling,
  { facts, opened }: CurrentKey,
  name: (what: string) => string,
): readonly Check[] {
  const { credentialId } = credential;
  const capability = providerOf(credential).capability(credential.settings);
  const found: Check[] = [checkExpiry(facts, credential.policy.renewBeforeMs, name('expiry'), credentialId)];
  if (capability.needsSecretKey && facts.secretKey !== 'ok') {
    const mend = `Make one at the provider, then \`keyturn import ${credentialId} --replace\`.`;
    found.push(fail(name('ability'), 'the current key has no secret key, so that it cannot be rotated', mend));
  }
  const { lostProofs, capabilityLost } = opened.record;
  if (capabilityLost) {
    found.push(fail(name('ability'), capabilityLost.message, `\`keyturn import ${credentialId} --replace\`.`));
  }
  if (lostProofs) found.push(warn(name('proofs'), lostProofs.message, 'Grant the named permission.'));
  return found;
}

function checkExpiry(facts: VersionFacts, renewBeforeMs: number, check: string, credentialId: string): Check {
  const endMs = facts.expiresAtMs;
  if (endMs === null) return ok(check, 'no end of life is known');
  const leftMs = endMs - Date.now();
  if (leftMs <= 0) {
    return fail(
      check,
      `the provider ended it at ${iso(endMs)}`,
      `Make a new key there, then \`keyturn import ${credentialId} --replace\`.`,
    );
  }
  if (leftMs > renewBeforeMs) return ok(check, `until ${iso(endMs)}`);
  return warn(
    check,
    `ends at ${iso(endMs)}, its renewal is due`,
    `\`keyturn status ${credentialId}\` says what it waits for.`,
  );
}

/** Lists the keys: that proves base URL, network, key and the permission to list. Other permissions show with a rotation. */
async function checkProvider(
  calling: Calling,
  { values, facts }: CurrentKey,
  name: (what: string) => string,
): Promise<readonly Check[]> {
  const { credential } = calling;
  const check = name('provider');
  const context = await callingAs(calling, values, { operationId: 'doctor', provenOnly: true });
  const begunMs = Date.now();
  try {
    const keys = await providerOf(credential).inventory(context);
    const took = formatDuration(Date.now() - begunMs);
    const reached = ok(check, `${credential.baseUrl} lists ${keys.length} key(s) in ${took}`);
    if (keys.some(({ keyId }) => keyId === values.keyId)) return [reached];
    const mend = `Is it the right account? \`keyturn reconcile ${credential.credentialId}\` compares.`;
    return [reached, fail(check, `it does not list the current key ${facts.keyId}`, mend)];
  } catch (error) {
    if (!(error instanceof ProviderFailure)) throw error;
    if (error.facts.code === 'KT-UNVERIFIED') {
      const mend = `The first rotation or \`keyturn reconcile ${credential.credentialId}\` proves it.`;
      return [warn(check, 'not asked: the provider has not accepted this key yet, and doctor risks no refusal', mend)];
    }
    return [failed(check, error, error.class === 'forbidden' ? 'warn' : 'fail')];
  }
}

async function checkLockout({ config, credential, vault }: Calling, check: string): Promise<readonly Check[]> {
  if (providerOf(credential).capability(credential.settings).strikeLimit === undefined) return [];
  const { used, reserved, limit } = await vault.lockout.view(lockoutScope(config, credential));
  const left = Math.max(0, limit - used - reserved);
  const message = `${left} of ${limit} invalid-credential calls left at ${credential.baseUrl}`;
  if (left === limit) return [ok(check, message)];
  const mend = `\`keyturn lockout ${credential.credentialId}\` shows who spent them.`;
  return [left === 0 ? fail(check, message, mend) : warn(check, message, mend)];
}
