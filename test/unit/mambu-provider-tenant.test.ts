import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, test } from 'vitest';
import { type FailureFacts, ProviderFailure } from '../../src/domain/failure.js';
import { Secret } from '../../src/domain/secret.js';
import { createHttpClient } from '../../src/providers/http.js';
import { mambuProvider } from '../../src/providers/mambu/provider.js';
import { type MambuSettings, mambuSettingsSchema } from '../../src/providers/mambu/settings.js';
import type { CredentialValues, PreparedIntent, ProviderContext } from '../../src/providers/provider.js';
import { type MambuSimulator, startMambuSimulator } from '../../src/simulators/mambu/index.js';

const IDEMPOTENCY_KEY = '6f1f6a2e-4c55-4f0c-9c54-4f2d0a1f3b11';
const provider = mambuProvider({ resolveSecret: () => Promise.resolve(new Secret('basic-password')) });

const valuesOf = (keyId: string, apiKey: string, secretKey?: string): CredentialValues => ({
  keyId,
  fields: { apiKey: new Secret(apiKey), ...(secretKey === undefined ? {} : { secretKey: new Secret(secretKey) }) },
});
const unknownKey = valuesOf('new-id', 'NEWKEYDiiCtz7KgQnOi6vdkP1aRw9dCb');

async function failureOf(calling: Promise<unknown>): Promise<FailureFacts> {
  const error: unknown = await calling.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof ProviderFailure) return error.facts;
  throw new Error(`a ProviderFailure was expected, not ${String(error)}`);
}

