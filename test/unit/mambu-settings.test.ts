import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { formatDuration, parseDuration } from '../../src/domain/duration.js';
import { parseSecretRef } from '../../src/domain/secret-ref.js';
import { mambuSettingsSchema, mambuWarnings } from '../../src/providers/mambu/settings.js';

const minimal = {
  baseUrl: 'https://acme.mambu.com/api',
  consumerId: '8a8186f9',
  strategy: 'create-and-delete',
} as const;
const rotation = { ...minimal, strategy: 'rotation', tenantGrace: '30m' } as const;

/** `path: message` of every issue. */
function issuesOf(block: unknown): string[] {
  const { error } = mambuSettingsSchema.safeParse(block);
  return (error?.issues ?? []).map(({ path, message }) => `${path.join('.')}: ${message}`);
}

describe('a mambu block', () => {
  test('needs a base URL, a consumer and a strategy, and has a default for everything else', () => {
    expect(mambuSettingsSchema.parse(minimal)).toEqual({
      ...minimal,
      consumerIdAliases: [],
      tenantGraceMs: null,
      keyTtlMs: null,
      management: null,
      managedBy: null,
      verifyPath: '/consumers/{consumerId}/keys',
      acceptGap: false,
      insecure: false,
      webhook: 'default',
      allowRequests: [],
    });
  });

  test('with everything is read to the last setting', () => {
    const settings = mambuSettingsSchema.parse({
      ...rotation,
      baseUrl: 'HTTPS://Acme.Mambu.com:443/api/',
      consumerIdAliases: ['rotator'],
      keyTtl: '30d',
      management: { kind: 'basic', username: 'rotator', password: '${env:MAMBU_PASSWORD}' },
      verify: { path: '/branches?limit=1' },
      acceptGap: true,
      webhook: false,
      allowRequests: [{ method: 'POST', pathPrefix: '/branches' }],
    });
    expect(settings).toMatchObject({
      baseUrl: 'https://acme.mambu.com/api',
      tenantGraceMs: 1_800_000,
      keyTtlMs: 2_592_000_000,
      management: { kind: 'basic', username: 'rotator', password: { from: 'env', name: 'MAMBU_PASSWORD' } },
      verifyPath: '/branches?limit=1',
      webhook: 'off',
      allowRequests: [{ method: 'POST', pathPrefix: '/branches' }],
    });
  });

  test('takes any host and any id: only Mambu knows what they look like', () => {
    for (const consumerId of ['8a8186f9', '8a818e74677a2e9201677ec2b4c336a6', 'my-consumer_1', 'Ümlaut/1']) {
      expect(issuesOf({ ...minimal, consumerId })).toEqual([]);
    }
    expect(issuesOf({ ...minimal, baseUrl: 'https://demotenant.dev.mambucloud.com/api' })).toEqual([]);
  });

  test('refuses an id that would leave its path segment', () => {
    for (const consumerId of ['', '.', '..', 'a b', 'a\nb']) {
      expect(issuesOf({ ...minimal, consumerId })).not.toEqual([]);
    }
  });

  test('names an unknown key and the one that was meant, at every depth', () => {
    const { strategy: _missing, ...rest } = minimal;
    expect(issuesOf({ ...minimal, tenantgrace: '30m' })).toEqual([
      ': unknown key "tenantgrace": did you mean "tenantGrace"?',
    ]);
    expect(issuesOf({ ...minimal, verify: { pth: '/x', path: '/x' } })).toEqual([
      'verify: unknown key "pth": did you mean "path"?',
    ]);
    expect(issuesOf({ ...minimal, frobnicate: 1 })).toEqual([': unknown key "frobnicate"']);
    expect(issuesOf({ ...rest, strategi: 'rotation' })).toContain(': unknown key "strategi": did you mean "strategy"?');
  });

  test('refuses a literal secret without repeating it', () => {
    for (const password of ['hunter2', '$MAMBU_PASSWORD', '${MAMBU_PASSWORD}', 'x${env:A}', '${env:A}${env:B}', 7]) {
      const issues = issuesOf({ ...minimal, management: { kind: 'basic', username: 'u', password } });
      expect(issues).toHaveLength(1);
      expect(issues[0]).toContain('management.password: must refer to the secret as ${env:NAME} or ${file:path}');
      expect(issues[0]).not.toContain('hunter2');
    }
  });

  test('needs the tenant’s grace for rotation, and an accepted gap where it is none', () => {
    expect(issuesOf({ ...minimal, strategy: 'rotation' })).toEqual([expect.stringMatching(/^tenantGrace: is needed/)]);
    expect(issuesOf({ ...rotation, tenantGrace: '0s' })).toEqual([expect.stringMatching(/acceptGap: true/)]);
    expect(issuesOf({ ...rotation, tenantGrace: '0s', acceptGap: true })).toEqual([]);
    expect(issuesOf({ ...minimal, tenantGrace: '0s' })).toEqual([]);
  });

  test('lists what does not fit together even where something else is wrong', () => {
    const issues = issuesOf({ ...minimal, strategy: 'rotation', consumerId: '', baseUrl: 'http://acme.mambu.com/api' });
    expect(issues.map((issue) => issue.split(':')[0])).toEqual(['consumerId', 'baseUrl', 'tenantGrace']);
  });

  test('sends keys in clear only to this machine, or where that is written', () => {
    for (const host of ['127.0.0.1:8080', 'localhost:1', '[::1]:1', '127.9.9.9']) {
      expect(issuesOf({ ...minimal, baseUrl: `http://${host}/api` })).toEqual([]);
    }
    for (const host of ['acme.mambu.com', 'localhost.example.com', '127.0.0.1.example.com', '10.0.0.1']) {
      expect(issuesOf({ ...minimal, baseUrl: `http://${host}/api` })).toEqual([
        expect.stringMatching(/^baseUrl: http: is for loopback/),
      ]);
    }
    expect(issuesOf({ ...minimal, baseUrl: 'http://10.0.0.1/api', insecure: true })).toEqual([]);
  });

  test('refuses a base URL that is none, or that holds more than host and path', () => {
    for (const baseUrl of [
      'acme.mambu.com/api',
      'ftp://a/api',
      'https://u:p@a/api',
      'https://a/api?x',
      'https://a/#',
    ]) {
      expect(issuesOf({ ...minimal, baseUrl })).toHaveLength(1);
    }
  });

  test('has one manager of keys at most', () => {
    const management = { kind: 'basic', username: 'u', password: '${file:pw}' };
    expect(issuesOf({ ...minimal, management, managedBy: 'other' })).toEqual([
      expect.stringMatching(/^managedBy: cannot stand beside/),
    ]);
    expect(issuesOf({ ...minimal, management: { ...management, username: 'a:b' } })).toHaveLength(1);
  });

  test('asks only for lifetimes that Mambu can give', () => {
    for (const keyTtl of ['0s', '500ms', '1500ms', '1158d', 'forever', 30]) {
      expect(issuesOf({ ...minimal, keyTtl })).toHaveLength(1);
    }
    for (const keyTtl of ['1s', '1157d']) expect(issuesOf({ ...minimal, keyTtl })).toEqual([]);
  });

  test('refuses paths that lead elsewhere', () => {
    for (const path of ['x', '//host/x', '/a/../b', '/a/..', '/a/%2e%2e/b', '/a%2Fb', '/a\\b', '/a b', '/./x']) {
      expect(issuesOf({ ...minimal, verify: { path } })).toHaveLength(1);
      expect(issuesOf({ ...minimal, allowRequests: [{ method: 'GET', pathPrefix: path }] })).toHaveLength(1);
    }
  });

  test('is described by a JSON schema of what one writes, not of what it becomes', () => {
    const schema = z.toJSONSchema(mambuSettingsSchema, { io: 'input' });
    expect(schema).toMatchObject({ properties: { tenantGrace: { type: 'string' }, baseUrl: { type: 'string' } } });
    expect(schema.required).toEqual(['baseUrl', 'consumerId', 'strategy']);
  });
});

