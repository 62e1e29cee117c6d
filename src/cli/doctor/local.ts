/** What can be checked without a network: this Node, the configuration, the secrets that it names, the key file and the store. */
import { type Config, issueText, resolveSecret } from '../../config.js';
import { readKeyFile } from '../../custody/key-file.js';
import type { Session } from '../session.js';
import { secretRefsIn } from '../secret-refs.js';
import { type Check, fail, failed, looked, ok, warn } from './check.js';

/** `engines` of package.json. */
const oldestNode = [20, 19] as const;

export function checkNode(version: string): Check {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [needsMajor, needsMinor] = oldestNode;
  const isNewEnough = major > needsMajor || (major === needsMajor && minor >= needsMinor);
  if (isNewEnough) return ok('node', `Node ${version}`);
  return fail('node', `Node ${version} is too old`, `Install Node ${oldestNode.join('.')} or newer.`);
}

export function checkConfig({ file, credentials, warnings }: Config): readonly Check[] {
  const found = warnings.map((issue) => warn('config', issueText(file, issue), 'Mend it, or leave it if it is meant.'));
  return [ok('config', `${file}: ${credentials.size} credential(s)`), ...found];
}

/** A secret may be set where `worker` or `serve` run and not here: so it is no failure. */
export async function checkSecrets(config: Config): Promise<readonly Check[]> {
  const refs = secretRefsIn(config);
  const problems = await Promise.all(
    refs.map((ref) =>
      resolveSecret(ref).then(
        () => null,
        (error: unknown) => failed('secrets', error, 'warn'),
      ),
    ),
  );
  const missing = problems.filter((problem) => problem !== null);
  if (missing.length > 0) return [...new Map(missing.map((check) => [check.message, check])).values()];
  return refs.length === 0 ? [] : [ok('secrets', `${refs.length} reference(s) can be read`)];
}

export async function checkKeyFile({ sealingKey }: Config): Promise<readonly Check[]> {
  return looked('key-file', async () => {
    await readKeyFile(sealingKey.path);
    return [ok('key-file', `${sealingKey.path}, mode 0600; back it up apart from the store`)];
  });
}

export async function checkStore(session: Session): Promise<readonly Check[]> {
  return looked('store', async () => {
    const { custody } = await session.vault();
    await custody.check();
    const imported = await custody.list();
    return [
      ok('store', `${session.config.store.path} can be written and read back; ${imported.length} credential(s) in it`),
    ];
  });
}
