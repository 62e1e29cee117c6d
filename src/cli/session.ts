import { userInfo } from 'node:os';
import { KeyturnClient } from '../client.js';
import { knownInstallationId, openVault, type Vault } from '../compose.js';
import type { Config } from '../config.js';
import { temporalTarget } from '../temporal.js';
import { credentialOf } from './credential.js';
import type { Output } from './output.js';
import { asKeyturnError, type Context } from './run.js';

/** What a command works with. Nothing is opened before it is asked for, and all of it is closed when the command ends. */
export interface Session {
  readonly config: Config;
  /** @throws KeyturnError KT-TEMPORAL-UNREACHABLE, KT-TEMPORAL-NAMESPACE */
  client(): Promise<KeyturnClient>;
  /** @throws KeyturnError KT-KEY-FILE, KT-STORE-UNAVAILABLE */
  vault(): Promise<Vault>;
}

export async function withSession<T>(
  { config: load, globals, out }: Pick<Context, 'config' | 'globals' | 'out'>,
  use: (session: Session) => Promise<T>,
): Promise<T> {
  const config = await load();
  let client: Promise<KeyturnClient> | undefined;
  let opened: Promise<Vault> | undefined;
  const vault = (): Promise<Vault> => (opened ??= openVault(config));
  try {
    return await use({ config, vault, client: () => (client ??= connected(config, globals, vault, out)) });
  } finally {
    // What could not be opened need not be closed: the command has heard of it.
    for (const one of await Promise.allSettled([client, opened])) {
      if (one.status === 'fulfilled') await one.value?.close();
    }
  }
}

async function connected(
  config: Config,
  globals: Context['globals'],
  vault: Session['vault'],
  out: Pick<Output, 'warn'>,
): Promise<KeyturnClient> {
  const { connection, namespace } = temporalTarget(config, globals);
  const installationId = await installationOf(vault, out);
  return KeyturnClient.connect({
    connection,
    namespace,
    taskQueue: config.temporal.taskQueue,
    ...(installationId === undefined ? {} : { installationId }),
  });
}

/** While the store is out an operator can still look and pause. */
async function installationOf(vault: Session['vault'], out: Pick<Output, 'warn'>): Promise<string | null | undefined> {
  try {
    return await knownInstallationId(await vault());
  } catch (error) {
    out.warn(
      `the store cannot tell its installation (${asKeyturnError(error).message}): not compared with that of the workflows`,
    );
    return undefined;
  }
}

/**
 * Accepts a credential of the file, and one that is gone from it while its workflow still runs.
 * @throws KeyturnError KT-UNKNOWN-CREDENTIAL
 */
export async function requireKnown(session: Session, credentialId: string): Promise<void> {
  if (session.config.credentials.has(credentialId) || (await runs(session, credentialId))) return;
  credentialOf(session.config, credentialId);
}

/** A Temporal that cannot be asked knows no more than the file. */
async function runs(session: Session, credentialId: string): Promise<boolean> {
  try {
    const client = await session.client();
    return (await client.entity(credentialId))?.taskQueue === client.taskQueue;
  } catch {
    return false;
  }
}

/** Who is at the keyboard: the name of the operating system's user. */
export function operatorName(): string {
  try {
    return userInfo().username;
  } catch {
    // A container's user may have no name.
    return `uid ${process.getuid?.() ?? 'unknown'}`;
  }
}
