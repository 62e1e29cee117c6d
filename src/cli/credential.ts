import type { Config, CredentialConfig } from '../config.js';
import { KeyturnError } from '../domain/errors.js';
import { nearest } from '../providers/schemas.js';

/** The credential that a command line names. @throws KeyturnError KT-UNKNOWN-CREDENTIAL */
export function credentialOf(config: Config, credentialId: string): CredentialConfig {
  const found = config.credentials.get(credentialId);
  if (found !== undefined) return found;
  const known = [...config.credentials.keys()];
  const meant = nearest(credentialId, known);
  const list = known.length === 0 ? 'It names none.' : `Known: ${known.join(', ')}.`;
  throw new KeyturnError('KT-UNKNOWN-CREDENTIAL', `there is no credential ${credentialId} in ${config.file}`, {
    hint: meant === undefined ? list : `Did you mean ${meant}? ${list}`,
  });
}
