import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import { stringify } from 'yaml';
import { providers } from '../../src/compose.js';
import { ConfigError, loadConfig, type Config } from '../../src/config.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** A folder with keyturn.yaml and packages; their code may import zod. */
async function folderWith(packages: Readonly<Record<string, string>>, manifest: object = {}): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'keyturn-plugins-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  for (const [name, code] of Object.entries(packages)) {
    const home = join(folder, 'node_modules', name);
    await mkdir(home, { recursive: true });
    await writeFile(
      join(home, 'package.json'),
      JSON.stringify({ name, type: 'module', exports: './index.js', ...manifest }),
    );
    await writeFile(join(home, 'index.js'), code);
  }
  await symlink(join(root, 'node_modules', 'zod'), join(await modulesOf(folder), 'zod'));
  return folder;
}

async function modulesOf(folder: string): Promise<string> {
  const modules = join(folder, 'node_modules');
  await mkdir(modules, { recursive: true });
  return modules;
}

/** Code of a package with a provider; `changes` are further properties of it. */
const code = (name: string, changes = ''): string => `
import { z } from 'zod';
const none = () => { throw new Error('not called here'); };
export const provider = {
  name: ${JSON.stringify(name)}, apiVersion: 1,
  settings: z.strictObject({ baseUrl: z.string(), account: z.string().min(2, 'must have two letters'), since: z.coerce.date().optional(),
    insecure: z.boolean().optional(), acceptGap: z.boolean().optional(), ttl: z.number().optional() }),
  secretFields: { token: { env: 'TOKEN', required: true } },
  capability: ({ ttl }) => ({ value: 'server', replayWindowMs: 0, listable: true, overlap: 'ours', propagationMs: 7000, intents: ['create-key'],
    keyIdIsSecret: false, needsSecretKey: false, ...(ttl ? { keyTtlMs: ttl } : {}) }),
  identity: ({ baseUrl, account }) => ({ provider: ${JSON.stringify(name)}, baseUrl, account, strategy: 'tokens' }),
  settingsOf: none, publicSettings: none, prepare: none, inventory: none, create: none, credentialVerdict: none, verify: none, retire: none, call: none,
  ${changes}
};`;

interface Written {
  readonly plugins?: unknown;
  readonly provider?: unknown;
  readonly settings?: unknown;
  readonly more?: object;
}

async function load(folder: string, written: Written = {}): Promise<Config> {
  const { plugins = ['tokens'], provider = { module: 'tokens' }, more } = written;
  const { settings = { baseUrl: 'https://acme.example', account: 'acme' } } = written;
  const policy = { schedule: { cron: '0 4 * * *' } };
  const file = join(folder, 'keyturn.yaml');
  await writeFile(
    file,
    stringify({ version: 1, plugins, credentials: { one: { provider, settings, policy, ...more } } }),
  );
  return loadConfig(file);
}

async function problemsOf(folder: string, written?: Written): Promise<string> {
  const error: unknown = await load(folder, written).catch((reason: unknown) => reason);
  if (error instanceof ConfigError) return error.message.replaceAll(folder, 'FOLDER');
  throw new Error(`no ConfigError: ${String(error)}`);
}

