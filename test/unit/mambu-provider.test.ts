import { describe, expect, test } from 'vitest';
import { type FailureFacts, ProviderFailure } from '../../src/domain/failure.js';
import { Secret } from '../../src/domain/secret.js';
import { credentialVerdict } from '../../src/providers/mambu/errors.js';
import { mambuProvider } from '../../src/providers/mambu/provider.js';
import { type MambuSettings, mambuSettingsSchema } from '../../src/providers/mambu/settings.js';
import type {
  CredentialValues,
  PreparedIntent,
  ProviderAnswer,
  ProviderContext,
  ProviderRequest,
} from '../../src/providers/provider.js';

const NOW_MS = Date.parse('2026-11-21T04:00:00Z');
const IDEMPOTENCY_KEY = '6f1f6a2e-4c55-4f0c-9c54-4f2d0a1f3b11';
const provider = mambuProvider({ resolveSecret: () => Promise.resolve(new Secret('basic-password')) });

function settingsFor(more: Record<string, unknown> = {}): MambuSettings {
  return mambuSettingsSchema.parse({
    baseUrl: 'https://acme.mambu.com/api',
    consumerId: 'rota/tor',
    strategy: 'create-and-delete',
    ...more,
  });
}
const rotationSettings = (more: Record<string, unknown> = {}) =>
  settingsFor({ strategy: 'rotation', tenantGrace: '30m', ...more });

const valuesOf = (keyId: string, apiKey: string, secretKey?: string): CredentialValues => ({
  keyId,
  fields: { apiKey: new Secret(apiKey), ...(secretKey === undefined ? {} : { secretKey: new Secret(secretKey) }) },
});
const old = valuesOf('old-id', 'OLDKEYi9TCzwUBwyTVQrfPEAhk0oEpOU', 'OLDSECRET9TCzwUBwyTVQrfPEAhk0oEp');
const fresh = valuesOf('new-id', 'NEWKEYDiiCtz7KgQnOi6vdkP1aRw9dCb');

const intentOf = (kind: PreparedIntent['kind'], body: string | null = '{}'): PreparedIntent => ({
  kind,
  idempotencyKey: IDEMPOTENCY_KEY,
  body: body === null ? null : new Secret(body),
});

const answerOf = (status: number, body: unknown = '', headers: Record<string, string> = {}): ProviderAnswer => ({
  status,
  headers,
  text: typeof body === 'string' ? body : JSON.stringify(body),
});
const reason = (errorReason: string, errorCode: unknown = 9999) => ({ errors: [{ errorCode, errorReason }] });
const html = '<html><body><h1>nope</h1></body></html>';

/** A context whose `send` gives the answers one after the other and keeps the requests. */
function scripted(settings: MambuSettings, ...answers: ProviderAnswer[]) {
  const sent: ProviderRequest[] = [];
  const context: ProviderContext<MambuSettings> = {
    settings,
    credential: old,
    now: () => NOW_MS,
    send(request) {
      sent.push(request);
      const answer = answers[sent.length - 1];
      return answer === undefined ? Promise.reject(new Error('one request too many')) : Promise.resolve(answer);
    },
  };
  return { context, sent };
}

async function failureOf(calling: Promise<unknown>): Promise<FailureFacts> {
  const error: unknown = await calling.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof ProviderFailure)) throw new Error(`a ProviderFailure was expected, not ${String(error)}`);
  for (const secret of ['OLDKEY', 'NEWKEY', 'OLDSECRET', 'basic-password']) {
    expect(JSON.stringify(error.facts)).not.toContain(secret);
  }
  return error.facts;
}
const create = (answer: ProviderAnswer, kind: PreparedIntent['kind'] = 'create-key', settings = rotationSettings()) =>
  failureOf(provider.create(scripted(settings, answer).context, intentOf(kind)));
const list = (answer: ProviderAnswer) => failureOf(provider.inventory(scripted(settingsFor(), answer).context));

