import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { stringify } from 'yaml';
import { startTinyService } from '../../examples/plugin-tiny/tiny-service.js';
import { createKeyFile } from '../../src/custody/key-file.js';
import { withoutAmbientTemporal } from '../../src/dev/ambient-temporal.js';
import { eventually } from '../support/around.js';
import { sharedServer } from '../support/temporal.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const main = join(root, 'dist', 'cli', 'main.js');
const run = promisify(execFile);

/** A folder in which the plug-in is installed beside keyturn, as npm would do it. */
async function installed(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'keyturn-plugin-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const modules = join(folder, 'node_modules');
  await mkdir(modules);
  await symlink(root, join(modules, 'keyturn'));
  await symlink(join(root, 'node_modules', 'zod'), join(modules, 'zod'));
  await cp(join(root, 'examples', 'plugin-tiny'), join(modules, 'keyturn-tiny'), { recursive: true });
  return folder;
}

interface Answer {
  readonly ok: boolean;
  readonly data: Record<string, unknown>;
  readonly error: { readonly code: string; readonly message: string } | null;
}

interface Check {
  readonly check: string;
  readonly status: string;
}

test('a plug-in is installed, listed, imported into, rotated, used and retired by the commands of every day', async () => {
  const folder = await installed();
  const service = await startTinyService();
  onTestFinished(() => service.stop());
  const { address, namespace } = sharedServer();
  const id = `tiny-${process.pid}-${Date.now().toString(36)}`;
  await writeFile(
    join(folder, 'keyturn.yaml'),
    stringify({
      version: 1,
      temporal: { address, namespace, taskQueue: id },
      store: { kind: 'file', path: 'store', keyFile: 'key' },
      plugins: ['keyturn-tiny'],
      timing: { skew: '200ms' },
      credentials: {
        [id]: {
          provider: { module: 'keyturn-tiny' },
          settings: service.settings,
          policy: { grace: '1s', refreshWithin: '1s', minInterval: '0s' },
        },
      },
    }),
  );
  const env = { ...withoutAmbientTemporal(process.env), HOME: folder };
  const keyturn = async (...argv: readonly string[]): Promise<Answer> => {
    const { stdout } = await run(process.execPath, [main, '--json', ...argv], { cwd: folder, env });
    return JSON.parse(stdout) as Answer;
  };
  await createKeyFile(join(folder, 'key'));

  const token = service.seed.fields['token']?.reveal() ?? '';
  const sealing = run(process.execPath, [main, '--json', 'import', id], { cwd: folder, env });
  sealing.child.stdin?.end(JSON.stringify({ token }));
  const sealed = JSON.parse((await sealing).stdout) as Answer;
  expect(sealed.data).toMatchObject({ version: 1, keyId: service.seed.keyId, accepted: true });
  expect(JSON.stringify(sealed)).not.toContain(token);
  expect((await keyturn('rotate', id, '--dry-run')).data).toMatchObject({ provider: 'keyturn-tiny', capability: 'C' });

  const worker = spawn(process.execPath, [main, 'worker'], { cwd: folder, env, stdio: ['ignore', 'ignore', 'pipe'] });
  onTestFinished(async () => {
    worker.kill('SIGTERM');
    if (worker.exitCode === null) await once(worker, 'exit');
  });
  for await (const line of createInterface({ input: worker.stderr })) if (line.includes('polls task queue')) break;
  worker.stderr.resume();

  await keyturn('apply');
  const rotated = await keyturn('rotate', id, '--wait');
  expect(rotated.data).toMatchObject({ outcome: 'rotated' });
  const got = await keyturn('get', id, '--reveal');
  const fresh = JSON.stringify(got.data).match(/tiny-[\w-]{20,}/)?.[0];
  expect(fresh).not.toBe(token);

  const show = 'process.stdout.write([process.env.TINY_TOKEN, process.env.KEYTURN_VERSION].join())';
  const used = await run(process.execPath, [main, 'exec', id, '--', process.execPath, '-e', show], {
    cwd: folder,
    env,
  });
  expect(used.stdout).toBe(`${fresh},2`);

  await eventually('the old token is dead', () => !service.accepts(service.seed));
  await eventually('and no version is left of it', async () => {
    const { data } = await keyturn('status', id);
    return (data['previous'] as unknown[]).length === 0;
  });
  expect(await service.livingKeys()).toHaveLength(2);
  const doctor = await keyturn('doctor');
  const own = (doctor.data['checks'] as readonly Check[]).filter(({ check }) => check.includes(id));
  expect(own.map(({ check, status }) => `${check}: ${status}`)).toEqual([
    `${id} key: ok`,
    `${id} expiry: ok`,
    `${id} provider: ok`,
  ]);
});

test(
  'its own conformance test runs with node’s test runner against the published kit',
  { timeout: 180_000 },
  async () => {
    const folder = await installed();
    const { stdout } = await run(process.execPath, ['--test'], {
      cwd: join(folder, 'node_modules', 'keyturn-tiny'),
      timeout: 170_000,
    });
    const [, passed] = /^# pass (\d+)$/m.exec(stdout) ?? [];
    expect(Number(passed)).toBeGreaterThan(25);
    expect(stdout).toMatch(/^# fail 0$/m);
  },
);
