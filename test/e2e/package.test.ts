import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { withoutAmbientTemporal } from '../../src/dev/ambient-temporal.js';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
let folder = '';
const env = { ...withoutAmbientTemporal(process.env), npm_config_fund: 'false', npm_config_audit: 'false' };

/** The tarball in an empty folder, with what it depends on from the registry or npm's cache. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'keyturn-package-'));
  const { stdout } = await run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', folder], {
    cwd: root,
    env,
  });
  const [packed] = JSON.parse(stdout) as { filename: string }[];
  await writeFile(join(folder, 'package.json'), JSON.stringify({ name: 'somebody', private: true, type: 'module' }));
  const tarball = join(folder, packed?.filename ?? '');
  await run('npm', ['install', '--prefer-offline', '--ignore-scripts', '--omit=dev', tarball], { cwd: folder, env });
}, 240_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

it('the installed command runs: help, init, and a clear answer where nothing is configured', async () => {
  const keyturn = join(folder, 'node_modules', '.bin', 'keyturn');
  const options = { cwd: folder, env };
  expect((await run(keyturn, ['--help'], options)).stdout).toContain('rotate');
  const missing = await run(keyturn, ['status', '--json'], options).then(
    () => null,
    (error: unknown) => error,
  );
  expect(missing).toMatchObject({ code: 2, stdout: expect.stringContaining('KT-CONFIG-MISSING') as string });
  await run(keyturn, ['init'], options);
  expect(await readFile(join(folder, 'keyturn.yaml'), 'utf8')).toContain('credentials:');
});

it('every export can be imported, and the schema of keyturn.yaml is among them', async () => {
  const script = `
    const { errorTable } = await import('keyturn');
    const { workflowNames } = await import('keyturn/contract');
    const { KeyturnClient } = await import('keyturn/client');
    const { createConsumer } = await import('keyturn/consumer');
    const { startApigeeSimulator, startMambuSimulator } = await import('keyturn/testing');
    const { default: schema } = await import('keyturn/config.schema.json', { with: { type: 'json' } });
    console.log(JSON.stringify([typeof errorTable, workflowNames.credential, typeof KeyturnClient, typeof createConsumer, typeof startMambuSimulator, typeof startApigeeSimulator, typeof schema.properties]));`;
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script], { cwd: folder, env });
  expect(JSON.parse(stdout)).toEqual([
    'object',
    'credential',
    'function',
    'function',
    'function',
    'function',
    'object',
  ]);
});

it('the package is what npm and TypeScript expect of one', async () => {
  const { publint } = await import('publint');
  const { messages } = await publint({ pkgDir: root, strict: true, pack: false });
  expect(messages).toEqual([]);
});