test('warnings name a base URL without /api and keys without an end', () => {
  const paths = (block: object) => mambuWarnings(mambuSettingsSchema.parse(block)).map(({ path }) => path.join('.'));
  expect(paths({ ...minimal, baseUrl: 'https://acme.mambu.com' })).toEqual(['baseUrl', 'keyTtl']);
  expect(paths({ ...minimal, keyTtl: '30d' })).toEqual([]);
});

test('durations are one whole number and one unit', () => {
  const examples = { '250ms': 250, '10s': 10_000, '5m': 300_000, '6h': 21_600_000, '30d': 2_592_000_000, '0s': 0 };
  for (const [text, ms] of Object.entries(examples)) {
    expect(parseDuration(text)).toBe(ms);
    expect(formatDuration(ms)).toBe(text);
  }
  for (const text of ['', '5', '5 m', '-5m', '1.5h', '5M', 'm', '5m ', '1h30m', '999999999999d']) {
    expect(parseDuration(text)).toBeUndefined();
  }
  expect([90_000, 86_400_000, 1_001].map(formatDuration)).toEqual(['90s', '1d', '1001ms']);
});

test('a secret reference names a variable or a file, and nothing around it', () => {
  expect(parseSecretRef('${env:MAMBU_PASSWORD}')).toEqual({ from: 'env', name: 'MAMBU_PASSWORD' });
  expect(parseSecretRef('${file:secrets/mambu key.txt}')).toEqual({ from: 'file', path: 'secrets/mambu key.txt' });
  for (const text of ['${env:}', '${env:1A}', '${env:A B}', '${file:}', '${vault:x}', ' ${env:A}', '${env:A}\n']) {
    expect(parseSecretRef(text)).toBeUndefined();
  }
});
