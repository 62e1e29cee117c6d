import { describe, expect, test } from 'vitest';
import { ProviderFailure } from '../../src/domain/failure.js';
import { settingsFrom } from '../../src/providers/apigee/account.js';
import { envelopeOf } from '../../src/providers/apigee/envelope.js';
import { credentialVerdict, refusalOf } from '../../src/providers/apigee/errors.js';
import { createKey, deleteKey, getApp } from '../../src/providers/apigee/requests.js';
import { apigeeSettingsSchema } from '../../src/providers/apigee/settings.js';
import type { ProviderAnswer } from '../../src/providers/provider.js';
import { Secret } from '../../src/domain/secret.js';
import { bench } from './apigee-provider-harness.js';

const canary = 'KEYCANARYKEYCANARY';
const html = `<html><body>${canary}</body></html>`;

const answerOf = (status: number, body: unknown, headers: Record<string, string> = {}): ProviderAnswer => ({
  status,
  headers,
  text: typeof body === 'string' ? body : JSON.stringify(body),
});
const google = (code: number, message: string, details: readonly unknown[] = []) => ({
  error: { code, message, details },
});
const violation = (type: string) => ({ violations: [{ type, subject: canary }] });
const edge = (code: string, message = '') => ({ code, message, contexts: [] });
const fault = (errorcode: string, faultstring = '') => ({ fault: { faultstring, detail: { errorcode } } });

describe('error envelopes', () => {
  const noKey = 'keymanagement.service.InvalidClientIdForGivenApp';
  test.each([
    ['X, as a violation', google(404, `about ${canary}`, [violation(noKey)]), noKey],
    ['X, by the text alone', google(404, 'Invalid consumer key for Given App'), noKey],
    ['Edge', edge(noKey), noKey],
    [
      'Edge, by the text of the app',
      edge('x', `App named ${canary} does not exist under y`),
      'developer.service.AppDoesNotExist',
    ],
    ['a fault', fault(noKey), noKey],
    ['XML', `<?xml version="1.0"?><Error><Code>${noKey}</Code><Message>${canary}</Message></Error>`, noKey],
    ['X with a code that is not known', google(400, canary, [violation(canary)]), null],
    ['Edge with a code that is not known', edge(canary, canary), null],
    ['odd members', { error: { code: 400, message: { canary }, details: [{ violations: 'x' }, 7] } }, null],
  ])('%s', (_name, body, code) => {
    const envelope = envelopeOf(answerOf(404, body));
    expect(envelope).toEqual({ isApigee: true, code, permission: null });
  });

  test.each([
    ['HTML', html],
    ['nothing', ''],
    ['another JSON', { canary }],
    ['a list', '[]'],
  ])('%s is none', (_name, body) => {
    expect(envelopeOf(answerOf(404, body))).toMatchObject({ isApigee: false, code: null });
  });
});

