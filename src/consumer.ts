/**
 * For an application that needs a key: the current one, read from keyturn's store and kept for as long as the policy allows.
 *
 *     const consumer = await createConsumer({ config: 'keyturn.yaml' });
 *     const core = await consumer.resolveCredential('core-prod');
 *     await fetch(`${core.baseUrl}/branches`, { headers: { apiKey: core.fields.apiKey.reveal() } });
 *
 * Ask `resolveCredential` again before each piece of work instead of keeping what it gave: then a rotation is never noticed. The process
 * needs the store and the key file; it needs Temporal only to acknowledge.
 */
import { liveConfig, openVault, providers, type Vault } from './compose.js';
import { loadConfig, type Config, type CredentialConfig } from './config.js';
import { KeyturnError } from './domain/errors.js';
import { iso } from './domain/instant.js';
import { currentOf } from './domain/record.js';
import type { Secret } from './domain/secret.js';
import { temporalTarget } from './temporal.js';

export { KeyturnError } from './domain/errors.js';
export type { Secret } from './domain/secret.js';

export interface ResolvedCredential {
  readonly credentialId: string;
  readonly version: number;
  /** The provider's id of the key, or its fingerprint where that id is itself secret. */
  readonly keyId: string;
  readonly baseUrl: string;
  /** ISO 8601 UTC; absent where the provider sets no end. */
  readonly expiresAt?: string;
  /** What a call needs, e.g. `apiKey`; a value is text only through `reveal()`. Secrets that are only good for rotating are left out. */
  readonly fields: Readonly<Record<string, Secret>>;
  /**
   * Says that this consumer uses this version and none that is older; there where the consumer has a name. Call it once the version is in
   * use everywhere. @throws KeyturnError KT-NOT-RUNNING, KT-TEMPORAL-UNREACHABLE
   */
  readonly acknowledge?: () => Promise<void>;
}

export interface ConsumerOptions {
  /** Path of keyturn.yaml; default `keyturn.yaml` in the working directory. */
  readonly config?: string;
  /** How long a key is kept before the store is asked again; default half of the policy's `refreshWithin`, at most all of it. */
  readonly maxAgeMs?: number;
  /** Name of this consumer in the policy: what was resolved can then be acknowledged. */
  readonly acknowledgeAs?: string;
}

export interface Consumer {
  /**
   * The current key. Where the store cannot be read for a moment, the one that is known is given for as long as `refreshWithin` allows.
   * @throws KeyturnError KT-UNKNOWN-CREDENTIAL, KT-NOT-IMPORTED, KT-STORE-UNAVAILABLE
   */
  resolveCredential(credentialId: string): Promise<ResolvedCredential>;
  /**
   * To be asked after the provider has refused (401) what was resolved: the newer key if there is one, for one more try. The store is read
   * once; while it has nothing newer, every further refusal of the same version throws without reading until `refreshWithin` has passed.
   * Do not call the provider with a key that is refused: providers lock out whoever goes on (Mambu after ten such calls, for good).
   * @throws KeyturnError KT-CREDENTIAL-REFUSED when the refused key is the newest
   */
  afterRefusal(refused: ResolvedCredential): Promise<ResolvedCredential>;
  close(): Promise<void>;
}

/** @throws KeyturnError KT-CONFIG, KT-CONFIG-MISSING, KT-KEY-FILE, KT-STORE-UNAVAILABLE */
export async function createConsumer(options: ConsumerOptions = {}): Promise<Consumer> {
  const config = await loadConfig(options.config ?? 'keyturn.yaml');
  return new StoreConsumer(
    await openVault(config),
    liveConfig(config, () => undefined),
    options,
  );
}

/** One key, once: for scripts. A process that goes on uses {@link createConsumer}. @throws as {@link Consumer.resolveCredential} */
export async function resolveCredential(
  credentialId: string,
  options: Pick<ConsumerOptions, 'config'> = {},
): Promise<ResolvedCredential> {
  const consumer = await createConsumer(options);
  try {
    return await consumer.resolveCredential(credentialId);
  } finally {
    await consumer.close();
  }
}

interface Kept {
  readonly resolved: ResolvedCredential;
  readonly readAtMs: number;
}

class StoreConsumer implements Consumer {
  readonly #kept = new Map<string, Kept>();
  readonly #reading = new Map<string, Promise<Kept>>();
  /** When a version was last found to be the newest after it was refused. */
  readonly #refused = new Map<string, { readonly version: number; readonly readAtMs: number }>();

  constructor(
    private readonly vault: Vault,
    private readonly config: () => Promise<Config>,
    private readonly options: ConsumerOptions,
  ) {}