describe('a plug-in', () => {
  test('that is listed by its exact name is imported from beside keyturn.yaml, and its credential parsed by its own schema', async () => {
    const folder = await folderWith({ tokens: code('tokens') });
    const settings = { baseUrl: 'https://acme.example', account: 'acme', since: '2026-01-01', ttl: 9000 };
    const config = await load(folder, { settings });
    const one = config.credentials.get('one');
    expect(one).toMatchObject({
      provider: 'tokens',
      baseUrl: 'https://acme.example',
      settings: { ...settings, since: new Date('2026-01-01') },
      managedBy: null,
      webhook: { consumerIds: [], mode: 'off' },
      allowRequests: [],
      timing: { propagationMs: 7_000 },
      policy: { renewBeforeMs: 3_000 },
    });
    expect(config.warnings).toEqual([]);
    expect(providers()('tokens')).toMatchObject({ name: 'tokens' });
  });

  test('may have a scope, and is found above the folder and by the conditions of `import` alone', async () => {
    const folder = await folderWith(
      { '@acme/tokens': code('@acme/tokens') },
      { exports: { '.': { types: './index.d.ts', require: './none.cjs', import: './index.js' } } },
    );
    const below = join(folder, 'deploy', 'prod');
    await mkdir(below, { recursive: true });
    const config = await load(below, { plugins: ['@acme/tokens'], provider: { module: '@acme/tokens' } });
    expect(config.credentials.get('one')?.provider).toBe('@acme/tokens');
  });

  test('of a connection is that of its credentials', async () => {
    const folder = await folderWith({ tokens: code('tokens'), others: code('others') });
    const file = join(folder, 'keyturn.yaml');
    const text = (module: string): string => `version: 1
plugins: [tokens, others]
connections:
  acme: { provider: { module: ${module} }, baseUrl: https://acme.example }
credentials:
  one: { connection: acme, settings: { account: acme } }
  two: { connection: acme, provider: { module: tokens }, settings: { account: other } }
`;
    await writeFile(file, text('tokens'));
    expect([...(await loadConfig(file)).credentials.values()].map(({ baseUrl }) => baseUrl)).toHaveLength(2);
    await writeFile(file, text('others'));
    await expect(loadConfig(file)).rejects.toThrow('credentials.two.provider: is not the provider of its connection');
  });
});

