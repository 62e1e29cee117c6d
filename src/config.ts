/** keyturn.yaml → Config: read once, checked completely, and then believed. */
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { parseConfig } from './config/parse.js';
import { pluginNames } from './config/plugins.js';
import type { Config } from './config/types.js';
import { KeyturnError } from './domain/errors.js';
import { importPlugins } from './providers/plugin.js';

export { configJsonSchema } from './config/json-schema.js';
export { ConfigError, issueText, parseConfig } from './config/parse.js';
export { resolveSecret } from './config/secrets.js';
export type * from './config/types.js';
export type { SecretRef } from './domain/secret-ref.js';

/**
 * Imports the plug-ins that the file lists, and nothing else of what it names.
 * @throws KeyturnError KT-CONFIG-MISSING when there is no such file; ConfigError when it is wrong
 */
export async function loadConfig(file: string): Promise<Config> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    const isAbsent = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    throw isAbsent
      ? new KeyturnError('KT-CONFIG-MISSING', `there is no ${file}`)
      : new KeyturnError('KT-CONFIG-MISSING', `${file} cannot be read`, { hint: 'Make it a file that you may read.' });
  });
  return parseConfig(text, file, await importPlugins(pluginNames(text), dirname(resolve(file))));
}
