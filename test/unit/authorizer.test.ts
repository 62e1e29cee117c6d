import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { ProviderFailure } from '../../src/domain/failure.js';
import { Secret } from '../../src/domain/secret.js';
import { authorizationSchema, sendsInClear } from '../../src/providers/authorization-schema.js';
import { createAuthorizer } from '../../src/providers/authorizer.js';
import { createHttpClient } from '../../src/providers/http.js';
import { startApigeeSimulator } from '../../src/simulators/apigee/index.js';

afterEach(() => void vi.unstubAllEnvs());

/** An authorizer whose `${env:NAME}` are these, and whose clock can be turned. */
function authorizerWith(secrets: Readonly<Record<string, string>> = {}) {
  const clock = { nowMs: 1_000_000 };
  const authorizer = createAuthorizer({
    resolveSecret: (ref) => Promise.resolve(new Secret((ref.from === 'env' && secrets[ref.name]) || 'wrong')),
    http: createHttpClient({ httpTimeoutMs: 2_000 }),
    now: () => clock.nowMs,
  });
  const header = async (block: unknown, renew = false) =>
    (await authorizer.header(authorizationSchema.parse(block), { renew }))?.reveal() ?? null;
  return { header, clock };
}

async function failureOf(calling: Promise<unknown>) {
  const error: unknown = await calling.catch((thrown: unknown) => thrown);
  if (!(error instanceof ProviderFailure)) throw new Error(`a ProviderFailure was expected, not ${String(error)}`);
  expect(error.facts).toMatchObject({ class: 'not-sent', code: 'KT-MANAGEMENT-AUTH' });
  return error.facts.message;
}

async function edge(rules: { tokenTtlSeconds?: number } = {}) {
  const simulator = await startApigeeSimulator({ rules: { dialect: 'edge', ...rules } });
  onTestFinished(() => simulator.close());
  const { username, password } = simulator.seeded;
  const block = { kind: 'edge-oauth', tokenUrl: simulator.tokenUrl, username, password: '${env:PASSWORD}' };
  const tokenRequests = () => simulator.oracle().requests.filter(({ plane }) => plane === 'token').length;
  return { simulator, block, password, tokenRequests };
}

describe('auth that needs no token service', () => {
  test('a bearer token, Basic in UTF-8, and none', async () => {
    const { header } = authorizerWith({ T: 'abc==', P: 'pä:ss' });
    expect(await header({ kind: 'bearer', token: '${env:T}' })).toBe('Bearer abc==');
    const basic = await header({ kind: 'basic', username: 'machine@example.com', password: '${env:P}' });
    expect(basic).toBe(`Basic ${Buffer.from('machine@example.com:pä:ss').toString('base64')}`);
    expect(await header({ kind: 'none' })).toBeNull();
  });

  test('a secret that is missing is a failure before anything is sent, by its name', async () => {
    const http = createHttpClient({ httpTimeoutMs: 2_000 });
    const { resolveSecret } = await import('../../src/config/secrets.js');
    const authorizer = createAuthorizer({ resolveSecret, http });
    const calling = authorizer.header({ kind: 'bearer', token: { from: 'env', name: 'KEYTURN_TEST_NOT_SET' } });
    expect(await failureOf(calling)).toContain('KEYTURN_TEST_NOT_SET is not set');
  });

  test.each([
    ['a literal', { kind: 'bearer', token: 'literal-canary' }],
    ['both grants', { kind: 'edge-oauth', username: 'u', password: '${env:P}', refreshToken: '${env:R}' }],
    ['neither grant', { kind: 'edge-oauth' }],
    ['half a grant', { kind: 'edge-oauth', username: 'u' }],
    ['an unknown key', { kind: 'google', scopes: [] }],
    ['an unknown kind', { kind: 'oidc' }],
  ])('%s is refused, and not quoted', (_name, block) => {
    const read = authorizationSchema.safeParse(block);
    expect(read.success).toBe(false);
    expect(JSON.stringify(read.error?.issues)).not.toContain('literal-canary');
  });

  test('the public token service is the default, and plain http to another machine is recognised', () => {
    const block = { kind: 'edge-oauth', refreshToken: '${env:R}' };
    expect(authorizationSchema.parse(block)).toMatchObject({ tokenUrl: 'https://login.apigee.com/oauth/token' });
    expect(sendsInClear(authorizationSchema.parse(block))).toBe(false);
    expect(sendsInClear(authorizationSchema.parse({ ...block, tokenUrl: 'http://login.example.com/t' }))).toBe(true);
    expect(sendsInClear(authorizationSchema.parse({ ...block, tokenUrl: 'http://127.0.0.1:1/t' }))).toBe(false);
  });
});

