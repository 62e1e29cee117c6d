/** Puts an installation together from its configuration: store, custody, budget, providers. Used by worker, CLI and server only. */
import { statSync } from 'node:fs';
import type { ArazzoDeps } from './activities/deps.js';
import { loadConfig, resolveSecret, type Config, type CredentialConfig } from './config.js';
import { readDocument } from './config/document.js';
import { createAccessLog, type AccessLog } from './custody/access.js';
import { arazzoVault, type ArazzoVault } from './custody/arazzo-values.js';
import type { Custody, Lockout } from './custody/custody.js';
import { readKeyFile } from './custody/key-file.js';
import { createLockout } from './custody/lockout.js';
import { openCustody } from './custody/open.js';
import { createScrubber, type Scrubber } from './custody/scrub.js';
import { KeyturnError } from './domain/errors.js';
import { firstRecord } from './domain/imports.js';
import type { SecretRef } from './domain/secret-ref.js';
import type { Secret } from './domain/secret.js';
import { apigeeProvider } from './providers/apigee/provider.js';
import { createAuthorizer } from './providers/authorizer.js';
import { guardedLookup } from './providers/guarded-lookup.js';
import { createHttpClient, type HttpClient } from './providers/http.js';
import { mambuProvider } from './providers/mambu/provider.js';
import type { CredentialValues, Provider } from './providers/provider.js';
import { openFileStore } from './stores/file.js';
import type { Store } from './stores/store.js';

export interface Vault {
  readonly store: Store;
  readonly custody: Custody;
  readonly lockout: Lockout;
  readonly access: AccessLog;
  readonly arazzo: ArazzoVault;
  readonly scrubber: Scrubber;
  close(): Promise<void>;
}

/** @throws KeyturnError KT-KEY-FILE, KT-STORE-UNAVAILABLE */
export async function openVault(config: Config, scrubber: Scrubber = createScrubber()): Promise<Vault> {
  const keys = await readKeyFile(config.sealingKey.path);
  const store = await openFileStore({ path: config.store.path });
  const custody = await openCustody({ store, keys, scrubber });
  const lockout = createLockout({ store, keys, clock: Date, limit: config.lockout.limit });
  const access = createAccessLog({ store, keys, clock: Date });
  const arazzo = arazzoVault({ store, keys, custody });
  return { store, custody, lockout, access, arazzo, scrubber, close: () => store.close() };
}

/** Providers by the name that the configuration uses. */
export function providers(): (name: string) => Provider {
  const authorizer = createAuthorizer({ resolveSecret, http: httpClient() });
  const known = new Map<string, Provider>([
    ['mambu', mambuProvider({ resolveSecret }) as Provider],
    ['apigee', apigeeProvider({ authorizer }) as Provider],
  ]);
  return (name) => {
    const provider = known.get(name);
    if (!provider)
      throw new KeyturnError(
        'KT-CONFIG',
        `there is no provider ${JSON.stringify(name)}; known: ${[...known.keys()].join(', ')}`,
      );
    return provider;
  };
}

/** Seals a key as version 1 without asking the provider: for set-ups that have just made it. @throws KeyturnError KT-ALREADY-IMPORTED */
export async function sealFirstKey(
  { custody }: Pick<Vault, 'custody'>,
  credential: CredentialConfig,
  values: CredentialValues,
): Promise<void> {
  const { credentialId, settings } = credential;
  const provider = providers()(credential.provider);
  const [main = ''] = Object.keys(provider.secretFields);
  const value = values.fields[main];
  if (!value) throw new KeyturnError('KT-INPUT', `${main} is missing`);
  const record = firstRecord(credentialId, await custody.installationId(), {
    keyId: values.keyId,
    fingerprint: await custody.fingerprint(value),
    identity: provider.identity(settings),
    secretKey: values.fields['secretKey'] ? 'ok' : null,
    nowMs: Date.now(),
  });
  await custody.create(credentialId, { record, shelf: { versions: { '1': values }, intents: {} } });
}

const HTTP_TIMEOUT_MS = 15_000;

export function httpClient(): HttpClient {
  return createHttpClient({ httpTimeoutMs: HTTP_TIMEOUT_MS });
}

/** What runs of Arazzo documents work with: they call whatever a document names, but never the machine's own surroundings. */
export function arazzoDeps({ arazzo, scrubber }: Vault): ArazzoDeps {
  const secretOf = async (ref: SecretRef): Promise<Secret> => {
    const secret = await resolveSecret(ref);
    scrubber.add(secret);
    return secret;
  };
  return {
    vault: arazzo,
    authorizer: createAuthorizer({ resolveSecret: secretOf, http: httpClient() }),
    http: createHttpClient({ httpTimeoutMs: HTTP_TIMEOUT_MS, lookup: guardedLookup() }),
    readYaml: readDocument,
  };
}

/**
 * The configuration as the file says now: a change counts from the next step on. A file that is being edited into something wrong does not
 * stop a rotation: the last good one is used, and `onError` hears of it.
 */
export function liveConfig(first: Config, onError: (error: unknown) => void): () => Promise<Config> {
  let known = { config: first, stamp: stampOf(first.file) };
  return async () => {
    const stamp = stampOf(first.file);
    if (stamp === known.stamp) return known.config;
    try {
      known = { config: await loadConfig(first.file), stamp };
    } catch (error) {
      known = { ...known, stamp };
      onError(error);
    }
    return known.config;
  };
}

function stampOf(file: string): string {
  const stat = statSync(file, { throwIfNoEntry: false });
  return stat ? `${stat.mtimeMs}/${stat.size}/${stat.ino}` : 'absent';
}
