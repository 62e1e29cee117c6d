/** keyturn.yaml → Config: read once, checked completely, and then believed. */
import { readFile } from 'node:fs/promises';
import { parseConfig } from './config/parse.js';
import type { Config } from './config/types.js';
import { KeyturnError } from './domain/errors.js';

export { configJsonSchema } from './config/json-schema.js';
export { ConfigError, issueText, parseConfig } from './config/parse.js';
export { resolveSecret } from './config/secrets.js';
export type * from './config/types.js';
export type { SecretRef } from './domain/secret-ref.js';

/** @throws KeyturnError KT-CONFIG-MISSING when there is no such file; ConfigError when it is wrong */
export async function loadConfig(file: string): Promise<Config> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    const isAbsent = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    throw isAbsent
      ? new KeyturnError('KT-CONFIG-MISSING', `there is no ${file}`)
      : new KeyturnError('KT-CONFIG-MISSING', `${file} cannot be read`, { hint: 'Make it a file that you may read.' });
  });
  return parseConfig(text, file);
}
