import { mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { type Config, loadConfig } from '../../config.js';
import { createKeyFile } from '../../custody/key-file.js';
import { KeyturnError } from '../../domain/errors.js';
import type { Action } from '../run.js';
import { starterConfig } from './init-template.js';

export const run: Action<'init'> = async ({ globals }) => {
  const file = resolve(globals.config);
  const outcomes = new Map<string, 'written' | 'kept'>();
  outcomes.set(file, await writeNew(file, starterConfig, 0o644));
  const config = await loadConfig(file);
  const ignore = join(dirname(file), '.keyturn', '.gitignore');
  await mkdir(dirname(ignore), { recursive: true, mode: 0o700 });
  outcomes.set(ignore, await writeNew(ignore, '*\n', 0o644));
  outcomes.set(config.sealingKey.path, await makeKey(config));

  const paths = (outcome: 'written' | 'kept'): readonly string[] =>
    [...outcomes].filter(([, one]) => one === outcome).map(([path]) => path);
  return {
    data: { written: paths('written'), kept: paths('kept'), store: config.store.path, keyFile: config.sealingKey.path },
    text: [
      ...[...outcomes].map(([path, outcome]) => `${outcome === 'written' ? 'written' : 'kept   '}  ${path}`),
      '',
      'The store and the key file need separate backups: the key file opens every copy of the store,',
      'and without it nobody can.',
      `  store     ${config.store.path}`,
      `  key file  ${config.sealingKey.path}`,
      '',
      `Next: name your tenant in ${globals.config}, then \`keyturn import ID\`.`,
    ].join('\n'),
  };
};

async function writeNew(path: string, text: string, mode: number): Promise<'written' | 'kept'> {
  try {
    await writeFile(path, text, { flag: 'wx', mode });
    return 'written';
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return 'kept';
    throw new KeyturnError('KT-INPUT', `${path} cannot be written`, { hint: 'Choose a folder that you may write to.' });
  }
}

/** A new key beside a store that holds records would hide that the old one is lost. */
async function makeKey({ sealingKey, store }: Config): Promise<'written' | 'kept'> {
  const isThere = await stat(sealingKey.path).catch(() => undefined);
  if (isThere !== undefined) return 'kept';
  const sealed = await readdir(store.path).catch(() => []);
  if (sealed.length > 0) {
    throw new KeyturnError('KT-KEY-FILE', `the store ${store.path} is in use and its key file is missing`, {
      hint: `Restore ${sealingKey.path} from its backup: a new key opens nothing of what is there.`,
    });
  }
  await createKeyFile(sealingKey.path);
  return 'written';
}
