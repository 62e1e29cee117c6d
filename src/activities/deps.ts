import type { Config } from '../config.js';
import type { Custody, Lockout } from '../custody/custody.js';
import type { HttpClient } from '../providers/http.js';
import type { Provider } from '../providers/provider.js';

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
  /** Next fire time of the credential's Schedule in epoch milliseconds; null where there is none or Temporal cannot tell. */
  /** keyturn's search attributes that this namespace knows; empty where the configuration says `off`. */
  searchAttributes(): Promise<readonly string[]>;
  nextScheduledMs(credentialId: string): Promise<number | null>;
}