describe('OAuth of classic Edge', () => {
  test('a token by password is kept until shortly before expires_in, then asked for again', async () => {
    const { block, password, tokenRequests } = await edge({ tokenTtlSeconds: 600 });
    const { header, clock } = authorizerWith({ PASSWORD: password });
    const first = await header(block);
    expect(first).toMatch(/^Bearer ya29\./);
    clock.nowMs += 539_999;
    expect(await header(block)).toBe(first);
    clock.nowMs += 1;
    expect(await header(block)).not.toBe(first);
    expect(tokenRequests()).toBe(2);
  });

  test('a refresh token will do, and a token of a short life is used for most of it', async () => {
    const { simulator, block, password } = await edge({ tokenTtlSeconds: 10 });
    const form = new URLSearchParams({ grant_type: 'password', username: block.username, password });
    const answer = await fetch(simulator.tokenUrl, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from('edgecli:edgeclisecret').toString('base64')}` },
      body: form,
    });
    const { refresh_token: refreshToken } = (await answer.json()) as { refresh_token: string };
    const { header, clock } = authorizerWith({ R: refreshToken });
    const byRefresh = { kind: 'edge-oauth', tokenUrl: simulator.tokenUrl, refreshToken: '${env:R}' };
    const first = await header(byRefresh);
    clock.nowMs += 8_999;
    expect(await header(byRefresh)).toBe(first);
    clock.nowMs += 1;
    expect(await header(byRefresh)).not.toBe(first);
  });

  test('callers that ask at the same time share one request, and `renew` asks once more', async () => {
    const { block, password, tokenRequests } = await edge();
    const { header } = authorizerWith({ PASSWORD: password });
    const tokens = await Promise.all(Array.from({ length: 5 }, () => header(block)));
    expect(new Set(tokens).size).toBe(1);
    expect(tokenRequests()).toBe(1);
    const renewed = await Promise.all([header(block, true), header(block, true)]);
    expect(renewed[0]).not.toBe(tokens[0]);
    expect(new Set(renewed).size).toBe(1);
    expect(await header(block)).toBe(renewed[0]);
    expect(tokenRequests()).toBe(2);
  });

  test('a wrong password, an outage and a token service that talks nonsense are told apart, without any secret', async () => {
    const { simulator, block } = await edge();
    const { header } = authorizerWith({ PASSWORD: 'password-canary' });
    expect(await failureOf(header(block))).toContain('answered 401 to the password of machine@example.com');
    simulator.faults.add({
      action: 'fail-before',
      match: { route: '/oauth/token' },
      status: 503,
      body: '{"access_token":"token-canary"}',
    });
    const messages = [await failureOf(header(block))];
    messages.push(await failureOf(header({ ...block, tokenUrl: 'http://127.0.0.1:9/oauth/token' })));
    expect(messages[0]).toContain('503');
    expect(messages[1]).toContain('was not sent');
    expect(messages.join()).not.toMatch(/canary/);
  });
});

/** A loopback server that answers JSON, and remembers what it was asked for. */
async function service(answer: (request: IncomingMessage) => { status: number; body: unknown }) {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    const { status, body } = answer(request);
    request.resume().on('end', () => {
      response.writeHead(status, { 'content-type': 'application/json', 'metadata-flavor': 'Google' });
      response.end(JSON.stringify(body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    const closed = once(server, 'close');
    server.close().closeAllConnections();
    await closed;
  });
  return { host: `127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

async function emptyHome(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'keyturn-adc-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  vi.stubEnv('HOME', folder);
  vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', undefined);
  return folder;
}

describe('Google application default credentials', () => {
  test('a workload gets its token from the metadata server, keeps it, and another one on `renew`', async () => {
    await emptyHome();
    let issued = 0;
    const metadata = await service(({ url = '' }) =>
      url.includes('/token')
        ? { status: 200, body: { access_token: `metadata-${++issued}`, expires_in: 3_600, token_type: 'Bearer' } }
        : { status: 200, body: {} },
    );
    vi.stubEnv('GCE_METADATA_HOST', metadata.host);
    const { header } = authorizerWith();
    const both = await Promise.all([header({ kind: 'google' }), header({ kind: 'google' })]);
    expect(both).toEqual(['Bearer metadata-1', 'Bearer metadata-1']);
    expect(await header({ kind: 'google' })).toBe('Bearer metadata-1');
    expect(await header({ kind: 'google' }, true)).toBe('Bearer metadata-2');
    const [url = ''] = metadata.asked.filter((path) => path.includes('/token'));
    expect(decodeURIComponent(url)).toContain('https://www.googleapis.com/auth/cloud-platform');
  });

  test('workload identity federation exchanges the subject token, and with impersonation that token for another', async () => {
    const folder = await emptyHome();
    const sts = await service(({ url = '' }) =>
      url === '/sts'
        ? { status: 200, body: { access_token: 'federated', expires_in: 3_600, token_type: 'Bearer' } }
        : { status: 200, body: { accessToken: 'impersonated', expireTime: '2099-01-01T00:00:00Z' } },
    );
    const subject = join(folder, 'subject');
    const file = join(folder, 'adc.json');
    await writeFile(subject, 'subject-canary');
    const federation = {
      type: 'external_account',
      audience: '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q',
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      token_url: `http://${sts.host}/sts`,
      credential_source: { file: subject },
    };
    vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', file);
    await writeFile(file, JSON.stringify(federation));
    expect(await authorizerWith().header({ kind: 'google' })).toBe('Bearer federated');
    const impersonation = `http://${sts.host}/v1/projects/-/serviceAccounts/rotator@p.iam:generateAccessToken`;
    await writeFile(file, JSON.stringify({ ...federation, service_account_impersonation_url: impersonation }));
    expect(await authorizerWith().header({ kind: 'google' })).toBe('Bearer impersonated');
  });

  test('a refusal of the token service is named by its status, and quotes neither assertion nor answer', async () => {
    const folder = await emptyHome();
    const sts = await service(() => ({
      status: 403,
      body: { error: 'invalid_grant', error_description: 'sts-canary' },
    }));
    const subject = join(folder, 'subject');
    const file = join(folder, 'adc.json');
    await writeFile(subject, 'subject-canary');
    await writeFile(
      file,
      JSON.stringify({
        type: 'external_account',
        audience: '//iam.googleapis.com/x',
        subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
        token_url: `http://${sts.host}/sts`,
        credential_source: { file: subject },
      }),
    );
    vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', file);
    const message = await failureOf(authorizerWith().header({ kind: 'google' }));
    expect(message).toContain('answered 403');
    expect(message).not.toMatch(/canary/);
    vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', join(folder, 'nowhere.json'));
    expect(await failureOf(authorizerWith().header({ kind: 'google' }))).toContain('does not exist');
  });
});
