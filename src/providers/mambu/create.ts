import type { IntentKind } from '../../domain/record.js';
import type { Secret } from '../../domain/secret.js';
import type { Created, CredentialValues, PreparedIntent } from '../provider.js';
import { type Caller, callOf, type Context, succeed } from './calls.js';
import { unusable } from './errors.js';
import { readCreatedKey, readRotatedKey, readSecretKey } from './keys.js';
import * as requests from './requests.js';

const noKey = 'the answer holds no usable new key';

/** Bytes of the body of a write; null for the one that has none. */
export function prepare({ settings, credential }: Omit<Context, 'send'>, kind: IntentKind): Secret | null {
  switch (kind) {
    case 'rotate':
      return requests.rotateBody(settings, credential);
    case 'create-key':
      return requests.createKeyBody(settings);
    case 'create-secret':
      return null;
    default:
      return kind satisfies never;
  }
}

export async function rotate(context: Context, { body }: PreparedIntent): Promise<Created> {
  const { settings, credential } = context;
  const secretKey = requests.fieldOf(credential, 'secretKey');
  const request = requests.rotate(secretKey, body ?? requests.rotateBody(settings, credential));
  const call = callOf(request, 'the secret key', null);
  const answer = await succeed(context, request, call);
  const key = readRotatedKey(answer);
  if (key === undefined || isSameKey(key.fields['apiKey'], credential)) throw unusable(answer, call, noKey);
  return { keyId: key.keyId, fields: key.fields, expiresAtMs: null };
}

export async function createKey(
  context: Context,
  { body, idempotencyKey }: PreparedIntent,
  { auth, by }: Caller,
): Promise<Created> {
  const { settings, credential } = context;
  const request = requests.createKey(settings, auth, idempotencyKey, body ?? requests.createKeyBody(settings));
  const call = callOf(request, by, 'CREATE_API_CONSUMERS_AND_KEYS');
  const answer = await succeed(context, request, call);
  const key = readCreatedKey(answer);
  if (key === undefined || isSameKey(key.fields['apiKey'], credential)) throw unusable(answer, call, noKey);
  // A replayed answer repeats the lifetime of the first one: then this is up to the replay window too late, until verify has read the listing.
  const expiresAtMs = key.ttlMs === null ? null : context.now() + key.ttlMs;
  return { keyId: key.keyId, fields: key.fields, expiresAtMs };
}

export async function createSecret(
  context: Context,
  { idempotencyKey }: PreparedIntent,
  { auth, by }: Caller,
): Promise<Created> {
  const request = requests.createSecretKey(context.settings, auth, idempotencyKey);
  const call = callOf(request, by, 'CREATE_API_CONSUMERS_AND_KEYS');
  const answer = await succeed(context, request, call);
  const secretKey = readSecretKey(answer);
  if (secretKey === undefined) throw unusable(answer, call, 'the answer holds no usable secret key');
  return { keyId: null, fields: { secretKey }, expiresAtMs: null };
}

function isSameKey(apiKey: Secret | undefined, { fields }: CredentialValues): boolean {
  return apiKey !== undefined && apiKey.reveal() === fields['apiKey']?.reveal();
}
