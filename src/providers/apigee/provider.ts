import { ProviderFailure } from '../../domain/failure.js';
import type { Authorizer } from '../authorization.js';
import type { Capability, KeyInfo, Provider } from '../provider.js';
import { identityOf, settingsFrom } from './account.js';
import { create, find, lifeOf, prepare } from './create.js';
import { equip } from './equip.js';
import { credentialVerdict } from './errors.js';
import { keyInfoOf } from './keys.js';
import { managementBy } from './management.js';
import { restore, retire } from './retire.js';
import { type ApigeeSettings, apigeeSettingsSchema, PROPAGATION_MS } from './settings.js';
import { verify } from './verify.js';

export interface ApigeeProviderDeps {
  /** How keyturn proves itself to the management API: by `auth` of the settings. */
  readonly authorizer: Authorizer;
}

/** Consumer keys of an app in Apigee X, hybrid or classic Edge. keyturn chooses key and secret; the consumer key is itself a secret. */
export function apigeeProvider({ authorizer }: ApigeeProviderDeps): Provider<ApigeeSettings> {
  const management = managementBy(authorizer);
  return {
    name: 'apigee',
    apiVersion: 1,
    settings: apigeeSettingsSchema,
    secretFields: {
      consumerKey: { env: 'KEYTURN_CONSUMER_KEY', required: true },
      consumerSecret: { env: 'KEYTURN_CONSUMER_SECRET', required: true },
    },
    capability,
    identity: identityOf,
    settingsOf: settingsFrom,
    publicSettings: ({ dialect, organization, owner, app, probe, tokenTtlMs, keyTtlMs }) => ({
      dialect,
      organization,
      ...(owner.kind === 'developer' ? { developer: owner.email } : { appGroup: owner.name }),
      app,
      tokenTtlMs,
      keyTtlMs,
      probes: probe !== null,
    }),
    prepare: ({ settings }, _kind, old) => prepare(settings, old),
    incurable,
    inventory: async (context) => (await management.app(context)).keys.map(keyInfoOf),
    create: (context, intent) => create(management, context, intent),
    find: (context, intent) => find(management, context, intent),
    equip: (context, fresh, old) => equip(management, context, fresh, old),
    credentialVerdict,
    verify: (context, fresh, old) => verify(management, context, fresh, old),
    retire: (context, keyId, phase) => retire(management, context, keyId, phase),
    restore: (context, keyId) => restore(management, context, keyId),
    call: () => Promise.reject(noConsumerApi()),
  };
}

function capability({ keyTtlMs }: ApigeeSettings): Capability {
  return {
    value: 'client',
    replayWindowMs: 0,
    listable: true,
    overlap: 'ours',
    propagationMs: PROPAGATION_MS,
    intents: ['create-key'],
    keyIdIsSecret: true,
    needsSecretKey: false,
    ...(keyTtlMs === null ? {} : { keyTtlMs }),
  };
}

/** A key's life is fixed when it is made, and classic Edge cannot fix one for a key that its client chooses. */
function incurable({ dialect, keyTtlMs }: ApigeeSettings, old: KeyInfo): string | null {
  if (old.expiresAtMs === undefined || old.expiresAtMs === null) return null;
  if (dialect === 'edge') {
    return 'the old key expires, and on classic Edge a new one cannot: replace it by one that does not expire, and import that';
  }
  if (keyTtlMs !== null || lifeOf(old) !== null) return null;
  return 'the old key expires and the listing does not tell its life: set `keyTtl`';
}

/** What the key opens is behind the runtime's own host names, which keyturn does not know. */
const noConsumerApi = (): ProviderFailure =>
  new ProviderFailure({
    class: 'rejected',
    code: 'KT-USAGE',
    message:
      'an apigee credential has no API below its base URL: call your proxy with the key from the consumer library',
  });
