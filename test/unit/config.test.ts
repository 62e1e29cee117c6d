import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ConfigError, configJsonSchema, loadConfig, parseConfig, resolveSecret } from '../../src/config.js';
import { KeyturnError } from '../../src/domain/errors.js';

const minute = 60_000;
const hour = 60 * minute;

/** A valid file; `changes` replace text in it, each must be found. */
function file(...changes: readonly (readonly [string, string])[]): string {
  let text = `version: 1
server: { listen: 127.0.0.1:8377 }
webhooks:
  mambu: { auth: { kind: header, name: x-keyturn-secret, value: "\${env:HOOK}" } }
policies:
  daily: { schedule: { cron: "0 4 * * *" } }
credentials:
  core-prod:
    provider: mambu
    mambu:
      baseUrl: https://acme.mambu.com/api
      consumerId: abc
      strategy: create-and-delete
      keyTtl: 30d
    policy:
      schedule: { cron: "0 4 * * *", timezone: UTC }
`;
  for (const [from, to] of changes) {
    if (!text.includes(from)) throw new Error(`the file has no ${from}`);
    text = text.replace(from, () => to);
  }
  return text;
}

const second = (id: string, lines: readonly string[]): readonly [string, string] => [
  'credentials:\n',
  `credentials:
  ${id}:
    provider: mambu
    mambu:
      keyTtl: 30d
${lines.map((line) => `      ${line}\n`).join('')}    policy: daily
`,
];