  async resolveCredential(credentialId: string): Promise<ResolvedCredential> {
    const refreshWithinMs = readWithinMs(await this.#credential(credentialId));
    const maxAgeMs = Math.min(this.options.maxAgeMs ?? refreshWithinMs / 2, refreshWithinMs);
    const kept = this.#kept.get(credentialId);
    if (kept && isWithin(kept.readAtMs, maxAgeMs)) return kept.resolved;
    try {
      return (await this.#read(credentialId)).resolved;
    } catch (error) {
      const isOutage = error instanceof KeyturnError && error.code === 'KT-STORE-UNAVAILABLE';
      if (isOutage && kept && isWithin(kept.readAtMs, refreshWithinMs)) return kept.resolved;
      throw error;
    }
  }

  async afterRefusal({ credentialId, version }: ResolvedCredential): Promise<ResolvedCredential> {
    const refreshWithinMs = readWithinMs(await this.#credential(credentialId));
    const kept = this.#kept.get(credentialId);
    if (kept && kept.resolved.version > version) return kept.resolved;
    const before = this.#refused.get(credentialId);
    const isKnown = before?.version === version && isWithin(before.readAtMs, refreshWithinMs);
    if (!isKnown) {
      const { resolved, readAtMs } = await this.#read(credentialId);
      if (resolved.version > version) return resolved;
      this.#refused.set(credentialId, { version, readAtMs });
    }
    throw new KeyturnError(
      'KT-CREDENTIAL-REFUSED',
      `the provider refuses version ${version} of ${credentialId}, and there is none that is newer`,
      { hint: `Stop calling with it; \`keyturn status ${credentialId}\` and \`keyturn doctor\` say more.` },
    );
  }

  async close(): Promise<void> {
    this.#kept.clear();
    await this.vault.close();
  }

  /** Callers at the same time share one read. */
  #read(credentialId: string): Promise<Kept> {
    const running = this.#reading.get(credentialId);
    if (running) return running;
    const reading = this.#readNow(credentialId).finally(() => this.#reading.delete(credentialId));
    this.#reading.set(credentialId, reading);
    return reading;
  }

  async #readNow(credentialId: string): Promise<Kept> {
    const credential = await this.#credential(credentialId);
    // Its age counts from before the read: what was published meanwhile may not be in it.
    const readAtMs = Date.now();
    const opened = await this.vault.custody.read(credentialId);
    const current = opened && currentOf(opened.record);
    const values = current && opened.shelf.versions[String(current.version)];
    if (!values) throw new KeyturnError('KT-NOT-IMPORTED', `no key of ${credentialId} has been imported`);
    const { version, keyId, expiresAtMs } = current;
    const { acknowledgeAs } = this.options;
    const resolved: ResolvedCredential = {
      credentialId,
      version,
      keyId,
      baseUrl: current.identity.baseUrl,
      ...(expiresAtMs === null ? {} : { expiresAt: iso(expiresAtMs) }),
      fields: usableFields(credential, values.fields),
      ...(acknowledgeAs === undefined
        ? {}
        : { acknowledge: () => this.#acknowledge(credentialId, acknowledgeAs, version) }),
    };
    const kept = { resolved, readAtMs };
    this.#kept.set(credentialId, kept);
    return kept;
  }

  async #credential(credentialId: string): Promise<CredentialConfig> {
    const config = await this.config();
    const credential = config.credentials.get(credentialId);
    if (credential) return credential;
    throw new KeyturnError('KT-UNKNOWN-CREDENTIAL', `there is no credential ${credentialId} in ${config.file}`);
  }

  /** Temporal's client is loaded by those who acknowledge. */
  async #acknowledge(credentialId: string, consumer: string, version: number): Promise<void> {
    const config = await this.config();
    const { KeyturnClient } = await import('./client.js');
    const client = await KeyturnClient.connect({ ...temporalTarget(config, {}), taskQueue: config.temporal.taskQueue });
    try {
      await client.acknowledge(credentialId, consumer, version);
    } finally {
      await client.close();
    }
  }
}

const isWithin = (sinceMs: number, ms: number): boolean => Date.now() - sinceMs < ms;

/** Within this a consumer has to read the key again: the policy's `refreshWithin` as the file has it. */
const readWithinMs = ({ policy, tokenTtlMs = 0 }: CredentialConfig): number => policy.refreshWithinMs - tokenTtlMs;

/** Those that `keyturn exec` would hand out, too. */
function usableFields(
  { provider }: CredentialConfig,
  fields: Readonly<Record<string, Secret>>,
): Readonly<Record<string, Secret>> {
  const { secretFields } = providers()(provider);
  return Object.fromEntries(Object.entries(fields).filter(([name]) => (secretFields[name]?.env ?? null) !== null));
}
