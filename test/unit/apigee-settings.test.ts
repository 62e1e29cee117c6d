import { describe, expect, test } from 'vitest';
import { ConfigError, parseConfig } from '../../src/config.js';
import type { CredentialConfig } from '../../src/config/types.js';
import { type ApigeeSettings, apigeeSettingsSchema, apigeeWarnings } from '../../src/providers/apigee/settings.js';

const smallest = {
  baseUrl: 'https://apigee.googleapis.com/v1/',
  dialect: 'x',
  organization: 'acme',
  developer: 'dev@example.com',
  app: 'orders',
  auth: { kind: 'google' },
};

const settingsOf = (more: Record<string, unknown> = {}): ApigeeSettings =>
  apigeeSettingsSchema.parse({ ...smallest, ...more });

function issuesOf(more: Record<string, unknown>): string[] {
  const { error } = apigeeSettingsSchema.safeParse({ ...smallest, ...more });
  return (error?.issues ?? []).map(({ path, message }) => `${path.join('.')}: ${message}`);
}

/** The credential `partner` of a configuration; JSON is YAML. */
function configured(apigee: Record<string, unknown>, policy: Record<string, unknown> = {}) {
  const credentials = { partner: { provider: 'apigee', apigee: { ...smallest, ...apigee }, policy } };
  const config = parseConfig(JSON.stringify({ version: 1, credentials }), '/etc/keyturn/keyturn.yaml');
  const credential = config.credentials.get('partner');
  if (credential === undefined) throw new Error('no such credential');
  return { credential, warnings: config.warnings.map(({ path, message }) => `${path}: ${message}`) };
}

describe('the apigee block', () => {
  test('of the smallest size', () => {
    expect(settingsOf()).toEqual({
      baseUrl: 'https://apigee.googleapis.com/v1',
      dialect: 'x',
      organization: 'acme',
      owner: { kind: 'developer', email: 'dev@example.com' },
      app: 'orders',
      auth: { kind: 'google' },
      probe: null,
      tokenTtlMs: null,
      keyTtlMs: null,
      insecure: false,
      isRebuilt: false,
    });
  });

  test('with everything', () => {
    const settings = settingsOf({
      developer: undefined,
      appGroup: 'partners',
      keyTtl: '30d',
      tokenTtl: '1h',
      probe: { url: 'https://api.example.com/orders/?v=1', in: 'query', name: 'apikey' },
    });
    expect(settings).toMatchObject({
      owner: { kind: 'appGroup', name: 'partners' },
      keyTtlMs: 30 * 86_400_000,
      tokenTtlMs: 3_600_000,
      probe: { url: 'https://api.example.com/orders/?v=1', in: 'query', name: 'apikey', times: 3, patienceMs: 200_000 },
    });
  });

  test.each([
    ['neither owner', { developer: undefined }, 'developer: is needed, or `appGroup`'],
    ['both owners', { appGroup: 'g' }, 'developer: is needed, or `appGroup`: exactly one'],
    ['an upper-case developer', { developer: 'Dev@example.com' }, 'developer: must be in lower case'],
    ['an AppGroup on Edge', { dialect: 'edge', developer: undefined, appGroup: 'g' }, 'appGroup: needs `dialect: x`'],
    ['a life on Edge', { dialect: 'edge', keyTtl: '1d' }, 'keyTtl: needs `dialect: x`'],
    ['a life of half a second', { keyTtl: '500ms' }, 'keyTtl: must be whole seconds'],
    ['an unknown dialect', { dialect: 'hybrid' }, 'dialect: must be x (Apigee X and hybrid) or edge'],
    ['a dot as a name', { app: '..' }, 'app: must not be a dot'],
    ['plain http', { baseUrl: 'http://apigee.example.com/v1' }, 'baseUrl: http: is for loopback'],
    ['a plain probe', { probe: { url: 'http://api.example.com', in: 'header', name: 'k' } }, 'probe.url: http: is for'],
    [
      'a probe with a password',
      { probe: { url: 'https://a:b@c', in: 'header', name: 'k' } },
      'probe.url: must be an absolute URL',
    ],
    ['a probe without a place', { probe: { url: 'https://c', name: 'k' } }, 'probe.in: must be header or query'],
    [
      'a plain token service',
      { auth: { kind: 'edge-oauth', tokenUrl: 'http://login.example.com', refreshToken: '${env:R}' } },
      'auth.tokenUrl: http: is for',
    ],
    ['a literal token', { auth: { kind: 'bearer', token: 'token-canary' } }, 'auth.token: must refer to the secret'],
    ['a misspelt key', { organisation: 'acme' }, 'unknown key "organisation": did you mean "organization"?'],
  ])('refuses %s', (_name, more, issue) => {
    const issues = issuesOf(more);
    expect(issues.join('\n')).toContain(issue);
    expect(issues.join('\n')).not.toContain('canary');
  });

  test('allows plain http on loopback, and elsewhere where that is meant', () => {
    const plain = {
      baseUrl: 'http://127.0.0.1:1/v1',
      probe: { url: 'http://localhost:2/x', in: 'header', name: 'k' },
    };
    expect(issuesOf(plain)).toEqual([]);
    expect(issuesOf({ baseUrl: 'http://edge.internal/v1', insecure: true })).toEqual([]);
  });

  test('warns of what is probably not meant', () => {
    const paths = (more: Record<string, unknown>) => apigeeWarnings(settingsOf(more)).map(({ path }) => path.join('.'));
    expect(paths({})).toEqual(['tokenTtl', 'keyTtl']);
    expect(paths({ tokenTtl: '0s', keyTtl: '90d' })).toEqual([]);
    expect(
      paths({ tokenTtl: '0s', keyTtl: '90d', auth: { kind: 'basic', username: 'u', password: '${env:P}' } }),
    ).toEqual(['auth']);
  });
});

describe('in keyturn.yaml', () => {
  test('has the waits that Apigee needs, which timing can replace', () => {
    const { credential } = configured({});
    expect(credential.timing).toMatchObject({ propagationMs: 200_000, settleMs: 30_000, observeMs: 600_000 });
    expect(credential).toMatchObject({ managedBy: null, webhook: { consumerIds: [], mode: 'off' }, allowRequests: [] });
  });

  test('tokens that consumers got with the old key count into the time it is kept, not into how often they read', () => {
    const { credential } = configured({ tokenTtl: '1h' }, { refreshWithin: '5m' });
    expect(credential.policy.refreshWithinMs).toBe(65 * 60_000);
    expect(credential.tokenTtlMs).toBe(60 * 60_000);
    const without: CredentialConfig = configured({ tokenTtl: '0s' }, { refreshWithin: '5m' }).credential;
    expect(without.policy.refreshWithinMs).toBe(5 * 60_000);
  });

  test('secrets in files are found from the folder of keyturn.yaml', () => {
    const { credential } = configured({
      auth: { kind: 'edge-oauth', refreshToken: '${file:refresh}' },
      dialect: 'edge',
    });
    expect(JSON.stringify(credential.settings)).toContain('/etc/keyturn/refresh');
  });

  test('a mistake is shown at its place', () => {
    expect(() => configured({ developer: 'DEV@example.com' })).toThrow(ConfigError);
    expect(() => configured({ developer: 'DEV@example.com' })).toThrow(
      'credentials.partner.apigee.developer: must be in lower case',
    );
  });

  test('warnings say what the old key is kept for', () => {
    expect(configured({}).warnings.join('\n')).toContain('credentials.partner.apigee.tokenTtl');
  });
});
