/** The model's provider: it speaks to the system of system.ts in one-line requests, through the engine's real guard, fence and lockout. */
import { z } from 'zod';
import { ProviderFailure } from '../../src/domain/failure.js';
import { Secret } from '../../src/domain/secret.js';
import type {
  Capability,
  Created,
  CredentialValues,
  KeyInfo,
  PreparedIntent,
  Provider,
  ProviderAnswer,
  ProviderContext,
} from '../../src/providers/provider.js';
import { refusal } from '../../src/providers/refusal.js';
import type { Key } from './system.js';

export const baseUrl = 'https://model.test';
const secretFields = { apiKey: { env: null, required: true }, secretKey: { env: null, required: false } };

interface CallOptions {
  readonly as?: Secret;
  readonly body?: Record<string, string>;
  readonly idempotencyKey?: string;
}

/** @param draw a fresh name where the client chooses */
export function modelProvider(capability: Capability, draw: () => string): Provider {
  const chooses = capability.value === 'client';
  const isPair = capability.needsSecretKey;

  async function call(
    context: ProviderContext<unknown>,
    kind: string,
    effect: 'read' | 'write',
    { as, body, idempotencyKey }: CallOptions = {},
  ): Promise<ProviderAnswer> {
    const value = as ?? valueOf(context.credential);
    return context.send({
      method: effect === 'read' ? 'GET' : 'POST',
      path: `/${kind}`,
      route: `/${kind}`,
      auth: { kind: 'header', name: 'apikey', value },
      ...(idempotencyKey === undefined ? {} : { headers: { 'idempotency-key': idempotencyKey } }),
      ...(body === undefined ? {} : { body: new Secret(JSON.stringify(body)) }),
      effect,
    });
  }

  /** @throws ProviderFailure for anything but a success */
  async function succeed(...args: Parameters<typeof call>): Promise<unknown> {
    const answer = await call(...args);
    if (answer.status >= 300) throw failed(answer, args[1], args[2], args[0].now());
    return JSON.parse(answer.text);
  }

  async function list(context: ProviderContext<unknown>, as?: Secret): Promise<readonly Key[]> {
    return (await succeed(context, 'list', 'read', as ? { as } : {})) as readonly Key[];
  }

  const infoOf = (k: Key, nowMs: number): KeyInfo => ({
    keyId: k.id,
    scope: k.scope,
    ...(k.ttlMs !== null && k.endsAtMs !== null ? { lifetime: { atMs: nowMs, ttlMs: k.endsAtMs - nowMs } } : {}),
  });

  const chosen = ({ body }: PreparedIntent): CredentialValues => {
    const { id, value } = JSON.parse(body?.reveal() ?? '{}') as { id: string; value: string };
    return { keyId: id, fields: { apiKey: new Secret(value) } };
  };

  const optional: Partial<Provider> = chooses
    ? {
        chosen,
        async find(context, intent): Promise<Created | null> {
          const { keyId, fields } = chosen(intent);
          const answer = await call(context, 'find', 'read', { body: { id: keyId } });
          if (answer.status === 404) return null;
          if (answer.status >= 300) throw failed(answer, 'find', 'read', context.now());
          const found = JSON.parse(answer.text) as Key;
          if (found.value === fields['apiKey']?.reveal()) return { keyId, fields, expiresAtMs: null };
          throw new ProviderFailure({ class: 'rejected', code: 'KT-KEY-TAKEN', message: 'the id is in use' });
        },
        async equip(context, fresh, old) {
          const scope = (await list(context)).find((k) => k.id === old.keyId)?.scope ?? [];
          await succeed(context, 'equip', 'write', { body: { id: fresh.keyId, scope: scope.join(' ') } });
          return { waitingFor: [] };
        },
        async restore(context, keyId) {
          await succeed(context, 'restore', 'write', { body: { id: keyId } });
        },
      }
    : {};

  return {
    name: 'model',
    apiVersion: 1,
    settings: z.unknown(),
    secretFields,
    capability: () => capability,
    identity: () => ({ provider: 'model', baseUrl, account: 'account', strategy: 'only' }),
    settingsOf: () => ({}),
    publicSettings: () => ({}),
    prepare(context, kind) {
      if (kind === 'rotate') return new Secret(JSON.stringify({ value: valueOf(context.credential).reveal() }));
      if (!chooses) return null;
      const name = draw();
      return new Secret(JSON.stringify({ id: `chosen-${name}`, value: `value-of-chosen-${name}` }));
    },
    async inventory(context) {
      return (await list(context)).map((k) => infoOf(k, context.now()));
    },
    async create(context, intent): Promise<Created> {
      const { kind, idempotencyKey } = intent;
      const body = intent.body === null ? {} : (JSON.parse(intent.body.reveal()) as Record<string, string>);
      const secretKey = context.credential.fields['secretKey'];
      const as = kind === 'rotate' && secretKey ? { as: secretKey } : {};
      const name = chooses ? 'create-chosen' : kind;
      const made = await succeed(context, name, 'write', { ...as, body, idempotencyKey });
      const { id, value, secretKey: newSecret } = made as Key & { secretKey?: string };
      if (kind === 'create-secret') return { keyId: null, fields: { secretKey: new Secret(value) }, expiresAtMs: null };
      const fields = { apiKey: new Secret(value), ...(newSecret ? { secretKey: new Secret(newSecret) } : {}) };
      return { keyId: id, fields, expiresAtMs: null };
    },
    credentialVerdict: ({ status }) => (status === 401 ? 'refused' : status < 500 ? 'accepted' : 'unclear'),
    async verify(context, fresh, old) {
      const listing = await list(context, valueOf(fresh));
      const own = listing.find((k) => k.id === fresh.keyId);
      const oldScope = listing.find((k) => k.id === old?.keyId)?.scope ?? own?.scope ?? [];
      const scopeDifference = isPair ? [] : oldScope.filter((s) => !own?.scope.includes(s));
      const lifetime = own ? (infoOf(own, context.now()).lifetime ?? null) : null;
      return { keyId: fresh.keyId, lifetime, scopeDifference, lostProof: null };
    },
    async retire(context, keyId, phase) {
      const kind = phase === 'suspend' ? 'suspend' : 'delete';
      const answer = await call(context, kind, 'write', { body: { id: keyId } });
      if (answer.status === 404) return 'absent';
      if (answer.status >= 300) throw failed(answer, kind, 'write', context.now());
      return 'done';
    },
    call: () => Promise.reject(new Error('the model makes no calls of consumers')),
    ...optional,
  };
}

function valueOf({ fields }: CredentialValues): Secret {
  const value = fields['apiKey'];
  if (!value) throw new Error('a version without its key');
  return value;
}

function failed(answer: ProviderAnswer, kind: string, effect: 'read' | 'write', nowMs: number): ProviderFailure {
  if (answer.status === 409)
    return new ProviderFailure({ class: 'unknown', code: 'KT-KEY-TAKEN', message: 'the value is in use' });
  return refusal(answer, { method: effect === 'read' ? 'GET' : 'POST', route: `/${kind}`, effect }, nowMs);
}