describe('requests', () => {
  const revealed = (request: ProviderRequest | undefined) =>
    request?.auth.kind === 'header' ? { [request.auth.name]: request.auth.value.reveal() } : request?.auth;
  const accept = 'application/vnd.mambu.v2+json';

  test('create-key carries the stored bytes and the idempotency key, below the encoded consumer', async () => {
    const { context, sent } = scripted(
      settingsFor({ keyTtl: '30d' }),
      answerOf(201, { id: 'n', apiKey: 'x'.repeat(32) }),
    );
    const body = provider.prepare(context, 'create-key', null);
    expect(body?.reveal()).toBe('{"expirationTime":2592000}');
    await provider.create(context, { ...intentOf('create-key'), body });
    expect(sent).toMatchObject([{ method: 'POST', path: '/consumers/rota%2Ftor/apikeys', effect: 'write', body }]);
    expect(sent[0]?.headers).toEqual({
      accept,
      'content-type': 'application/json',
      'Idempotency-Key': IDEMPOTENCY_KEY,
    });
    expect(revealed(sent[0])).toEqual({ apiKey: old.fields['apiKey']?.reveal() });
    expect(provider.prepare({ ...context, settings: settingsFor() }, 'create-key', null)?.reveal()).toBe('{}');
  });

  test('a rotation shows the secret key alone, and names the key in its body', async () => {
    const answer = answerOf(200, { id: 'n', apiKey: 'x'.repeat(32), secretKey: 'y'.repeat(32) });
    const { context, sent } = scripted(rotationSettings({ management: basic }), answer);
    const body = provider.prepare(context, 'rotate', null);
    expect(JSON.parse(body?.reveal() ?? '')).toEqual({ apiKey: old.fields['apiKey']?.reveal(), id: 'old-id' });
    const created = await provider.create(context, { ...intentOf('rotate'), body });
    expect(revealed(sent[0])).toEqual({ secretkey: old.fields['secretKey']?.reveal() });
    expect(sent[0]?.headers).toEqual({ accept, 'content-type': 'application/json' });
    expect(sent[0]?.path).toBe('/apikey/rotation');
    expect(created).toMatchObject({ keyId: 'n', expiresAtMs: null });
    expect(Object.keys(created.fields)).toEqual(['apiKey', 'secretKey']);
  });

  test('create-secret has neither body nor content type', async () => {
    const { context, sent } = scripted(rotationSettings(), answerOf(201, { secretKey: 'y'.repeat(32) }));
    expect(provider.prepare(context, 'create-secret', null)).toBeNull();
    const created = await provider.create(context, intentOf('create-secret', null));
    expect(sent[0]?.body).toBeUndefined();
    expect(sent[0]?.headers).toEqual({ accept, 'Idempotency-Key': IDEMPOTENCY_KEY });
    expect(created.keyId).toBeNull();
    expect(created.fields['secretKey']?.reveal()).toBe('y'.repeat(32));
  });

  const basic = { kind: 'basic', username: 'rotator', password: '${env:P}' } as const;

  test('are authenticated by `management`, by the managing credential, or by the key itself', async () => {
    const byBasic = scripted(settingsFor({ management: basic }), answerOf(200, '[]'));
    await provider.inventory(byBasic.context);
    expect(byBasic.sent[0]?.auth).toMatchObject({ kind: 'basic', username: 'rotator' });

    const byManager = scripted(settingsFor({ managedBy: 'boss' }), answerOf(204));
    const manager = valuesOf('boss-id', 'BOSSKEYz7KgQnOi6vdkP1aRw9dCbseIN');
    expect(await provider.retire({ ...byManager.context, manager }, 'a/../b', 'destroy')).toBe('done');
    expect(revealed(byManager.sent[0])).toEqual({ apiKey: 'BOSSKEYz7KgQnOi6vdkP1aRw9dCbseIN' });
    expect(byManager.sent[0]?.path).toBe('/consumers/rota%2Ftor/apikeys/a%2F..%2Fb');

    const orphaned = scripted(settingsFor({ managedBy: 'boss' }));
    expect(await failureOf(provider.inventory(orphaned.context))).toMatchObject({ code: 'KT-NOT-IMPORTED' });
  });

  test('verify uses the fresh key, whoever manages keys', async () => {
    const { context, sent } = scripted(settingsFor({ management: basic }), answerOf(200, [{ id: 'new-id' }]));
    await provider.verify(context, fresh, null);
    expect(revealed(sent[0])).toEqual({ apiKey: fresh.fields['apiKey']?.reveal() });
  });

  test('a rotation without a secret key is refused before anything is sent', async () => {
    const { context, sent } = scripted(rotationSettings());
    const facts = await failureOf(provider.create({ ...context, credential: fresh }, intentOf('rotate')));
    expect(facts).toMatchObject({ class: 'rejected', code: 'KT-CAPABILITY-LOST' });
    expect(sent).toEqual([]);
  });

  test('the key that makes the call is never deleted', async () => {
    const { context, sent } = scripted(settingsFor());
    expect(await failureOf(provider.retire(context, 'old-id', 'destroy'))).toMatchObject({ class: 'rejected' });
    expect(sent).toEqual([]);
  });

  test('a call of a consumer carries its key and keeps its path', async () => {
    const { context, sent } = scripted(settingsFor(), answerOf(418, 'x'));
    expect(await provider.call(context, { method: 'GET', path: '/branches?limit=1' })).toMatchObject({ status: 418 });
    expect(sent[0]).toMatchObject({ path: '/branches?limit=1', effect: 'read' });
    expect(revealed(sent[0])).toEqual({ apiKey: old.fields['apiKey']?.reveal() });
  });
});

