import type { Config } from '../config.js';
import type { ArazzoVault } from '../custody/arazzo-values.js';
import type { Custody, Lockout } from '../custody/custody.js';
import type { Authorizer } from '../providers/authorization.js';
import type { HttpClient } from '../providers/http.js';
import type { Provider } from '../providers/provider.js';

export interface ScheduleFacts {
  /** Next fire, epoch milliseconds; null where there is none. */
  readonly nextMs: number | null;
  /** Nominal time of the last fire, where its request ended without having been served (timed out, terminated); else null. */
  readonly unservedMs: number | null;
}

/** What runs of Arazzo documents need beside that. */
export interface ArazzoDeps {
  readonly vault: ArazzoVault;
  readonly authorizer: Authorizer;
  /** Refuses link-local and metadata addresses. */
  readonly http: HttpClient;
  /** Reads YAML within limits; with problems there is no value. */
  readYaml(text: string): { readonly value: unknown; readonly problems: readonly { readonly message: string }[] };
}

/** Everything an activity reaches for; tests hand in their own. */
export interface ActivityDeps {
  readonly custody: Custody;
  readonly lockout: Lockout;
  /** The configuration as it is now: a changed file counts from the next step on. */
  config(): Promise<Config>;
  /** @throws KeyturnError KT-CONFIG when no such provider exists */
  provider(name: string): Provider;
  readonly http: HttpClient;
  readonly arazzo: ArazzoDeps;
  readonly clock: { now(): number };
  /** What Temporal knows of the credential's Schedule. */
  /** keyturn's search attributes that this namespace knows; empty where the configuration says `off`. */
  searchAttributes(): Promise<readonly string[]>;
  schedule(credentialId: string): Promise<ScheduleFacts>;
}
