import { KeyturnError } from '../../domain/errors.js';
import { firstRecord, importReplacement, type ImportedKey } from '../../domain/imports.js';
import { currentOf, type CredentialRecord } from '../../domain/record.js';
import { withVersion } from '../../domain/transitions.js';
import type { Opened } from '../../custody/custody.js';
import type { CredentialValues } from '../../providers/provider.js';
import { credentialOf } from '../credential.js';
import { tellEntity } from '../entity.js';
import { type Checked, checkImport } from '../import-check.js';
import { askKeyId, type ImportInput, readImport } from '../import-input.js';
import { refuseImport } from '../import-refusals.js';
import { type Calling, callingAs, lockoutScope, providerOf } from '../provider-calls.js';
import type { Action, Context } from '../run.js';
import { withSession } from '../session.js';

export const run: Action<'import'> = (context, [credentialId], { replace = false, revokeOld = false }) =>
  withSession(context, async (session) => {
    const { out } = context;
    const { config } = session;
    const credential = credentialOf(config, credentialId);
    if (revokeOld && !replace) throw new KeyturnError('KT-USAGE', '--revoke-old goes with --replace');
    const vault = await session.vault();
    const calling: Calling = { config, credential, vault, out };
    const provider = providerOf(credential);
    const identity = provider.identity(credential.settings);
    const before = await vault.custody.read(credentialId);
    if (!replace && before) {
      throw new KeyturnError('KT-ALREADY-IMPORTED', `a key of ${credentialId} has been imported already`, {
        hint: `Use \`keyturn import ${credentialId} --replace\` to replace it.`,
      });
    }
    if (replace) refuseImport({ credentialId, opened: before, identity, revokeOld });

    const input = await readImport(context, { credentialId, provider, settings: credential.settings });
    const main = mainField(calling, input);
    const fingerprint = await vault.custody.fingerprint(main);
    if (before) refuseImport({ credentialId, opened: before, identity, revokeOld, fingerprint, fields: input.fields });
    const { values, checked } = await identified(context, calling, input);
    const keyId = provider.capability(credential.settings).keyIdIsSecret ? fingerprint : values.keyId;
    const secretKey = input.fields['secretKey'] ? 'ok' : null;
    const key: ImportedKey = { keyId, fingerprint, identity, secretKey, nowMs: Date.now() };

    const sealed = before
      ? await vault.custody.update(credentialId, ({ record, shelf }) => {
          refuseImport({
            credentialId,
            opened: { record, shelf },
            identity,
            revokeOld,
            fingerprint,
            fields: input.fields,
          });
          const transition = importReplacement(record, key, revokeOld ? { policy: credential.policy } : null);
          if (transition.kind !== 'next') throw new KeyturnError('KT-CONFLICT', `a rotation of ${credentialId} runs`);
          const next = withFindings(transition.record, checked, key);
          const versions = { ...shelf.versions, [next.highestVersion]: values };
          return { next: { record: next, shelf: { ...shelf, versions } }, value: currentOf(record) };
        })
      : {
          value: undefined,
          opened: await vault.custody.create(credentialId, {
            record: withFindings(firstRecord(credentialId, await vault.custody.installationId(), key), checked, key),
            shelf: { versions: { '1': values }, intents: {} },
          }),
        };
    const version = sealed.opened.record.highestVersion;
    const entity = await tellEntity(session, out, (client) => client.adopt(credentialId, version));
    const replaced = replacedBy(sealed.opened, sealed.value);
    return {
      data: {
        credentialId,
        version,
        keyId,
        fingerprint,
        accepted: checked.accepted,
        secretKey,
        replaced,
        workflow: entity,
      },
      text: [
        `${credentialId}: sealed as version ${version} (key ${keyId})`,
        ...(replaced ? [`version ${replaced.version}: ${meanings[replaced.becomes]}`] : []),
        ...(entity === 'told' ? [] : ['Next: `keyturn apply` starts its workflow once Temporal and a worker run.']),
      ].join('\n'),
    };
  });

const meanings = {
  'in-grace': 'retired, it is revoked when its grace has passed',
  forgotten: 'forgotten, keyturn does nothing with it any more',
  'same-key': 'the same key with its new secret key, nothing is retired',
} as const;

function mainField({ credential }: Calling, { fields }: ImportInput): ImportInput['fields'][string] {
  const [name = ''] = Object.keys(providerOf(credential).secretFields);
  const value = fields[name];
  if (value) return value;
  throw new KeyturnError('KT-INPUT', `${name} is missing`);
}

/** The key as the provider knows it. Its values are forgiven one try: an operator vouches for them. */
async function identified(
  context: Pick<Context, 'stdin' | 'stderr' | 'out'>,
  calling: Calling,
  input: ImportInput,
): Promise<{ readonly values: CredentialValues; readonly checked: Checked }> {
  const { config, credential, vault } = calling;
  const { credentialId } = credential;
  const provider = providerOf(credential);
  const main = mainField(calling, input);
  const idIsSecret = provider.capability(credential.settings).keyIdIsSecret;
  const key: CredentialValues = { keyId: idIsSecret ? main.reveal() : (input.keyId ?? ''), fields: input.fields };
  const scope = lockoutScope(config, credential);
  for (const value of Object.values(input.fields)) {
    await vault.lockout.forgive(scope, await vault.custody.fingerprint(value));
  }
  const acting = await callingAs(calling, key, { operationId: `import/${credentialId}/${Date.now()}` });
  const checked = await checkImport(provider, acting, key, main);
  if (checked.keyId !== null) {
    if (checked.doubt !== null) context.out.warn(`sealed without a full check: ${checked.doubt}`);
    return { values: { ...key, keyId: checked.keyId }, checked };
  }
  if (context.stdin.isTTY !== true) {
    throw new KeyturnError('KT-INPUT', `the id of this key could not be looked up: ${checked.doubt ?? 'unknown'}`, {
      hint: 'Give it as "keyId" in the JSON object (the provider’s console shows it). Nothing was sealed.',
    });
  }
  context.out.say(`The id of this key could not be looked up: ${checked.doubt ?? 'unknown'}`);
  const asked = await askKeyId(context);
  const recheck = await checkImport(provider, acting, { ...key, keyId: asked }, main);
  if (recheck.doubt !== null) context.out.warn(`sealed without a full check: ${recheck.doubt}`);
  return { values: { ...key, keyId: asked }, checked: recheck };
}

/** What the provider said of the key, and that it is no suspect any more. */
function withFindings(
  record: CredentialRecord,
  { accepted, lifetime, expiresAtMs }: Checked,
  key: ImportedKey,
): CredentialRecord {
  const verifiedAtMs = accepted ? key.nowMs : null;
  const debts = record.debts.filter((debt) => debt.kind === 'mirror' || debt.keyId !== key.keyId);
  return withVersion({ ...record, debts }, record.highestVersion, (v) => ({
    ...v,
    verifiedAtMs: verifiedAtMs ?? v.verifiedAtMs,
    lifetime: lifetime ?? v.lifetime,
    expiresAtMs: expiresAtMs === undefined ? v.expiresAtMs : expiresAtMs,
  }));
}

function replacedBy(
  { record }: Opened,
  old: CredentialRecord['versions'][number] | undefined,
): { readonly version: number; readonly becomes: keyof typeof meanings } | null {
  if (!old) return null;
  const { version } = old;
  if (currentOf(record)?.fingerprint === old.fingerprint) return { version, becomes: 'same-key' };
  return { version, becomes: record.versions.some((v) => v.version === version) ? 'in-grace' : 'forgotten' };
}
