import { KeyturnError } from '../domain/errors.js';
import type { DebtFacts } from '../domain/record.js';
import { deleteRefusal } from '../domain/whose-keys.js';
import { tellEntity } from './entity.js';
import { listKeys } from './listed-keys.js';
import type { Output } from './output.js';
import { type Calling, callingAs, currentKey, type CurrentKey, providerOf } from './provider-calls.js';
import type { Answer } from './run.js';
import type { Session } from './session.js';

/** A debt for a key that could not be listed: its id is not known. */
const UNLISTED = 'unlisted';

/** Removes one suspect that an operator names. @throws KeyturnError KT-CONFLICT for a living version and for keys of others */
export async function deleteSuspect(
  session: Session,
  calling: Calling,
  keyId: string,
  dryRun: boolean,
  out: Output,
): Promise<Answer> {
  const { credential, vault } = calling;
  const { credentialId } = credential;
  const key = await currentKey(vault, credentialId);
  refuse(credentialId, deleteRefusal(key.opened.record, keyId));
  if (dryRun) {
    return {
      data: { credentialId, keyId, wouldDelete: true },
      text: `${keyId} would be deleted at ${credential.baseUrl}, and its debt cleared.`,
    };
  }
  const outcome = keyId === UNLISTED ? 'not-listed' : await deleteAtProvider(calling, key, keyId);
  if (keyId === UNLISTED) {
    out.warn('nothing was deleted at the provider: the id of that key is not known; look through its keys there');
  }
  await vault.custody.update(credentialId, ({ record, shelf }) => {
    const debts = record.debts.filter((debt) => debt.kind === 'mirror' || debt.keyId !== keyId);
    return { next: { record: { ...record, debts }, shelf }, value: undefined };
  });
  const { version } = key.facts;
  const workflow = await tellEntity(session, out, (client) => client.adopt(credentialId, version));
  return {
    data: { credentialId, keyId, outcome, workflow },
    text: `${keyId}: ${outcomes[outcome]}; its debt is cleared.`,
  };
}

const outcomes = {
  done: 'deleted at the provider',
  absent: 'was not at the provider any more',
  'not-listed': 'not deleted',
} as const;

/** Asks the record once more right before the bytes go out: in between somebody may have imported that key. */
async function deleteAtProvider(
  calling: Calling,
  { values }: CurrentKey,
  keyId: DebtFacts['keyId'],
): Promise<'done' | 'absent'> {
  const { credential, vault } = calling;
  const { credentialId } = credential;
  const context = await callingAs(calling, values, {
    operationId: `reconcile/${credentialId}/${Date.now()}`,
    beforeWrite: async () => {
      const { opened } = await currentKey(vault, credentialId);
      refuse(credentialId, deleteRefusal(opened.record, keyId));
    },
  });
  const provider = providerOf(credential);
  if (!provider.capability(credential.settings).keyIdIsSecret) return provider.retire(context, keyId, 'destroy');
  const listed = (await listKeys(calling, context)).find(({ shown }) => shown.keyId === keyId);
  return listed === undefined ? 'absent' : provider.retire(context, listed.providerId, 'destroy');
}

function refuse(credentialId: string, because: string | null): void {
  if (because === null) return;
  throw new KeyturnError('KT-CONFLICT', `nothing was deleted: ${because}`, {
    hint: `\`keyturn reconcile ${credentialId}\` lists what is whose; keys of others are deleted in the provider’s console.`,
  });
}