describe('capability', () => {
  test('of create-and-delete: overlap in our hands, replay for 6 h', () => {
    expect(provider.capability(settingsFor())).toMatchObject({
      overlap: 'ours',
      replayWindowMs: 21_600_000,
      intents: ['create-key'],
      needsSecretKey: false,
      strikeLimit: 10,
    });
  });

  test('of rotation: overlap is the tenant’s grace, or none', () => {
    const intents = ['rotate', 'create-key', 'create-secret'];
    expect(provider.capability(rotationSettings())).toMatchObject({
      overlap: 'provider',
      providerGraceMs: 1_800_000,
      intents,
      needsSecretKey: true,
    });
    expect(provider.capability(rotationSettings({ tenantGrace: '0s', acceptGap: true }))).toMatchObject({
      overlap: 'none',
      providerGraceMs: 0,
    });
  });
});

describe('refusals are read by their reason', () => {
  test.each([
    ['the documented envelope', reason('READ_ONLY_MODE', 32)],
    ['a number as text', { errors: [{ errorCode: '32' }] }],
    ['the bare object', { errorCode: '32', errorReason: 'READ_ONLY_MODE' }],
    ['v1', { returnCode: 32, returnStatus: 'READ_ONLY_MODE' }],
    [
      'a known one behind an unknown one',
      { errors: [{ errorReason: 'SOMETHING_NEW' }, { errorReason: 'READ_ONLY_MODE' }] },
    ],
  ])('in %s', async (_name, body) => {
    for (const status of [400, 403, 500, 503]) {
      expect(await create(answerOf(status, body))).toMatchObject({
        class: 'busy',
        code: 'KT-PROVIDER-MAINTENANCE',
        reason: 'READ_ONLY_MODE',
      });
    }
  });

  test.each([
    [401, reason('INVALID_CREDENTIALS', 2), 'credential-refused', 'KT-CREDENTIAL-REFUSED'],
    [401, reason('INVALID_API_KEY'), 'credential-refused', 'KT-CREDENTIAL-REFUSED'],
    [401, html, 'credential-refused', 'KT-CREDENTIAL-REFUSED'],
    [400, reason('INVALID_CREDENTIALS', 2), 'credential-refused', 'KT-CREDENTIAL-REFUSED'],
    [403, reason('INVALID_PERMISSIONS', 15), 'forbidden', 'KT-FORBIDDEN'],
    [403, reason('EXCESSIVE_INVALID_REQUESTS', 24), 'blocked', 'KT-LOCKED-OUT'],
    [401, reason('EXCESSIVE_INVALID_REQUESTS', 24), 'blocked', 'KT-LOCKED-OUT'],
    [429, reason('INVALID_IP_ADDRESS', 16), 'blocked', 'KT-LOCKED-OUT'],
    [403, html, 'rejected', 'KT-PROVIDER-REJECTED'],
    [403, reason('FEATURE_DISABLED', 19), 'rejected', 'KT-PROVIDER-REJECTED'],
    [400, reason('BLOCKING_OPERATION_IN_PROGRESS', 60), 'busy', 'KT-PROVIDER-BUSY'],
    [409, '', 'busy', 'KT-PROVIDER-BUSY'],
    [429, html, 'busy', 'KT-PROVIDER-BUSY'],
    [400, reason('INVALID_PARAMETERS', 4), 'rejected', 'KT-PROVIDER-REJECTED'],
    [404, reason('INVALID_API_CONSUMER_ID'), 'absent', 'KT-CONSUMER-GONE'],
    [404, html, 'rejected', 'KT-PROVIDER-ANSWER'],
    [400, html, 'rejected', 'KT-PROVIDER-ANSWER'],
  ] as const)('%i %j is %s for a write and a read alike', async (status, body, failureClass, code) => {
    expect(await create(answerOf(status, body))).toMatchObject({ class: failureClass, code, status });
    expect(await list(answerOf(status, body))).toMatchObject({ class: failureClass, code, status });
  });

  test.each([
    [301, html],
    [307, ''],
    [408, html],
    [500, html],
    [500, reason('INTERNAL_ERROR', 6)],
    [502, ''],
    [503, html],
    [504, ''],
  ])('%i leaves a write unknown, and is an outage for a read', async (status, body) => {
    for (const kind of ['rotate', 'create-key', 'create-secret'] as const) {
      expect(await create(answerOf(status, body), kind)).toMatchObject({ class: 'unknown' });
    }
    expect(await list(answerOf(status, body))).toMatchObject({ class: 'outage' });
  });

  test('a missing permission is named for each route', async () => {
    const denied = answerOf(403, reason('INVALID_PERMISSIONS', 15));
    expect((await list(denied)).message).toContain('needs the permission VIEW_API_CONSUMERS_AND_KEYS');
    expect((await create(denied)).message).toContain('CREATE_API_CONSUMERS_AND_KEYS');
    expect((await create(denied, 'create-secret')).message).toContain('CREATE_API_CONSUMERS_AND_KEYS');
    const deleting = failureOf(provider.retire(scripted(settingsFor(), denied).context, 'x', 'destroy'));
    expect((await deleting).message).toContain('DELETE_API_CONSUMERS_AND_KEYS');
  });

  test('Retry-After is seconds or a date, and bounded', async () => {
    const wait = async (value: string) => (await create(answerOf(429, '', { 'retry-after': value }))).retryAfterMs;
    expect(await wait('7')).toBe(7_000);
    expect(await wait(new Date(NOW_MS + 9_000).toUTCString())).toBe(9_000);
    expect(await wait(new Date(NOW_MS - 9_000).toUTCString())).toBe(0);
    expect(await wait('999999999')).toBe(86_400_000);
    expect(await wait('soon')).toBeUndefined();
  });

  test('nothing of an answer is quoted but a reason in capitals', async () => {
    const echo = '\u001b[31mNEWKEYDiiCtz7KgQnOi6vdkP1aRw9dCb';
    const { message, reason: quoted } = await create(
      answerOf(400, { errors: [{ errorCode: echo, errorReason: echo, errorSource: echo }] }),
    );
    expect(message).toBe(
      'Mambu answered 400 to POST /consumers/{id}/apikeys: ' + message.split(': ').slice(1).join(': '),
    );
    expect(message).not.toContain('\u001b');
    expect(quoted).toBeUndefined();
  });
});

