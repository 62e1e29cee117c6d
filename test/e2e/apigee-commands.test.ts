import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { runCli } from '../../src/cli/program.js';
import { createConsumer } from '../../src/consumer.js';
import {
  type ApigeeSimulator,
  type ApigeeSimulatorOptions,
  startApigeeSimulator,
} from '../../src/simulators/apigee/index.js';
import { hideAmbientTemporal } from '../support/cli.js';
import { sharedServer } from '../support/temporal.js';

interface Ran {
  readonly exit: number;
  /** Everything that was printed. */
  readonly printed: string;
  readonly data: Record<string, unknown>;
  readonly error: { readonly code: string; readonly message: string; readonly hint: string };
}

/** An installation with one Apigee credential, before its first import. */
async function installation(options: ApigeeSimulatorOptions = {}, more: Record<string, unknown> = {}) {
  const simulator = await startApigeeSimulator(options);
  onTestFinished(() => simulator.close());
  const directory = await mkdtemp(join(tmpdir(), 'keyturn-apigee-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  const file = join(directory, 'keyturn.yaml');
  const id = `partner-${randomUUID().slice(0, 8)}`;
  await hideAmbientTemporal(directory);
  vi.stubEnv('TEST_APIGEE_TOKEN', simulator.seeded.accessToken);
  onTestFinished(() => void vi.unstubAllEnvs());

  const run = async (argv: readonly string[], stdin?: object): Promise<Ran> => {
    let out = '';
    let err = '';
    const exit = await runCli(['-c', file, '--json', ...argv], {
      stdin: Readable.from(stdin === undefined ? [] : [JSON.stringify(stdin)]),
      stdout: { write: (text) => (out += text) },
      stderr: { write: (text) => (err += text) },
      env: {},
      onSignal: () => () => undefined,
    });
    const json = (out === '' ? {} : JSON.parse(out)) as Pick<Ran, 'data' | 'error'>;
    return { ...json, exit, printed: out + err };
  };
  await run(['init']);
  const { organization, developer, app } = simulator.seeded;
  const configure = (changes: Record<string, unknown> = {}): Promise<void> => {
    const apigee = {
      baseUrl: simulator.managementUrl,
      dialect: 'x',
      organization,
      developer,
      app,
      auth: { kind: 'bearer', token: '${env:TEST_APIGEE_TOKEN}' },
      tokenTtl: '0s',
      ...more,
      ...changes,
    };
    const { address, namespace } = sharedServer();
    const temporal = { address, namespace, taskQueue: id };
    const credentials = { [id]: { provider: 'apigee', apigee, policy: { refreshWithin: '5m', grace: '1h' } } };
    // JSON is YAML.
    return writeFile(file, JSON.stringify({ version: 1, temporal, credentials }));
  };
  await configure();
  return { id, simulator, directory, file, run, configure };
}

const pairOf = ({ seeded: { consumerKey, consumerSecret } }: ApigeeSimulator) => ({ consumerKey, consumerSecret });

function expectNoSecret({ printed }: Ran, { seeded }: ApigeeSimulator): void {
  for (const secret of [seeded.consumerKey, seeded.consumerSecret, seeded.accessToken])
    expect(printed).not.toContain(secret);
}

describe('an Apigee credential', () => {
  test('is imported, shown by its fingerprint, read and handed to a command', async () => {
    const { id, simulator, directory, file, run } = await installation({
      seed: { otherKeys: 2, expiresInSeconds: 86_400 },
    });
    const { consumerKey, consumerSecret } = simulator.seeded;
    const imported = await run(['import', id], pairOf(simulator));
    expect(imported).toMatchObject({ exit: 0, data: { accepted: true, version: 1, secretKey: null } });
    expect(imported.data['keyId']).toMatch(/^hmac:/);
    expect(imported.data['keyId']).toBe(imported.data['fingerprint']);
    expectNoSecret(imported, simulator);

    const masked = await run(['get', id]);
    expect(masked.data).toMatchObject({ keyId: imported.data['keyId'], revealed: false });
    expect(Date.parse(String(masked.data['expiresAt']))).toBeGreaterThan(simulator.clock.now() + 86_000_000);
    expectNoSecret(masked, simulator);
    const revealed = await run(['get', id, '--field', 'consumerSecret', '--reveal']);
    expect(revealed.data['fields']).toEqual({ consumerSecret });

    const script = 'require("node:fs").writeFileSync(process.argv[1], JSON.stringify(process.env))';
    const target = join(directory, 'environment.json');
    expect((await run(['exec', id, '--', process.execPath, '-e', script, target])).exit).toBe(0);
    expect(JSON.parse(await readFile(target, 'utf8'))).toMatchObject({
      KEYTURN_CREDENTIAL_ID: id,
      KEYTURN_BASE_URL: simulator.managementUrl,
      KEYTURN_CONSUMER_KEY: consumerKey,
      KEYTURN_CONSUMER_SECRET: consumerSecret,
    });

    const consumer = await createConsumer({ config: file });
    const { fields, keyId } = await consumer.resolveCredential(id);
    await consumer.close();
    expect(keyId).toBe(imported.data['keyId']);
    expect(fields['consumerKey']?.reveal()).toBe(consumerKey);
    expect(fields['consumerSecret']?.reveal()).toBe(consumerSecret);
  });

  test('a dry run and a reconciliation show fingerprints, never a consumer key', async () => {
    const { id, simulator, run } = await installation({ seed: { otherKeys: 1 } });
    await run(['import', id], pairOf(simulator));
    const plan = await run(['rotate', id, '--dry-run']);
    expect(plan).toMatchObject({ exit: 0, data: { capability: 'A', strategy: 'x', obstacles: [] } });
    const compared = await run(['reconcile', id, '--dry-run']);
    expect(compared.exit).toBe(0);
    expect(compared.data['keys']).toMatchObject([
      { is: 'current', listed: true },
      { is: 'foreign', listed: true },
    ]);
    const all = simulator.oracle({ values: true }).keys.map((key) => key.consumerKey ?? '');
    for (const key of all) expect(plan.printed + compared.printed).not.toContain(key);
  });

  test('doctor asks the provider, and is content', async () => {
    const { id, simulator, run } = await installation();
    await run(['import', id], pairOf(simulator));
    const checked = await run(['doctor']);
    expect(checked.printed).toContain(`${simulator.managementUrl} lists 1 key(s)`);
    expectNoSecret(checked, simulator);
  });

  test('what a rotation could never equal is an obstacle of the dry run', async () => {
    const { id, simulator, run } = await installation(
      { rules: { dialect: 'edge' }, seed: { expiresInSeconds: 86_400 } },
      { dialect: 'edge' },
    );
    await run(['import', id], pairOf(simulator));
    const plan = await run(['rotate', id, '--dry-run']);
    expect(plan.exit).toBe(3);
    expect(String(plan.data['obstacles'])).toContain('on classic Edge a new one cannot');
  });

  test.each([
    ['organization', { organization: 'other' }, 4, 'KT-FORBIDDEN', 'in organization other'],
    ['developer', { developer: 'nobody@example.com' }, 3, 'KT-CONSUMER-GONE', 'no developer nobody@example.com'],
    ['app', { app: 'nothing' }, 3, 'KT-CONSUMER-GONE', 'no app nothing'],
    ['dialect', { dialect: 'edge' }, 6, 'KT-PROVIDER-ANSWER', '`dialect: x`'],
    ['base URL', (url: string) => ({ baseUrl: url.replace(/\/v1$/, '/v2') }), 6, 'KT-PROVIDER-ANSWER', '`baseUrl`'],
  ] as const)('with a wrong %s is not imported, and the message says why', async (_name, change, exit, code, text) => {
    const { id, simulator, run, configure } = await installation();
    await configure(typeof change === 'function' ? change(simulator.managementUrl) : change);
    const refused = await run(['import', id], pairOf(simulator));
    expect(refused).toMatchObject({ exit, error: { code } });
    expect(refused.error.message).toContain(text);
    expectNoSecret(refused, simulator);
    expect((await run(['get', id])).error.code).toBe('KT-NOT-IMPORTED');
    expect(simulator.oracle().writes).toEqual([]);
  });

  test.each([
    ['a key of another app', { consumerKey: 'unknown-key' }, 4, 'KT-CREDENTIAL-REFUSED'],
    ['the secret of another key', { consumerSecret: 'another-secret' }, 2, 'KT-INPUT'],
    ['half a pair', { consumerSecret: null }, 2, 'KT-INPUT'],
    ['a keyId', { keyId: 'k' }, 2, 'KT-INPUT'],
  ])('%s is refused', async (_name, change, exit, code) => {
    const { id, simulator, run } = await installation();
    const refused = await run(['import', id], { ...pairOf(simulator), ...change });
    expect(refused).toMatchObject({ exit, error: { code } });
    expectNoSecret(refused, simulator);
    expect((await run(['get', id])).error.code).toBe('KT-NOT-IMPORTED');
  });
});
