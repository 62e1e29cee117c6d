/** What the steps reach for, and the record that a run begins with. */
import type { ActivityDeps } from '../../src/activities/deps.js';
import type { Config, CredentialConfig } from '../../src/config.js';
import type { Custody, Opened } from '../../src/custody/custody.js';
import { firstRecord } from '../../src/domain/imports.js';
import { Secret } from '../../src/domain/secret.js';
import type { HttpClient } from '../../src/providers/http.js';
import type { Provider } from '../../src/providers/provider.js';
import { baseUrl } from './provider.js';
import type { Scenario } from './scenario.js';
import { fingerprintOf, installationId, lockoutOn, type Disk } from './store.js';
import type { System } from './system.js';

export const credentialId = 'core';

interface Parts {
  readonly disk: Disk;
  readonly custody: Custody;
  readonly provider: Provider;
  readonly http: HttpClient;
  readonly now: () => number;
  readonly policy: () => Scenario['policy'];
  readonly timing: Scenario['timing'];
}

export function depsOf({ disk, custody, provider, http, now, policy, timing }: Parts): ActivityDeps {
  return {
    custody,
    lockout: lockoutOn(disk, now),
    config: () => Promise.resolve(configOf(policy(), timing)),
    provider: () => provider,
    http,
    // Runs of Arazzo documents are not modelled.
    arazzo: {} as ActivityDeps['arazzo'],
    clock: { now },
    searchAttributes: () => Promise.resolve([]),
    schedule: () => Promise.resolve({ nextMs: null, unservedMs: null }),
  };
}

function configOf(policy: Scenario['policy'], timing: Scenario['timing']): Config {
  const credentialConfig: CredentialConfig = {
    credentialId,
    provider: 'model',
    settings: {},
    baseUrl,
    policy,
    schedule: null,
    timing,
    managedBy: null,
    webhook: { consumerIds: [], mode: 'off' },
    allowRequests: [],
    labels: {},
  };
  // Steps read no more of it than this.
  const config: Pick<Config, 'credentials'> & { worker: Pick<Config['worker'], 'egress'> } = {
    credentials: new Map([[credentialId, credentialConfig]]),
    worker: { egress: 'default' },
  };
  return config as Config;
}

/** A key that has been in use for a while, beside somebody else's. */
export function imported({ capability }: Scenario, system: System, nowMs: number): Opened {
  const key = system.add(nowMs, 'ours');
  system.add(nowMs, 'others');
  const { needsSecretKey, keyIdIsSecret } = capability;
  const secretKey = needsSecretKey ? system.addSecret().value : null;
  const fields = {
    apiKey: new Secret(key.value),
    ...(secretKey === null ? {} : { secretKey: new Secret(secretKey) }),
  };
  const record = firstRecord(credentialId, installationId, {
    keyId: keyIdIsSecret ? fingerprintOf(key.id) : key.id,
    fingerprint: fingerprintOf(key.value),
    identity: { provider: 'model', baseUrl, account: 'account', strategy: 'only' },
    secretKey: needsSecretKey ? 'ok' : null,
    nowMs,
  });
  return { record, shelf: { versions: { 1: { keyId: key.id, fields } }, intents: {} } };
}