describe('a success that is not what Mambu documents', () => {
  const long = 'x'.repeat(32);
  test.each([
    ['create-key', html],
    ['create-key', ''],
    ['create-key', { id: 'n' }],
    ['create-key', { id: 'n', apiKey: 'NEWKEY' }],
    ['create-key', { apiKey: long }],
    ['create-key', { id: '..', apiKey: long }],
    ['create-key', { id: 'n', apiKey: `${long}\r\nx: y` }],
    ['create-key', { id: 'n', apiKey: old.fields['apiKey']?.reveal() }],
    ['rotate', { id: 'n', apiKey: long }],
    ['rotate', { apiKey: long, secretKey: long }],
    ['rotate', { id: 'old-id', apiKey: old.fields['apiKey']?.reveal(), secretKey: long }],
    ['create-secret', {}],
  ] as const)('leaves %s unknown: %j', async (kind, body) => {
    expect(await create(answerOf(201, body), kind)).toMatchObject({ class: 'unknown', code: 'KT-PROVIDER-ANSWER' });
  });

  test('is an outage for a listing, with a hint at the base URL', async () => {
    for (const body of [html, '{}', '[{"apiKey":"abcdef"}]', 'null']) {
      const facts = await list(answerOf(200, body));
      expect(facts).toMatchObject({ class: 'outage', code: 'KT-PROVIDER-ANSWER' });
      expect(facts.message).toContain('/api');
    }
  });
});

