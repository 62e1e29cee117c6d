import { ProviderFailure } from '../../domain/failure.js';
import type { SecretRef } from '../../domain/secret-ref.js';
import type { Secret } from '../../domain/secret.js';
import type { Capability, Created, KeyInfo, PreparedIntent, Provider, RequestAuth } from '../provider.js';
import { type Caller, callerOf, callOf, type Context, listingOf, succeed } from './calls.js';
import { createKey, createSecret, prepare, rotate } from './create.js';
import { credentialVerdict, refusalOf } from './errors.js';
import { isAboutConsumer, isSuccess, reasonsOf } from './reasons.js';
import * as requests from './requests.js';
import { settingsFrom, type MambuSettings, mambuSettingsSchema } from './settings.js';
import { verify } from './verify.js';

/** Mambu docs, API v2, Idempotency: status and body are replayed for 6 h. */
const REPLAY_WINDOW_MS = 6 * 3_600_000;

/** Mambu docs, API Consumers page: ten invalid-credential requests, ever, block the IP address. */
const STRIKE_LIMIT = 10;

export interface MambuProviderDeps {
  /** Reads the password of `management` when a call needs it. */
  resolveSecret(ref: SecretRef): Promise<Secret>;
}

/** API keys of a Mambu API consumer, by both of Mambu's ways: create and delete, or rotate in place. */
export function mambuProvider(deps: MambuProviderDeps): Provider<MambuSettings> {
  /** Who manages keys: `management`, else the credential of `managedBy`, else the credential itself. */
  async function manager({ settings, manager: other, credential }: Context): Promise<Caller> {
    if (settings.management !== null) {
      const { username, password } = settings.management;
      const auth: RequestAuth = { kind: 'basic', username, password: await deps.resolveSecret(password) };
      return { auth, by: 'the user of `management`' };
    }
    if (settings.managedBy === null) return callerOf(credential, 'this API consumer');
    if (other !== undefined) return callerOf(other, 'the API consumer of `managedBy`');
    const message = 'the credential that `managedBy` names has no key yet';
    throw new ProviderFailure({ class: 'rejected', code: 'KT-NOT-IMPORTED', message });
  }

  async function inventory(context: Context): Promise<readonly KeyInfo[]> {
    const { auth, by } = await manager(context);
    const request = requests.listKeys(context.settings, auth);
    const call = callOf(request, by, 'VIEW_API_CONSUMERS_AND_KEYS');
    const answer = await succeed(context, request, call);
    return listingOf(answer, call, context.now());
  }

  async function create(context: Context, intent: PreparedIntent): Promise<Created> {
    switch (intent.kind) {
      case 'rotate':
        return rotate(context, intent);
      case 'create-key':
        return createKey(context, intent, await manager(context));
      case 'create-secret':
        return createSecret(context, intent, await manager(context));
      default:
        return intent.kind satisfies never;
    }
  }

  async function retire(context: Context, keyId: string, phase: 'suspend' | 'destroy'): Promise<'done' | 'absent'> {
    if (phase === 'suspend') return 'done';
    if (keyId === context.credential.keyId) {
      const message = 'refused to delete the key that the call would be made with';
      throw new ProviderFailure({ class: 'rejected', code: 'KT-INTERNAL', message });
    }
    const { auth, by } = await manager(context);
    const request = requests.deleteKey(context.settings, auth, keyId);
    const answer = await context.send(request);
    if (isSuccess(answer)) return 'done';
    const reasons = reasonsOf(answer);
    if (answer.status !== 404 || isAboutConsumer(reasons)) {
      throw refusalOf(answer, callOf(request, by, 'DELETE_API_CONSUMERS_AND_KEYS'), context.now());
    }
    if (!reasons.includes('INVALID_API_KEY_ID')) await confirmAbsent(context, keyId);
    return 'absent';
  }

  /** A 404 may also come from a gateway, or be about the consumer: only the listing tells. */
  async function confirmAbsent(context: Context, keyId: string): Promise<void> {
    const listing = await inventory(context);
    if (!listing.some((key) => key.keyId === keyId)) return;
    const message = 'Mambu answered 404 to DELETE /consumers/{id}/apikeys/{keyId}, but still lists the key';
    throw new ProviderFailure({ class: 'rejected', code: 'KT-PROVIDER-ANSWER', message, status: 404 });
  }

  return {
    name: 'mambu',
    apiVersion: 1,
    settings: mambuSettingsSchema,
    secretFields: {
      apiKey: { env: 'KEYTURN_API_KEY', required: true },
      secretKey: { env: null, required: false },
    },
    capability,
    identity: ({ baseUrl, consumerId, strategy }) => ({ provider: 'mambu', baseUrl, account: consumerId, strategy }),
    settingsOf: ({ baseUrl, account, strategy }) => settingsFrom(baseUrl, account, strategy),
    publicSettings: ({ consumerId, strategy, tenantGraceMs, keyTtlMs }) => ({
      consumerId,
      strategy,
      tenantGraceMs,
      keyTtlMs,
    }),
    prepare,
    inventory,
    create,
    credentialVerdict,
    verify,
    retire,
    call: (context, request) =>
      context.send(requests.consumerCall(callerOf(context.credential, 'this API consumer').auth, request)),
  };
}

/** The replay window is that of `create-key` and `create-secret`; Mambu documents no idempotency for a rotation. */
function capability({ strategy, tenantGraceMs, keyTtlMs }: MambuSettings): Capability {
  const common = {
    value: 'server',
    replayWindowMs: REPLAY_WINDOW_MS,
    listable: true,
    propagationMs: 0,
    strikeLimit: STRIKE_LIMIT,
    keyIdIsSecret: false,
    ...(keyTtlMs === null ? {} : { keyTtlMs }),
  } as const;
  if (strategy === 'create-and-delete') {
    return { ...common, overlap: 'ours', intents: ['create-key'], needsSecretKey: false };
  }
  const providerGraceMs = tenantGraceMs ?? 0;
  return {
    ...common,
    overlap: providerGraceMs === 0 ? 'none' : 'provider',
    providerGraceMs,
    intents: ['rotate', 'create-key', 'create-secret'],
    needsSecretKey: true,
  };
}