function messagesOf(text: string): string {
  try {
    parseConfig(text, 'keyturn.yaml');
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return 'no error';
}

const parse = (text: string) => parseConfig(text, 'keyturn.yaml');
const only = (text: string) => {
  const credential = parse(text).credentials.get('core-prod');
  if (credential === undefined) throw new Error('no core-prod');
  return credential;
};

describe('a valid file', () => {
  test('gets the documented defaults, in milliseconds', () => {
    const config = parse(file());
    expect(config.warnings).toEqual([]);
    expect(config.temporal).toEqual({ taskQueue: 'keyturn', searchAttributes: 'auto' });
    expect(config.store).toEqual({ kind: 'file', path: join(config.directory, '.keyturn/store') });
    expect(config.sealingKey).toEqual({ kind: 'file', path: join(config.directory, '.keyturn/key') });
    expect(config.server).toEqual({
      listen: { host: '127.0.0.1', port: 8377 },
      webhookListen: null,
      auth: { kind: 'none' },
    });
    expect(config.worker).toEqual({ listen: null, egress: 'default', deployment: null });
    expect(config.lockout).toEqual({ limit: 4 });
    const credential = only(file());
    expect(credential.policy).toEqual({
      graceMs: 20 * minute,
      refreshWithinMs: 5 * minute,
      minIntervalMs: hour,
      renewBeforeMs: 24 * hour,
      activationLagMs: 0,
      consumers: [],
    });
    expect(credential.timing).toEqual({
      sendWithinMs: 5_000,
      httpTimeoutMs: 15_000,
      skewMs: 2_000,
      verifyAgainAfterMs: 5 * minute,
      propagationMs: 0,
      settleMs: 0,
      observeMs: 0,
    });
    expect(credential.schedule).toEqual({ cron: '0 4 * * *', timezone: 'UTC', jitterMs: 0 });
    expect(credential.webhook).toEqual({ consumerIds: ['abc'], mode: 'default' });
  });

  test('renews at most a third of the key’s life before its end', () => {
    expect(only(file(['keyTtl: 30d', 'keyTtl: 1h'])).policy.renewBeforeMs).toBe(20 * minute);
  });

  test('takes timing from the top, and a credential’s own on top of it', () => {
    const text = file(
      ['policies:', 'timing: { skew: 1s, sendWithin: 1s }\npolicies:'],
      ['    policy:\n', '    timing: { skew: 250ms }\n    policy:\n'],
    );
    expect(only(text).timing).toMatchObject({ skewMs: 250, sendWithinMs: 1_000, httpTimeoutMs: 15_000 });
  });

  test('keeps a grace and a refreshWithin of 0s that is written out', () => {
    const text = file(['      schedule: {', '      grace: 0s\n      refreshWithin: 0s\n      schedule: {']);
    expect(only(text).policy).toMatchObject({ graceMs: 0, refreshWithinMs: 0 });
  });

  test('takes settings from a connection and a policy by its name', () => {
    const text = file(
      [
        'policies:',
        'connections:\n  acme: { provider: mambu, baseUrl: https://other.mambu.com/api, keyTtl: 10d }\npolicies:',
      ],
      ['    provider: mambu\n', '    connection: acme\n'],
      ['      baseUrl: https://acme.mambu.com/api\n', ''],
      ['      keyTtl: 30d\n', ''],
      ['policy:\n      schedule: { cron: "0 4 * * *", timezone: UTC }', 'policy: daily'],
    );
    expect(only(text)).toMatchObject({ provider: 'mambu', baseUrl: 'https://other.mambu.com/api' });
    expect(only(text).settings).toMatchObject({ keyTtlMs: 240 * hour });
  });

  test('refers to secrets, those in files by absolute paths', () => {
    const text = file(
      ['"${env:HOOK}"', '["${env:HOOK}", "${file:hook.txt}"]'],
      ['      strategy:', '      management: { kind: basic, username: u, password: "${file:pw}" }\n      strategy:'],
    );
    const config = parseConfig(text, '/etc/keyturn/keyturn.yaml');
    expect(config.webhooks.mambu).toEqual({
      kind: 'header',
      name: 'x-keyturn-secret',
      values: [
        { from: 'env', name: 'HOOK' },
        { from: 'file', path: '/etc/keyturn/hook.txt' },
      ],
    });
    expect(config.credentials.get('core-prod')?.settings).toMatchObject({
      management: { password: { from: 'file', path: '/etc/keyturn/pw' } },
    });
  });

  test('may use anchors and aliases', () => {
    const text = file(['daily: {', 'weekly: &w { schedule: { cron: "0 4 * * 1" } }\n  daily: *w\n  other: {']);
    expect(messagesOf(text)).toBe('no error');
  });

  test('needs no credentials', () => {
    expect(parse('version: 1').credentials.size).toBe(0);
  });
});

describe('a wrong file is refused with its place and what to write instead:', () => {
  test.each<[string, readonly (readonly [string, string])[], string]>([
    ['an empty file', [[file(), '']], 'keyturn.yaml:1:1 version: is missing; it must be 1'],
    ['a list', [[file(), '- a']], 'keyturn.yaml:1:1 must be a mapping'],
    ['another version', [['version: 1', 'version: 2']], ':1:1 version: must be 1'],
    ['an unknown section', [['server:', 'sevrer:']], ':2:1 sevrer: unknown key "sevrer": did you mean "server"?'],
    [
      'an unknown key',
      [['listen:', 'lisen:']],
      'keyturn.yaml:2:11 server.lisen: unknown key "lisen": did you mean "listen"?',
    ],
    [
      'an unknown key of the provider',
      [['strategy:', 'strateggy:']],
      ':13:7 credentials.core-prod.mambu.strateggy: unknown key "strateggy": did you mean "strategy"?',
    ],
    [
      'a missing strategy',
      [['      strategy: create-and-delete\n', '']],
      'credentials.core-prod.mambu.strategy: is missing; it must be create-and-delete or rotation',
    ],
    [
      'rotation without tenantGrace',
      [['create-and-delete', 'rotation']],
      'credentials.core-prod.mambu.tenantGrace: is needed for `strategy: rotation`',
    ],
    [
      'refreshWithin as long as tenantGrace',
      [['create-and-delete', 'rotation\n      tenantGrace: 5m']],
      ':16:5 credentials.core-prod.policy: refreshWithin 5m must be shorter than tenantGrace 5m',
    ],
    [
      'minInterval as long as the schedule’s shortest gap',
      [['"0 4 * * *", timezone', '"*/30 4 * * *", timezone']],
      ":15:5 credentials.core-prod.policy: minInterval 1h must be shorter than the schedule's shortest gap of 30m",
    ],
    [
      'minInterval that a clock change undercuts',
      [
        ['timezone: UTC', 'timezone: Europe/Berlin'],
        ['      schedule: {', '      minInterval: 23h\n      schedule: {'],
      ],
      ':16:7 credentials.core-prod.policy.minInterval: minInterval 23h must be shorter',
    ],
    [
      'a cron expression that is none',
      [['"0 4 * * *", timezone', '"0 25 * * *", timezone']],
      ':16:19 credentials.core-prod.policy.schedule.cron: the hour must be 0-23',
    ],
    ['an unknown time zone', [['UTC', 'Mars/Olympus']], 'policy.schedule.timezone: there is no time zone of that name'],
    [
      'a duration without a unit',
      [['keyTtl: 30d', 'keyTtl: 30']],
      'mambu.keyTtl: must be a duration such as 250ms, 10s, 5m, 6h or 30d',
    ],
    [
      'a number where text is needed',
      [['consumerId: abc', 'consumerId: 8e5']],
      'mambu.consumerId: must be text; write it in quotes',
    ],
    [
      'a consumer without ackWithin',
      [['      schedule: {', '      consumers: [{ name: billing }]\n      schedule: {']],
      ':16:19 credentials.core-prod.policy.consumers[0].ackWithin: is missing; it must be a duration',
    ],
    [
      'a consumer named twice',
      [
        [
          '      schedule: {',
          '      consumers: [{name: a, ackWithin: 1h}, {name: a, ackWithin: 1h}]\n      schedule: {',
        ],
      ],
      'policy.consumers: must not name a consumer twice',
    ],
    [
      'an unknown policy',
      [['policy:\n      schedule: { cron: "0 4 * * *", timezone: UTC }', 'policy: dayly']],
      'policy: there is no policy "dayly"; did you mean "daily"?',
    ],
    [
      'an unknown policy like none',
      [['policy:\n      schedule: { cron: "0 4 * * *", timezone: UTC }', 'policy: x']],
      'there is no policy "x"; known: daily',
    ],
    [
      'an unknown connection',
      [['    mambu:\n', '    connection: acme\n    mambu:\n']],
      'credentials.core-prod.connection: there is no connection "acme"; none is defined',
    ],
    [
      'a bad id',
      [['core-prod', 'Core_Prod']],
      ":8:3 credentials.Core_Prod: a credential's id must start with a-z or 0-9",
    ],
    [
      'an unknown provider',
      [['provider: mambu', 'provider: mambo']],
      'core-prod.provider: is no provider; known: mambu, apigee',
    ],
    ['no provider', [['    provider: mambu\n', '']], 'core-prod.provider: is missing; known: mambu'],
    [
      'a later store',
      [['version: 1', 'version: 1\nstore: { kind: vault, address: x }']],
      'store.kind: vault is not in this version: write file',
    ],
    [
      'an unknown store',
      [['version: 1', 'version: 1\nstore: { kind: floppy }']],
      ':2:10 store.kind: is no kind of store: write file',
    ],
    [
      'a key file in the store',
      [['version: 1', 'version: 1\nstore: { path: .keyturn, keyFile: .keyturn/key }']],
      'store.keyFile: the key file must not lie in the store',
    ],
    [
      'the default key file in the store',
      [['version: 1', 'version: 1\nstore: { path: .keyturn }']],
      'store: the key file must not lie in the store',
    ],
    [
      'two key files',
      [['version: 1', 'version: 1\nstore: { keyFile: a }\nsealingKey: { kind: file, path: b }']],
      'sealingKey: there is one sealing key: `store.keyFile` names it already',
    ],
    [
      'a non-loopback address without auth',
      [['127.0.0.1:8377', '0.0.0.0:8377']],
      'server.listen: a non-loopback address needs `auth`',
    ],
    [
      'a non-loopback address with auth: none',
      [['127.0.0.1:8377', '"[::]:8377", auth: { kind: none }']],
      'server.listen: a non-loopback address needs `auth`',
    ],
    ['an address without a port', [['127.0.0.1:8377', 'localhost']], 'server.listen: must be HOST:PORT'],
    ['an address with a wrong port', [['127.0.0.1:8377', 'localhost:70000']], 'server.listen: must be HOST:PORT'],
    [
      'a lockout limit of 10',
      [['version: 1', 'version: 1\nlockout: { limit: 10 }']],
      'lockout.limit: must be at most 9',
    ],
    [
      'a lockout limit of 0',
      [['version: 1', 'version: 1\nlockout: { limit: 0 }']],
      'lockout.limit: must be at least 1',
    ],
    [
      'a wrong kind of auth',
      [['kind: header, name: x-keyturn-secret,', 'kind: hedaer, name: x-keyturn-secret,']],
      'webhooks.mambu.auth.kind: must be',
    ],
    [
      'a webhook secret in the header that names the consumer',
      [['x-keyturn-secret', 'apiConsumerId']],
      'use another header',
    ],
    ['an http: URL', [['https://acme', 'http://acme']], 'mambu.baseUrl: http: is for loopback addresses only'],
    ['a duplicate key', [['version: 1', 'version: 1\nversion: 1']], ':2:1 the same key stands twice'],
    ['a tag', [['version: 1', 'version: !!int 1']], 'tags (!…) are not allowed'],
    ['a custom tag', [['version: 1', 'version: !foo 1']], 'tags (!…) are not allowed'],
    ['two documents', [['version: 1', 'version: 1\n---\n']], 'there must be one document only'],
    ['a reference without quotes in { }', [['"${env:HOOK}"', '${env:HOOK}']], 'write "${env:NAME}" in quotes'],
    ['a merge key', [['    provider: mambu\n', '    provider: mambu\n    <<: {}\n']], 'unknown key "<<"'],
    [
      'managedBy without that credential',
      [['      strategy:', '      managedBy: other\n      strategy:']],
      'mambu.managedBy: there is no valid credential "other"',
    ],
    [
      'managedBy itself',
      [['      strategy:', '      managedBy: core-prod\n      strategy:']],
      'mambu.managedBy: a credential manages its own keys',
    ],
    [
      'managedBy of another tenant',
      [
        ['      strategy:', '      managedBy: admin\n      strategy:'],
        second('admin', ['baseUrl: https://other.mambu.com/api', 'consumerId: admin', 'strategy: create-and-delete']),
      ],
      'mambu.managedBy: admin has another base URL',
    ],
  ])('%s', (_, changes, message) => {
    expect(messagesOf(file(...changes))).toContain(message);
  });

  test('a mistake in a shared connection is shown there, once', () => {
    const text = file(
      ['policies:', 'connections:\n  acme: { provider: mambu, keyTtl: never }\npolicies:'],
      ['    mambu:\n', '    connection: acme\n    mambu:\n'],
      ['      keyTtl: 30d\n', ''],
    );
    expect(messagesOf(text)).toMatch(/^keyturn\.yaml:6:28 connections\.acme\.keyTtl: must be a duration[^\n]*$/);
  });

  test('all mistakes at once, in the order of the file', () => {
    const text = file(
      ['127.0.0.1:8377', 'nowhere'],
      ['create-and-delete', 'magic'],
      ['keyTtl: 30d', 'keyTtl: soon'],
      ['timezone: UTC', 'timezone: Mars'],
    );
    const lines = messagesOf(text).split('\n');
    expect(lines.map((line) => line.split(':')[1])).toEqual(['2', '13', '14', '16']);
  });

  test('a file of more than 1 MiB', () => {
    expect(messagesOf(file() + '#'.repeat(1024 * 1024))).toContain('larger than 1 MiB');
  });

  test('a bomb of aliases, and nesting without end', () => {
    const bomb = Array.from({ length: 9 }, (_, n) => `a${n}: &a${n} [${`*a${n - 1},`.repeat(9)}]`).slice(1);
    expect(messagesOf(`a0: &a0 [x]\n${bomb.join('\n')}`)).toContain('too many aliases');
    expect(messagesOf('a: '.concat('['.repeat(200_000)))).toContain('keyturn.yaml:1:');
  });
});

describe('a literal secret', () => {
  const secret = 'hunter2-very-secret';
  test.each<[string, readonly (readonly [string, string])[]]>([
    ['as a webhook header', [['"${env:HOOK}"', secret]]],
    ['among several webhook secrets', [['"${env:HOOK}"', `["\${env:HOOK}", ${secret}]`]]],
    [
      'as a password',
      [['      strategy:', `      management: { kind: basic, username: u, password: ${secret} }\n      strategy:`]],
    ],
    ['as a token', [['listen: 127', `auth: { kind: bearer, token: ${secret} }, listen: 127`]]],
    ['in a base URL', [['https://acme', `https://u:${secret}@acme`]]],
    ['that looks like an alias', [['"${env:HOOK}"', `*${secret}`]]],
    ['that looks like a tag', [['"${env:HOOK}"', `!${secret}`]]],
    ['with an open quote', [['"${env:HOOK}"', `"${secret}`]]],
    ['in place of a mapping', [['{ auth: { kind: header, name: x-keyturn-secret, value: "${env:HOOK}" } }', secret]]],
  ])('%s is refused and never quoted', (_, changes) => {
    const message = messagesOf(file(...changes));
    expect(message).toMatch(/^keyturn\.yaml:\d+:\d+ /);
    expect(message).not.toContain('hunter2');
  });

  test('is answered with how to refer to it', () => {
    expect(messagesOf(file(['"${env:HOOK}"', secret]))).toBe(
      'keyturn.yaml:4:58 webhooks.mambu.auth.value: must refer to the secret as ${env:NAME} or ${file:path}: ' +
        'a literal secret does not belong in this file',
    );
  });
});

describe('two credentials', () => {
  const same = ['baseUrl: https://acme.mambu.com/api/', 'consumerId: abc'];
  const elsewhere = ['baseUrl: https://acme.sandbox.mambu.com/api', 'consumerId: abc', 'strategy: create-and-delete'];
  const webhook = (mode: string): readonly [string, string] => [
    'consumerId: abc\n      strategy',
    `consumerId: abc\n      webhook: ${mode}\n      strategy`,
  ];
  const modesOf = (text: string) => [...parse(text).credentials.values()].map((one) => one.webhook.mode);

  test('of one consumer are refused if either rotates in place', () => {
    const text = file(second('twin', [...same, 'strategy: rotation', 'tenantGrace: 30m']));
    expect(messagesOf(text)).toContain('twin has the same base URL and consumer abc');
  });

  test('of one consumer are refused if an alias names it', () => {
    const aliased = ['baseUrl: https://acme.mambu.com/api', 'consumerId: x', 'consumerIdAliases: [abc]'];
    const text = file(second('twin', [...aliased, 'strategy: rotation', 'tenantGrace: 30m']));
    expect(messagesOf(text)).toContain('twin has the same base URL and consumer abc');
  });

  test('of one consumer may both create and delete', () => {
    expect(messagesOf(file(second('twin', [...same, 'strategy: create-and-delete'])))).toBe('no error');
  });

  test('of one consumer id on two base URLs are refused while both would answer on the short webhook route', () => {
    const text = 'leave at most one of them `webhook: shared`';
    expect(messagesOf(file(second('sandbox', elsewhere)))).toContain(text);
    expect(messagesOf(file(webhook('shared'), second('sandbox', [...elsewhere, 'webhook: shared'])))).toContain(text);
  });

  test('of one consumer id on two base URLs are fine when one at most has the short webhook route', () => {
    expect(modesOf(file(second('sandbox', [...elsewhere, 'webhook: own-path'])))).toEqual(['own-path', 'default']);
    expect(modesOf(file(second('sandbox', [...elsewhere, 'webhook: false'])))).toEqual(['off', 'default']);
    expect(modesOf(file(webhook('shared'), second('sandbox', [...elsewhere, 'webhook: own-path'])))).toEqual([
      'own-path',
      'shared',
    ]);
  });

  test('leave the short webhook route to the one that is shared, and the other is warned', () => {
    const text = file(webhook('shared'), second('sandbox', elsewhere));
    expect(modesOf(text)).toEqual(['own-path', 'shared']);
    expect(parse(text).warnings).toMatchObject([{ path: 'credentials.sandbox.mambu.webhook' }]);
    const third = ['baseUrl: https://third.mambu.com/api', ...elsewhere.slice(1)];
    expect(modesOf(file(webhook('shared'), second('third', third), second('sandbox', elsewhere)))).toEqual([
      'own-path',
      'own-path',
      'shared',
    ]);
  });
});

describe('a warning, with its place, is given for', () => {
  test.each<[string, readonly (readonly [string, string])[], string]>([
    ['a base URL without /api', [['mambu.com/api', 'mambu.com']], '11:7 credentials.core-prod.mambu.baseUrl'],
    ['no keyTtl', [['      keyTtl: 30d\n', '']], '10:5 credentials.core-prod.mambu.keyTtl'],
    [
      'no schedule',
      [['      schedule: { cron: "0 4 * * *", timezone: UTC }', '      grace: 1m']],
      '15:5 credentials.core-prod.policy',
    ],
    [
      'a grace that the tenant cuts short',
      [['create-and-delete', 'rotation\n      tenantGrace: 10m']],
      '16:5 credentials.core-prod.policy',
    ],
    [
      'webhooks that anybody may send',
      [['{ kind: header, name: x-keyturn-secret, value: "${env:HOOK}" }', '{ kind: none }']],
      '4:12 webhooks.mambu.auth',
    ],
    [
      'webhooks that are refused because their auth is missing',
      [
        ['webhooks:\n  mambu: { auth: { kind: header, name: x-keyturn-secret, value: "${env:HOOK}" } }\n', ''],
        ['      keyTtl', '      webhook: own-path\n      keyTtl'],
      ],
      '12:7 credentials.core-prod.mambu.webhook',
    ],
  ])('%s', (_, changes, place) => {
    const warnings = parse(file(...changes)).warnings.map(({ line, column, path }) => `${line}:${column} ${path}`);
    expect(warnings).toEqual([place]);
  });
});

describe('on disk', () => {
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'keyturn-config-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  test('the example is valid and gives no warning', async () => {
    const config = await loadConfig('examples/keyturn.mambu.yaml');
    expect([...config.credentials.keys()]).toEqual(['core-prod', 'reports-prod']);
    expect(config.warnings).toEqual([]);
  });

  test('a missing file has a code of its own', async () => {
    await expect(loadConfig(join(folder, 'none.yaml'))).rejects.toMatchObject({ code: 'KT-CONFIG-MISSING' });
  });

  test('a secret comes from its file without the line break at its end, or from its variable', async () => {
    await writeFile(join(folder, 'secret'), 'two\nlines\r\n');
    const secret = await resolveSecret({ from: 'file', path: join(folder, 'secret') });
    expect(secret.reveal()).toBe('two\nlines');
    process.env.KEYTURN_TEST_SECRET = 'from-env';
    expect((await resolveSecret({ from: 'env', name: 'KEYTURN_TEST_SECRET' })).reveal()).toBe('from-env');
    delete process.env.KEYTURN_TEST_SECRET;
  });

  test('a missing secret is named with the place that needs it', async () => {
    const missing = (error: unknown) => (error instanceof KeyturnError ? `${error.code} ${error.message}` : 'no error');
    expect(await resolveSecret({ from: 'env', name: 'KEYTURN_ABSENT' }, 'server.auth.token').catch(missing)).toBe(
      'KT-SECRET-MISSING the environment variable KEYTURN_ABSENT is not set (needed for server.auth.token)',
    );
    const path = join(folder, 'absent');
    expect(await resolveSecret({ from: 'file', path }).catch(missing)).toBe(
      `KT-SECRET-MISSING the file ${path} cannot be read: ENOENT`,
    );
  });

  test('the JSON schema knows the provider’s block and asks for the version only', async () => {
    const text = JSON.stringify(configJsonSchema());
    expect(configJsonSchema()).toMatchObject({ type: 'object', required: ['version'], additionalProperties: false });
    expect(text).toContain('consumerIdAliases');
    expect(text).toContain('create-and-delete');
    expect(await readFile('examples/keyturn.mambu.yaml', 'utf8')).toContain('version: 1');
  });
});