describe('is refused with its place and the mend:', () => {
  test.each<[string, Written, string]>([
    [
      'a module that is not listed',
      { plugins: [] },
      '6:7 credentials.one.provider.module: "tokens" is not listed: write `plugins: ["tokens"]`',
    ],
    ['a name that is nearly listed', { provider: { module: 'token' } }, 'did you mean "tokens"?'],
    [
      'a package that is not installed',
      { plugins: ['tokens', 'absent'] },
      '4:5 plugins[1]: absent is not installed for FOLDER: run `npm install absent` there',
    ],
    ['a relative path', { plugins: ['./tokens'] }, 'plugins[0]: must be the exact name of a package'],
    ['an absolute path', { plugins: ['/etc/tokens'] }, 'plugins[0]: must be the exact name of a package'],
    ['a URL', { plugins: ['data:text/javascript,1'] }, 'plugins[0]: must be the exact name of a package'],
    ['a subpath', { plugins: ['tokens/index.js'] }, 'plugins[0]: must be the exact name of a package'],
    ['a way out of the package', { plugins: ['@a/../../tokens'] }, 'plugins[0]: must be the exact name of a package'],
    ['a version', { plugins: ['tokens@1'] }, 'plugins[0]: must be the exact name of a package'],
    ['a module of Node', { plugins: ['fs'] }, 'plugins[0]: fs is the name of something built in'],
    ['the name of a built-in provider', { plugins: ['mambu'] }, 'plugins[0]: mambu is the name of something built in'],
    ['no list', { plugins: 'tokens' }, 'plugins: must be a list'],
    [
      'a wrong setting, in its own schema’s words',
      { settings: { baseUrl: 'https://a.example', account: 'a' } },
      '10:7 credentials.one.settings.account: must have two letters',
    ],
    [
      'an unknown setting',
      { settings: { baseUrl: 'https://a.example', account: 'acme', x: 1 } },
      'credentials.one.settings.x: Unrecognized key: "x"',
    ],
    [
      'keys in clear over the net',
      { settings: { baseUrl: 'http://a.example', account: 'acme' } },
      'credentials.one.settings.baseUrl: http: is for loopback',
    ],
    ['a base URL that is none', { settings: { baseUrl: 'acme', account: 'acme' } }, 'gives an `identity`'],
    ['settings at the provider’s name', { more: { tokens: {} } }, 'credentials.one.tokens: unknown key "tokens"'],
    [
      'something else beside the module',
      { provider: { module: 'tokens', version: 2 } },
      'credentials.one.provider.version: unknown key "version"',
    ],
  ])('%s', async (_, written, message) => {
    const folder = await folderWith({ tokens: code('tokens') });
    expect(await problemsOf(folder, written)).toContain(message);
  });

  test.each<[string, string, string]>([
    [
      'another apiVersion',
      code('tokens', 'apiVersion: 2'),
      'tokens is for apiVersion 2 of the provider contract, and this keyturn has 1',
    ],
    ['no apiVersion', code('tokens', 'apiVersion: undefined'), 'tokens is for apiVersion undefined'],
    ['no `provider`', 'export const other = {};', 'tokens exports no object named `provider`'],
    ['a default export only', 'export default {};', 'tokens exports no object named `provider`'],
    [
      'missing methods',
      code('tokens', 'verify: undefined, retire: 1, equip: true'),
      'these are no functions: verify, retire, equip',
    ],
    ['another name', code('other'), 'tokens calls itself "other": `name` must be the package\'s'],
    ['no schema', code('tokens', 'settings: {}'), '`settings` is no zod schema'],
    ['no fields', code('tokens', 'secretFields: {}'), '`secretFields` names no field'],
    [
      'code that does not run',
      'throw new TypeError("value-of-a-secret");',
      'tokens cannot be imported (TypeError): `node --input-type=module',
    ],
    [
      'another import that is missing',
      'import "absent-too"; export const provider = {};',
      'tokens cannot be imported (ERR_MODULE_NOT_FOUND)',
    ],
    [
      'an identity of another provider',
      code(
        'tokens',
        "identity: () => ({ provider: 'mambu', baseUrl: 'https://a.example', account: 'a', strategy: '' })",
      ),
      'tokens gives an `identity` of another provider',
    ],
    [
      'a capability that throws',
      code('tokens', "capability: () => { throw new Error('value-of-a-secret'); }"),
      'tokens cannot tell identity and capability',
    ],
    [
      'a key that the client chooses and nobody can find',
      code(
        'tokens',
        "capability: () => ({ value: 'client', intents: ['create-key'], propagationMs: 0, overlap: 'ours' })",
      ),
      'has no `chosen` or no `find`',
    ],
    [
      'no overlap that nobody has accepted',
      code('tokens', "capability: () => ({ value: 'server', intents: ['rotate'], propagationMs: 0, overlap: 'none' })"),
      'credentials.one.settings.acceptGap: the old key dies before anyone has the new one',
    ],
  ])('%s', async (_, packageCode, message) => {
    const folder = await folderWith({ tokens: packageCode });
    const problems = await problemsOf(folder);
    expect(problems).toContain(message);
    expect(problems).not.toContain('value-of-a-secret');
  });

  test('once, where it is listed, however many credentials have it', async () => {
    const folder = await folderWith({});
    const problems = await problemsOf(folder, { plugins: ['tokens', './tokens'] });
    expect(problems.split('\n')).toHaveLength(2);
    expect(problems).toContain('plugins[0]: tokens is not installed');
  });

  test('an entry outside of its package', async () => {
    const folder = await folderWith({ tokens: code('tokens') }, { exports: './../zod/index.js' });
    expect(await problemsOf(folder)).toContain('tokens has nothing to import');
  });
});

test('a package that nobody lists is never imported, whatever a credential says', async () => {
  const folder = await folderWith({ tokens: '' });
  const marker = join(folder, 'was-run');
  await writeFile(
    join(folder, 'node_modules', 'tokens', 'index.js'),
    `import { writeFileSync } from 'node:fs'; writeFileSync(${JSON.stringify(marker)}, '');`,
  );
  await problemsOf(folder, { plugins: [] });
  await expect(rm(marker)).rejects.toMatchObject({ code: 'ENOENT' });
  await problemsOf(folder);
  await rm(marker);
});