describe('what a refusal means', () => {
  const settings = apigeeSettingsSchema.parse({
    baseUrl: 'https://apigee.googleapis.com/v1',
    dialect: 'x',
    organization: 'acme',
    developer: 'dev@example.com',
    app: 'orders',
    auth: { kind: 'google' },
  });
  const list = getApp(settings);
  const create = createKey(settings, new Secret('{}'));
  const notFound = (type: string) => answerOf(404, google(404, canary, [violation(type)]));
  const denied = (status = 403) =>
    answerOf(status, google(status, canary, [{ metadata: { permission: 'apigee.appkeys.create', resource: canary } }]));

  test.each([
    ['401 to a read', list, answerOf(401, ''), 'outage', 'KT-MANAGEMENT-AUTH', 'does not accept'],
    ['401 to a write', create, answerOf(401, ''), 'not-sent', 'KT-MANAGEMENT-AUTH', 'does not accept'],
    ['403 of Google', create, denied(), 'forbidden', 'KT-FORBIDDEN', 'apigee.appkeys.create in organization acme'],
    [
      '403 without a name',
      list,
      answerOf(403, edge('AccessDenied')),
      'forbidden',
      'KT-FORBIDDEN',
      'apigee.developerapps.get',
    ],
    ['403 of a gateway', list, answerOf(403, html), 'rejected', 'KT-PROVIDER-REJECTED', 'gateway'],
    ['403 as a quota', list, answerOf(403, edge('QuotaExceeded')), 'busy', 'KT-PROVIDER-BUSY', 'wait'],
    ['429', create, answerOf(429, google(429, canary)), 'busy', 'KT-PROVIDER-BUSY', 'wait'],
    [
      '404 of the app',
      list,
      notFound('developer.service.AppDoesNotExist'),
      'absent',
      'KT-CONSUMER-GONE',
      'developer dev@example.com has no app orders in organization acme',
    ],
    [
      '404 of the developer',
      list,
      notFound('developer.service.DeveloperDoesNotExist'),
      'absent',
      'KT-CONSUMER-GONE',
      'acme has no developer dev@example.com',
    ],
    ['404 of a gateway', create, answerOf(404, html), 'rejected', 'KT-PROVIDER-ANSWER', '`baseUrl`'],
    ['409 to a read', list, answerOf(409, google(409, canary)), 'busy', 'KT-PROVIDER-BUSY', 'at this moment'],
    ['400', create, answerOf(400, google(400, canary)), 'rejected', 'KT-PROVIDER-REJECTED', 'refused'],
    ['400 in another form', create, answerOf(400, html), 'rejected', 'KT-PROVIDER-ANSWER', 'not in a form of Apigee'],
    ['408 to a write', create, answerOf(408, ''), 'unknown', 'KT-OUTCOME-UNKNOWN', 'unknown'],
    ['302 to a read', list, answerOf(302, ''), 'outage', 'KT-PROVIDER-ANSWER', 'redirect'],
    ['302 to a write', create, answerOf(302, ''), 'unknown', 'KT-OUTCOME-UNKNOWN', 'redirect'],
    ['503 to a read', list, answerOf(503, html), 'outage', 'KT-PROVIDER-ERROR', 'failed'],
    ['500 to a write', create, answerOf(500, edge(canary)), 'unknown', 'KT-OUTCOME-UNKNOWN', 'unknown'],
  ] as const)('%s', (_name, operation, answer, className, code, text) => {
    const { facts } = refusalOf(answer, operation, settings, 0);
    expect(facts).toMatchObject({ class: className, code, status: answer.status });
    expect(facts.message).toContain(text);
    expect(JSON.stringify(facts)).not.toContain(canary);
  });

  test('Retry-After is passed on where waiting helps', () => {
    const headers = { 'retry-after': '7' };
    expect(refusalOf(answerOf(429, '', headers), create, settings, 0).facts.retryAfterMs).toBe(7_000);
    expect(refusalOf(answerOf(500, '', headers), create, settings, 0).facts.retryAfterMs).toBeUndefined();
  });

  test('ids in a path are encoded and appear in no message', () => {
    const wild = { ...settings, organization: 'a/b', app: 'my app?' };
    const operation = deleteKey(wild, `${canary}/../x`);
    expect(operation.path).toBe(
      `/organizations/a%2Fb/developers/dev@example.com/apps/my%20app%3F/keys/${canary}%2F..%2Fx`,
    );
    expect(operation.route).toBe('/organizations/{org}/developers/{developer}/apps/{app}/keys/{key}');
  });

  test('says of a management credential whether it was accepted', () => {
    expect([200, 403, 401, 500].map((status) => credentialVerdict(answerOf(status, '')))).toEqual([
      'accepted',
      'accepted',
      'refused',
      'unclear',
    ]);
  });
});

const edgeOauth = {
  dialect: 'edge',
  block: ({ tokenUrl, seeded }: { tokenUrl: string; seeded: { username: string } }) => ({
    auth: { kind: 'edge-oauth', tokenUrl, username: seeded.username, password: '${env:PASSWORD}' },
  }),
} as const;