describe('a listing', () => {
  test('gives ids, prefixes and lifetimes, and never more of a value than its prefix', async () => {
    const listed = [
      { id: 'a', apiKey: 'abcdef', expirationTime: 60 },
      { id: 'b', apiKey: 'a-whole-key-that-should-not-be-here', expirationTime: 0 },
      { id: 'c', apiKey: null, expirationTime: null },
    ];
    expect(await provider.inventory(scripted(settingsFor(), answerOf(200, listed)).context)).toEqual([
      { keyId: 'a', prefix: 'abcdef', lifetime: { atMs: NOW_MS, ttlMs: 60_000 } },
      { keyId: 'b', prefix: 'a-whol' },
      { keyId: 'c' },
    ]);
  });
});

describe('verify', () => {
  const verify = (listing: unknown, settings = settingsFor()) =>
    provider.verify(scripted(settings, answerOf(200, listing)).context, fresh, { keyId: 'old-id' });

  test('finds the key by id and prefix, with its lifetime', async () => {
    expect(await verify([{ id: 'new-id', apiKey: 'NEWKEY', expirationTime: 60 }])).toEqual({
      keyId: 'new-id',
      lifetime: { atMs: NOW_MS, ttlMs: 60_000 },
      scopeDifference: [],
      lostProof: null,
    });
  });

  test('takes the newer of two entries with one id, as after a rotation that keeps the id', async () => {
    const listing = [
      { id: 'new-id', apiKey: 'OLDKEY', expirationTime: 5 },
      { id: 'new-id', apiKey: 'NEWKEY', expirationTime: 60 },
    ];
    expect((await verify(listing)).lifetime?.ttlMs).toBe(60_000);
  });

  test('corrects an id that the answer to the create got wrong', async () => {
    const listing = [
      { id: 'old-id', apiKey: 'OLDKEY' },
      { id: 'real-id', apiKey: 'NEWKEY' },
    ];
    expect(await verify(listing)).toMatchObject({ keyId: 'real-id', lostProof: null });
  });

  test('guesses no id: several keys with its prefix are a lost proof', async () => {
    const listing = [
      { id: 'a', apiKey: 'NEWKEY' },
      { id: 'b', apiKey: 'NEWKEY' },
    ];
    expect(await verify(listing)).toMatchObject({ keyId: 'new-id', lostProof: expect.stringContaining('several') });
    expect(await verify([{ id: 'old-id', apiKey: 'NEWKEY' }])).toMatchObject({ keyId: 'new-id' });
  });

  test('refuses a key that works but is another consumer’s', async () => {
    for (const listing of [[], [{ id: 'old-id', apiKey: 'OLDKEY' }], [{ id: 'new-id', apiKey: 'OTHERK' }]]) {
      expect(await failureOf(verify(listing))).toMatchObject({ class: 'rejected', code: 'KT-SCOPE-DIFFERS' });
    }
  });

  test('without the permission to list knows that the key works, and says what is not proven', async () => {
    const { context } = scripted(settingsFor(), answerOf(403, reason('INVALID_PERMISSIONS', 15)));
    const verified = await provider.verify(context, fresh, null);
    expect(verified).toMatchObject({ keyId: 'new-id', lifetime: null });
    expect(verified.lostProof).toContain('VIEW_API_CONSUMERS_AND_KEYS');
  });

  test.each([
    [401, reason('INVALID_CREDENTIALS', 2), 'credential-refused'],
    [403, reason('EXCESSIVE_INVALID_REQUESTS', 24), 'blocked'],
    [403, reason('NO_API_ACCESS', 18), 'forbidden'],
    [403, html, 'rejected'],
    [503, html, 'outage'],
    [200, html, 'outage'],
  ])('%i %j proves nothing', async (status, body, failureClass) => {
    const { context } = scripted(settingsFor(), answerOf(status, body));
    expect(await failureOf(provider.verify(context, fresh, null))).toMatchObject({ class: failureClass });
  });

  test('with a path of its own proves only that the key works', async () => {
    const settings = settingsFor({ verify: { path: '/branches?limit=1&of={consumerId}' } });
    const { context, sent } = scripted(settings, answerOf(200, '[]'));
    const verified = await provider.verify(context, fresh, null);
    expect(sent[0]?.path).toBe('/branches?limit=1&of=rota%2Ftor');
    expect(verified.lostProof).toContain('/branches');
  });
});

