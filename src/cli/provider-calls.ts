import type { Config, CredentialConfig } from '../config.js';
import { httpClient, providers, type Vault } from '../compose.js';
import type { LockoutScope, Opened } from '../custody/custody.js';
import { provenOnly as provenCredentialsOnly } from '../custody/proven-only.js';
import { KeyturnError } from '../domain/errors.js';
import { currentOf, type VersionFacts } from '../domain/record.js';
import { sendGuarded, type Guard } from '../providers/guard.js';
import type { CredentialValues, Provider, ProviderContext } from '../providers/provider.js';
import type { Output } from './output.js';

/** What a command needs for calls to the provider of one credential. */
export interface Calling {
  readonly config: Config;
  readonly credential: CredentialConfig;
  readonly vault: Vault;
  readonly out: Pick<Output, 'warn'>;
}

interface CallOptions {
  /** Whose calls these are in the lockout account; a command that is run again is another operation. */
  readonly operationId: string;
  /** Sends nothing with a credential that was never accepted. */
  readonly provenOnly?: true;
  /** Runs right before the bytes of a write go out. */
  readonly beforeWrite?: () => Promise<void>;
}

export const providerOf = ({ provider }: Pick<CredentialConfig, 'provider'>): Provider => providers()(provider);

export function lockoutScope(config: Config, { baseUrl }: Pick<CredentialConfig, 'baseUrl'>): LockoutScope {
  return { baseUrl, egress: config.worker.egress };
}

/** A provider's view of the world for calls that authenticate as `acting`, behind the same budget as those of the worker. */
export async function callingAs(
  { config, credential, vault, out }: Calling,
  acting: CredentialValues,
  { operationId, provenOnly, beforeWrite }: CallOptions,
): Promise<ProviderContext<unknown>> {
  const { lockout, custody } = vault;
  const guard: Guard = {
    provider: providerOf(credential),
    settings: credential.settings,
    http: httpClient(),
    httpTimeoutMs: credential.timing.httpTimeoutMs,
    now: () => Date.now(),
    scope: lockoutScope(config, credential),
    operationId,
    fingerprint: (value) => custody.fingerprint(value),
    lockout: provenOnly ? provenCredentialsOnly(lockout) : lockout,
    ...(beforeWrite ? { beforeWrite } : {}),
    onBookFailure: () => out.warn('the lockout account could not be written; the try stays reserved in it'),
  };
  const manager = credential.managedBy === null ? undefined : await managerOf(vault, credential.managedBy);
  return {
    settings: credential.settings,
    credential: acting,
    ...(manager ? { manager } : {}),
    now: () => Date.now(),
    send: (request) => sendGuarded(guard, request),
  };
}

/** Not every call needs it; the provider says so where one does. */
async function managerOf({ custody }: Vault, credentialId: string): Promise<CredentialValues | undefined> {
  const opened = await custody.read(credentialId);
  const current = opened && currentOf(opened.record);
  return current && opened.shelf.versions[String(current.version)];
}

export interface CurrentKey {
  readonly opened: Opened;
  readonly facts: VersionFacts;
  readonly values: CredentialValues;
}

/** @throws KeyturnError KT-NOT-IMPORTED, KT-STORE-CORRUPT */
export async function currentKey({ custody }: Pick<Vault, 'custody'>, credentialId: string): Promise<CurrentKey> {
  const opened = await custody.read(credentialId);
  const facts = opened && currentOf(opened.record);
  if (!facts) {
    const hint = `Seal the existing key first: \`keyturn import ${credentialId}\`.`;
    throw new KeyturnError('KT-NOT-IMPORTED', `no key of ${credentialId} has been imported`, { hint });
  }
  const values = opened.shelf.versions[String(facts.version)];
  if (values) return { opened, facts, values };
  throw new KeyturnError('KT-STORE-CORRUPT', `the values of version ${facts.version} are missing from the record`);
}