describe('against a strict tenant over sockets', () => {
  const simulators: MambuSimulator[] = [];
  afterEach(async () => {
    await Promise.all(simulators.splice(0).map((simulator) => simulator.close()));
  });

  const http = createHttpClient({ httpTimeoutMs: 1_000 });

  async function tenant(
    strategy: 'create-and-delete' | 'rotation',
    rules: Parameters<typeof startMambuSimulator>[0] = {},
    more: Record<string, unknown> = {},
  ) {
    const simulator = await startMambuSimulator(rules);
    simulators.push(simulator);
    const [seed] = simulator.seeded;
    if (seed === undefined) throw new Error('the simulator has no seed');
    const settings = mambuSettingsSchema.parse({
      baseUrl: simulator.baseUrl,
      consumerId: seed.consumerId,
      strategy,
      tenantGrace: '30m',
      ...more,
    });
    const credential = valuesOf(seed.keyId, seed.apiKey, seed.secretKey);
    const contextOf = (acting: CredentialValues): ProviderContext<MambuSettings> => ({
      settings,
      credential: acting,
      now: () => simulator.clock.now(),
      send: (request) => http.send(settings.baseUrl, request),
    });
    const context = contextOf(credential);
    const make = async (
      kind: PreparedIntent['kind'],
      acting = credential,
      idempotencyKey: string = randomUUID(),
    ): Promise<CredentialValues> => {
      const intent = { kind, idempotencyKey, body: provider.prepare(contextOf(acting), kind, null) };
      const created = await provider.create(contextOf(acting), intent);
      return { keyId: created.keyId ?? acting.keyId, fields: { ...acting.fields, ...created.fields } };
    };
    return { simulator, seed, settings, credential, context, contextOf, make };
  }

  const accepted = (simulator: MambuSimulator, keyId: string) =>
    simulator
      .oracle()
      .keys.filter(({ id }) => id === keyId)
      .map(({ serial }) => simulator.oracle().acceptedAt(serial, simulator.clock.now()));

  test('create-and-delete: make, verify, delete the old key; both live in between', async () => {
    const { simulator, credential, context, contextOf, make } = await tenant(
      'create-and-delete',
      {},
      { keyTtl: '30d' },
    );
    const next = await make('create-key');
    expect(await provider.verify(context, next, { keyId: credential.keyId })).toMatchObject({
      keyId: next.keyId,
      lostProof: null,
      lifetime: { ttlMs: 2_592_000_000 },
    });
    expect((await provider.inventory(context)).map(({ keyId }) => keyId)).toEqual([credential.keyId, next.keyId]);
    expect(await provider.retire(contextOf(next), credential.keyId, 'destroy')).toBe('done');
    expect(await provider.retire(contextOf(next), credential.keyId, 'destroy')).toBe('absent');
    expect(accepted(simulator, credential.keyId)).toEqual([false]);
    expect(accepted(simulator, next.keyId)).toEqual([true]);
    expect(simulator.oracle().strikes.total).toBe(0);
  });

  test('the same intent sent again gives the same key', async () => {
    const { simulator, credential, make } = await tenant('create-and-delete');
    simulator.faults.add({ match: { route: '/consumers/{id}/apikeys' }, action: 'drop-after-commit' });
    expect(await failureOf(make('create-key', credential, IDEMPOTENCY_KEY))).toMatchObject({
      class: 'unknown',
      code: 'KT-OUTCOME-UNKNOWN',
    });
    await make('create-key', credential, IDEMPOTENCY_KEY);
    expect(simulator.oracle().keys).toHaveLength(2);
  });

  test('a replay that hides the key is still unknown', async () => {
    const { simulator, credential, make } = await tenant('create-and-delete', {
      tenant: { idempotencyReplaysSecrets: false },
    });
    simulator.faults.add({ match: { route: '/consumers/{id}/apikeys' }, action: 'truncate' });
    expect(await failureOf(make('create-key', credential, IDEMPOTENCY_KEY))).toMatchObject({ class: 'unknown' });
    expect(await failureOf(make('create-key', credential, IDEMPOTENCY_KEY))).toMatchObject({
      class: 'unknown',
      code: 'KT-PROVIDER-ANSWER',
    });
  });

  test.each([{ rotationKeepsId: false }, { rotationKeepsId: true }])('rotation in place, %j', async (rules) => {
    const { simulator, credential, context, make } = await tenant('rotation', { tenant: rules });
    const next = await make('rotate');
    expect(next.keyId === credential.keyId).toBe(rules.rotationKeepsId);
    expect(await provider.verify(context, next, { keyId: credential.keyId })).toMatchObject({
      keyId: next.keyId,
      lostProof: null,
    });
    const third = await make('rotate', next);
    expect(third.fields['apiKey']?.reveal()).not.toBe(next.fields['apiKey']?.reveal());
    expect(simulator.oracle().strikes.total).toBe(0);
  });

  test('a lost rotation is recovered by a key made with the old one, and a secret made with the new one', async () => {
    const { simulator, context, make } = await tenant('rotation');
    simulator.faults.add({ match: { route: '/apikey/rotation' }, action: 'drop-after-commit' });
    expect(await failureOf(make('rotate'))).toMatchObject({ class: 'unknown' });
    const next = await make('create-key');
    const whole = await make('create-secret', next);
    expect(await provider.verify(context, whole, null)).toMatchObject({ keyId: next.keyId, lostProof: null });
    await make('rotate', whole);
    expect(simulator.oracle().strikes.total).toBe(0);
  });

  test('each missing permission is named, and costs no strike', async () => {
    const { simulator, seed, credential, context, make } = await tenant('create-and-delete');
    const next = await make('create-key');
    simulator.setPermissions(seed.consumerId, []);
    expect((await failureOf(make('create-key'))).message).toContain('CREATE_API_CONSUMERS_AND_KEYS');
    expect((await failureOf(provider.inventory(context))).message).toContain('VIEW_API_CONSUMERS_AND_KEYS');
    expect((await failureOf(provider.retire(context, next.keyId, 'destroy'))).message).toContain('DELETE_');
    expect((await provider.verify(context, next, { keyId: credential.keyId })).lostProof).toContain('VIEW_');
    expect(simulator.oracle().strikes.total).toBe(0);
  });

  test('maintenance is waited for, a missing feature is not', async () => {
    for (const maintenanceStatus of [403, 503]) {
      const { make } = await tenant('rotation', { tenant: { maintenance: true, maintenanceStatus } });
      for (const kind of ['rotate', 'create-key', 'create-secret'] as const) {
        expect(await failureOf(make(kind))).toMatchObject({ class: 'busy', code: 'KT-PROVIDER-MAINTENANCE' });
      }
    }
    const { make } = await tenant('rotation', { tenant: { apiConsumersFeature: false } });
    expect(await failureOf(make('create-key'))).toMatchObject({ class: 'rejected', reason: 'FEATURE_DISABLED' });
  });

  test.each(['envelope', 'bare-string-code', 'gateway-html'] as const)(
    'a wrong key is refused, errors as %s',
    async (errorFormat) => {
      const { simulator, context } = await tenant('create-and-delete', { tenant: { errorFormat, strikeLimit: 2 } });
      expect(await failureOf(provider.verify(context, unknownKey, null))).toMatchObject({
        class: 'credential-refused',
      });
      expect(await failureOf(provider.verify(context, unknownKey, null))).toMatchObject({
        class: 'credential-refused',
      });
      expect(simulator.oracle().strikes).toMatchObject({ total: 2, blocked: true });
      const locked = await failureOf(provider.inventory(context));
      expect(locked.class).toBe(errorFormat === 'gateway-html' ? 'rejected' : 'blocked');
    },
  );

  test('a consumer that is gone is told from a key that is gone', async () => {
    const { simulator, seed, settings, credential, context } = await tenant('create-and-delete', {
      seed: [{ id: 'rotator' }, { id: 'boss' }],
    });
    const boss = simulator.seeded[1];
    const manager = valuesOf(boss?.keyId ?? '', boss?.apiKey ?? '');
    simulator.deleteConsumer(seed.consumerId);
    const managed = { ...context, settings: { ...settings, managedBy: 'boss' }, manager };
    expect(await failureOf(provider.inventory(managed))).toMatchObject({ class: 'absent', code: 'KT-CONSUMER-GONE' });
    expect(
      await failureOf(provider.retire({ ...managed, credential: manager }, credential.keyId, 'destroy')),
    ).toMatchObject({
      code: 'KT-CONSUMER-GONE',
    });
    expect(await failureOf(provider.inventory(context))).toMatchObject({ class: 'credential-refused' });
  });

  test('an answer that names another key is noticed by verify', async () => {
    const { simulator, credential, context, make } = await tenant('create-and-delete');
    simulator.faults.add({ match: { route: '/consumers/{id}/apikeys' }, action: 'answer-for-another' });
    const next = await make('create-key');
    const { keyId } = await provider.verify(context, next, { keyId: credential.keyId });
    expect(keyId).not.toBe(next.keyId);
    expect(accepted(simulator, keyId)).toEqual([true]);
  });

  test('redirects, garbage and silence leave a write unknown, and nothing is sent twice', async () => {
    const { simulator, make } = await tenant('rotation');
    const match = { route: '/apikey/rotation' };
    simulator.faults.add({ match, action: 'redirect', commit: false });
    simulator.faults.add({ match: { ...match, nth: 2 }, action: 'garbage' });
    simulator.faults.add({ match: { ...match, nth: 3 }, action: 'fail-before', reset: true });
    for (let times = 1; times <= 3; times += 1) {
      expect(await failureOf(make('rotate'))).toMatchObject({ class: 'unknown' });
      expect(simulator.oracle().requests).toHaveLength(times);
    }
  });

  test('a base URL without /api is told by its answer', async () => {
    const { settings, context } = await tenant('create-and-delete');
    const baseUrl = settings.baseUrl.replace('/api', '');
    const facts = await failureOf(provider.inventory({ ...context, send: (request) => http.send(baseUrl, request) }));
    expect(facts.message).toContain('base URL');
  });
});