describe('retire', () => {
  const retire = (...answers: ProviderAnswer[]) =>
    provider.retire(scripted(settingsFor(), ...answers).context, 'gone-id', 'destroy');

  test('is done by 204, and absent by 404 of the key', async () => {
    expect(await retire(answerOf(204))).toBe('done');
    expect(await retire(answerOf(404, reason('INVALID_API_KEY_ID')))).toBe('absent');
  });

  test('does not take the 404 of a gateway for one of the key: the listing decides', async () => {
    expect(await retire(answerOf(404, html), answerOf(200, '[]'))).toBe('absent');
    const stillThere = answerOf(200, [{ id: 'gone-id', apiKey: 'abcdef' }]);
    expect(await failureOf(retire(answerOf(404, html), stillThere))).toMatchObject({ code: 'KT-PROVIDER-ANSWER' });
    expect(await failureOf(retire(answerOf(404, html), answerOf(404, html)))).toMatchObject({ class: 'rejected' });
  });

  test('says when the consumer itself is gone', async () => {
    const gone = answerOf(404, reason('INVALID_API_CONSUMER_ID'));
    expect(await failureOf(retire(gone))).toMatchObject({ class: 'absent', code: 'KT-CONSUMER-GONE' });
    const vague = answerOf(404, reason('OBJECT_NOT_FOUND', 29));
    expect(await failureOf(retire(vague, gone))).toMatchObject({ class: 'absent', code: 'KT-CONSUMER-GONE' });
  });
});

describe('the verdict on a presented credential', () => {
  test.each([
    [200, '[]', 'accepted'],
    [204, '', 'accepted'],
    [403, reason('INVALID_PERMISSIONS', 15), 'accepted'],
    [401, reason('INVALID_CREDENTIALS', 2), 'refused'],
    [401, html, 'refused'],
    [400, reason('INVALID_CREDENTIALS', 2), 'refused'],
    [403, reason('INVALID_API_KEY'), 'refused'],
    [200, html, 'unclear'],
    [403, html, 'unclear'],
    [403, reason('EXCESSIVE_INVALID_REQUESTS', 24), 'unclear'],
    [429, '', 'unclear'],
    [302, '', 'unclear'],
    [503, html, 'unclear'],
  ])('of %i %j is %s', (status, body, verdict) => {
    expect(credentialVerdict(answerOf(status, body))).toBe(verdict);
  });
});