describe('authentication', () => {
  test('a token that the API refuses is renewed once, and then the write is sent once more', async () => {
    const { simulator, provider, context, intent, asked } = await bench(edgeOauth);
    const wanted = await intent();
    simulator.expireTokens();
    asked();
    const { fields } = await provider.create(context, wanted);
    expect(Object.keys(fields)).toEqual(['consumerKey', 'consumerSecret']);
    expect(asked()).toEqual(['POST /keys/create', 'POST /keys/create']);
    expect(simulator.oracle().writes.map(({ kind }) => kind)).toEqual(['create-key']);
  });

  test('a second 401 is final for this attempt, and the write surely had no effect', async () => {
    const { simulator, provider, context, intent, asked, failureOf } = await bench(edgeOauth);
    const wanted = await intent();
    asked();
    simulator.rules.auth = 'basic';
    expect(await failureOf(provider.create(context, wanted))).toMatchObject({
      class: 'not-sent',
      code: 'KT-MANAGEMENT-AUTH',
    });
    expect(asked()).toHaveLength(2);
    expect(await failureOf(provider.inventory(context))).toMatchObject({ class: 'outage', code: 'KT-MANAGEMENT-AUTH' });
  });

  test('a password that is refused is not sent again', async () => {
    const { provider, context, asked, failureOf } = await bench({
      dialect: 'edge',
      block: ({ seeded }) => ({ auth: { kind: 'basic', username: seeded.username, password: '${env:WRONG}' } }),
    });
    expect(await failureOf(provider.inventory(context))).toMatchObject({ class: 'outage', code: 'KT-MANAGEMENT-AUTH' });
    expect(asked()).toHaveLength(1);
  });

  test('without a token nothing is sent', async () => {
    const { provider, context, asked, failureOf } = await bench({
      ...edgeOauth,
      block: () => ({ auth: { kind: 'edge-oauth', tokenUrl: 'http://127.0.0.1:9/t', refreshToken: '${env:TOKEN}' } }),
    });
    expect(await failureOf(provider.inventory(context))).toMatchObject({
      class: 'not-sent',
      code: 'KT-MANAGEMENT-AUTH',
    });
    expect(asked()).toEqual([]);
  });

  test('auth none sends no header', async () => {
    const { simulator, provider, context } = await bench({
      rules: { auth: 'none' },
      block: () => ({ auth: { kind: 'none' } }),
    });
    expect(await provider.inventory(context)).toHaveLength(1);
    expect(simulator.oracle().requests.at(-1)?.credential.kind).toBe('none');
  });

  test('a missing permission is named and final', async () => {
    const { simulator, provider, context, intent, asked, failureOf } = await bench();
    const wanted = await intent();
    simulator.setPermissions(['apigee.developerapps.get']);
    asked();
    const failure = await failureOf(provider.create(context, wanted));
    expect(failure).toMatchObject({ class: 'forbidden', code: 'KT-FORBIDDEN' });
    expect(failure.message).toContain('apigee.appkeys.create');
    expect(asked()).toHaveLength(1);
  });

  test.each([
    ['organization', { organization: 'other' }, 'forbidden', 'organization other'],
    ['developer', { developer: 'nobody@example.com' }, 'absent', 'acme has no developer nobody@example.com'],
    ['app', { app: 'nothing' }, 'absent', 'developer dev@example.com has no app nothing'],
  ] as const)('a wrong %s is named', async (_name, block, className, text) => {
    const { provider, context, failureOf } = await bench({ block: () => block });
    const failure = await failureOf(provider.inventory(context));
    expect(failure.class).toBe(className);
    expect(failure.message).toContain(text);
  });
});

describe('a key whose entry is gone from the configuration', () => {
  test.each(['x', 'edge'] as const)(
    'is retired by its identity, or the failure says what to put back (%s)',
    async (dialect) => {
      const { provider, settings, context, failureOf, simulator } = await bench({ dialect, rules: { auth: 'none' } });
      const identity = provider.identity(settings);
      expect(identity).toEqual({
        provider: 'apigee',
        baseUrl: simulator.managementUrl,
        account: 'acme/developers/dev@example.com/apps/orders-app',
        strategy: dialect,
      });
      const rebuilt = settingsFrom(identity);
      expect(provider.identity(rebuilt)).toEqual(identity);
      if (dialect === 'x') {
        expect(rebuilt.auth).toEqual({ kind: 'google' });
        return;
      }
      const failure = await failureOf(provider.retire({ ...context, settings: rebuilt }, 'some-key', 'destroy'));
      expect(failure).toMatchObject({ class: 'not-sent', code: 'KT-MANAGEMENT-AUTH' });
      expect(failure.message).toContain('back into keyturn.yaml');
    },
  );

  test('names survive the way through the account', async () => {
    const { provider, settings } = await bench();
    for (const owner of [
      { kind: 'appGroup', name: 'a/b %' },
      { kind: 'developer', email: 'ä@b.c' },
    ] as const) {
      const odd = { ...settings, organization: 'o/1', owner, app: 'x y/z' };
      expect(settingsFrom(provider.identity(odd))).toMatchObject({ organization: 'o/1', owner, app: 'x y/z' });
    }
  });
});

test('there is no consumer API, and makeApiRequest says so', async () => {
  const { provider, context } = await bench();
  const calling = provider.call(context, { method: 'GET', path: '/orders' });
  await expect(calling).rejects.toThrow(ProviderFailure);
  await expect(calling).rejects.toThrow('call your proxy');
});
