import { hostname } from 'node:os';
import { KeyturnError } from '../../domain/errors.js';
import { iso, isoOrNull } from '../../domain/instant.js';
import { credentialOf } from '../credential.js';
import { currentKey } from '../provider-calls.js';
import type { Action } from '../run.js';
import { operatorName, withSession } from '../session.js';

const mask = '********';
const ACCESSES_SHOWN = 10;

export const run: Action<'get'> = (context, [credentialId], { field, reveal = false }) =>
  withSession(context, async (session) => {
    const { baseUrl } = credentialOf(session.config, credentialId);
    const vault = await session.vault();
    const { facts, values } = await currentKey(vault, credentialId);
    const { version, keyId, fingerprint } = facts;
    const names = Object.keys(values.fields);
    if (field !== undefined && !names.includes(field)) {
      throw new KeyturnError('KT-USAGE', `version ${version} of ${credentialId} has no such field`, {
        hint: `It has: ${names.join(', ')}.`,
      });
    }
    const asked = Object.entries(values.fields).filter(([name]) => field === undefined || name === field);
    const shown = Object.fromEntries(asked.map(([name, value]) => [name, reveal ? value.reveal() : mask]));
    if (reveal) {
      // First the trace, then the value.
      const by = `${operatorName()}@${hostname()}`;
      await vault.access.note(credentialId, { by, command: 'get', version, fields: Object.keys(shown) });
    }
    const facet = { credentialId, version, keyId, fingerprint, baseUrl, expiresAt: isoOrNull(facts.expiresAtMs) };
    const accesses = (await vault.access.read(credentialId))
      .slice(0, ACCESSES_SHOWN)
      .map(({ atMs, ...access }) => ({ at: iso(atMs), ...access }));
    const lines = Object.entries(shown).map(([name, value]) => `${name}: ${value}`);
    const traces = accesses.map(
      ({ at, by, command, fields, version: of }) =>
        `${at}  ${fields.join(' ')} of version ${of} to ${by} by ${command}`,
    );
    return {
      data: { ...facet, revealed: reveal, fields: shown, ...(reveal ? {} : { accesses }) },
      // One revealed field stands alone, for `$(keyturn get ID --field apiKey --reveal)`.
      text:
        reveal && field !== undefined
          ? Object.values(shown).join('')
          : [
              `${credentialId} version ${version}, key ${keyId} at ${baseUrl}`,
              ...lines,
              ...(reveal ? [] : traces),
            ].join('\n'),
    };
  });
