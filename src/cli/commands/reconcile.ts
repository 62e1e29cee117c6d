import { KeyturnError } from '../../domain/errors.js';
import type { DebtFacts } from '../../domain/record.js';
import type { Output } from '../output.js';
import { credentialOf } from '../credential.js';
import { tellEntity } from '../entity.js';
import { listKeys } from '../listed-keys.js';
import { type Calling, callingAs, currentKey, type CurrentKey, providerOf } from '../provider-calls.js';
import { compare, type ComparedKey, deleteRefusal } from '../reconcile.js';
import { type Action, type Answer, asKeyturnError } from '../run.js';
import { type Session, withSession } from '../session.js';
import { table } from '../table.js';

/** A debt for a key that could not be listed: its id is not known. */
const UNLISTED = 'unlisted';
const ATTENTION = 3;

export const run: Action<'reconcile'> = (context, [credentialId], flags) =>
  withSession(context, async (session) => {
    const { out } = context;
    const { config } = session;
    const calling: Calling = {
      config,
      credential: credentialOf(config, credentialId),
      vault: await session.vault(),
      out,
    };
    const { delete: keyId, dryRun = false } = flags;
    return keyId === undefined ? report(session, calling, out) : deleteSuspect(session, calling, keyId, dryRun, out);
  });

/** Changes nothing: what is ours beyond doubt is repaired by the workflow, by itself. */
async function report(session: Session, calling: Calling, out: Output): Promise<Answer> {
  const { credentialId } = calling.credential;
  const key = await currentKey(calling.vault, credentialId);
  const keys = await compared(calling, key);
  const workflow = await workflowVersion(session, credentialId);
  const { version } = key.facts;
  if (workflow.version !== null && workflow.version !== version) {
    out.warn(
      `the workflow knows version ${workflow.version}, the store has ${version}: it finds out with its next step`,
    );
  }
  const needsSomebody = keys.some(({ is, listed }) => (is === 'current' && !listed) || is === 'suspected-orphan');
  return {
    data: { credentialId, version, workflow, keys, readOnly: true },
    text: [
      table(
        ['KEY', 'IS', 'VERSION', 'LISTED', 'NOTE'],
        keys.map(({ keyId, is, version: of, listed, note }) => [
          keyId,
          is,
          of === null ? '-' : String(of),
          listed ? 'yes' : 'no',
          note ?? '',
        ]),
      ),
      `workflow: ${workflow.version === null ? workflow.state : `version ${workflow.version}`}; store: version ${version}`,
      'Nothing was changed: this is a comparison; --delete KEYID removes one suspected orphan.',
    ].join('\n'),
    ...(needsSomebody ? { exit: ATTENTION } : {}),
  };
}

async function compared(calling: Calling, { opened, values }: CurrentKey): Promise<readonly ComparedKey[]> {
  const { credential } = calling;
  const operationId = `reconcile/${credential.credentialId}/${Date.now()}`;
  const context = await callingAs(calling, values, { operationId });
  const listing = await listKeys(calling, context);
  return compare(
    opened.record,
    listing.map(({ shown }) => shown),
  );
}

async function workflowVersion(
  session: Session,
  credentialId: string,
): Promise<{ readonly state: string; readonly version: number | null }> {
  try {
    const state = await (await session.client()).state(credentialId);
    return { state: state.status, version: state.current?.version ?? null };
  } catch (error) {
    return { state: asKeyturnError(error).code === 'KT-NOT-RUNNING' ? 'not running' : 'not reached', version: null };
  }
}

async function deleteSuspect(
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
