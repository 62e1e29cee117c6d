import type { Config } from '../config.js';
import type { Custody, Lockout } from '../custody/custody.js';
import type { HttpClient } from '../providers/http.js';
import type { Provider } from '../providers/provider.js';

export interface ScheduleFacts {
  /** Next fire, epoch milliseconds; null where there is none. */
  readonly nextMs: number | null;
  /** Nominal time of the last fire, where its request ended without having been served (timed out, terminated); else null. */
  readonly unservedMs: number | null;
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
  readonly clock: { now(): number };
  /** What Temporal knows of the credential's Schedule. */
  /** keyturn's search attributes that this namespace knows; empty where the configuration says `off`. */
  searchAttributes(): Promise<readonly string[]>;
  schedule(credentialId: string): Promise<ScheduleFacts>;
}
