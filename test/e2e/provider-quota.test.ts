/** The calls that a provider allows a minute are kept by all workers of a task queue together: counted where the calls arrive. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, it, type TestContext } from 'vitest';
import { stringify } from 'yaml';
import { startTinyService } from '../../examples/plugin-tiny/tiny-service.js';
import { KeyturnClient } from '../../src/client.js';
import { openVault, sealFirstKey } from '../../src/compose.js';
import { loadConfig } from '../../src/config.js';
import { createKeyFile } from '../../src/custody/key-file.js';
import { withoutAmbientTemporal } from '../../src/dev/ambient-temporal.js';
import { Secret } from '../../src/domain/secret.js';
import { eventually } from '../support/around.js';
import { startForwarder } from '../support/forwarder.js';
import { sharedServer } from '../support/temporal.js';

type OnTestFinished = TestContext['onTestFinished'];

const root = fileURLToPath(new URL('../../', import.meta.url));
const main = join(root, 'dist', 'cli', 'main.js');

const CALLS_PER_MINUTE = 1_800;
const CALLS_PER_SECOND = CALLS_PER_MINUTE / 60;
/** Of five calls each. */
const ACTIVITIES_PER_SECOND = CALLS_PER_SECOND / 5;
const CREDENTIALS = 8;
const WINDOW_MS = 3_000;

/** Tiny with a quota, and with as many calls for a step as a quota counts with: its listing has four pages. */
const metered = `
import { provider as tiny } from 'keyturn-tiny';
const list = async (context) => {
  for (let page = 1; page < 4; page += 1) await tiny.inventory(context);
  return tiny.inventory(context);
};
export const provider = {
  ...tiny,
  name: 'keyturn-metered',
  capability: (settings) => ({ ...tiny.capability(settings), callsPerMinute: ${CALLS_PER_MINUTE} }),
  identity: (settings) => ({ ...tiny.identity(settings), provider: 'keyturn-metered' }),
  inventory: list,
  async verify(context, fresh, old) {
    await list({ ...context, credential: fresh });
    return tiny.verify(context, fresh, old);
  },
};`;

/** A folder in which the plug-in is installed beside keyturn. */
async function installed(onTestFinished: OnTestFinished): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'keyturn-quota-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const modules = join(folder, 'node_modules');
  await mkdir(join(modules, 'keyturn-metered'), { recursive: true });
  await symlink(root, join(modules, 'keyturn'));
  await symlink(join(root, 'node_modules', 'zod'), join(modules, 'zod'));
  await cp(join(root, 'examples', 'plugin-tiny'), join(modules, 'keyturn-tiny'), { recursive: true });
  const manifest = { name: 'keyturn-metered', type: 'module', exports: './index.js' };
  await writeFile(join(modules, 'keyturn-metered', 'package.json'), JSON.stringify(manifest));
  await writeFile(join(modules, 'keyturn-metered', 'index.js'), metered);
  return folder;
}

/** `keyturn worker` in a process of its own. Resolves with its process id when it polls. */
async function worker(folder: string, onTestFinished: OnTestFinished): Promise<number> {
  const env = { ...withoutAmbientTemporal(process.env), HOME: folder };
  const child = spawn(process.execPath, [main, 'worker'], { cwd: folder, env, stdio: ['ignore', 'ignore', 'pipe'] });
  onTestFinished(async () => {
    child.kill('SIGTERM');
    if (child.exitCode === null) await once(child, 'exit');
  });
  for await (const line of createInterface({ input: child.stderr })) if (line.includes('polls task queue')) break;
  child.stderr.resume();
  return child.pid ?? 0;
}

/** The most of these instants that any window of this length holds. */
function mostWithin(instants: readonly number[], windowMs: number): number {
  return Math.max(...instants.map((from) => instants.filter((at) => at >= from && at < from + windowMs).length));
}

it('two workers and a burst of rotations: the provider is called no faster than it allows, because of the bound', async ({
  onTestFinished,
}) => {
  const folder = await installed(onTestFinished);
  const service = await startTinyService();
  onTestFinished(() => service.stop());
  const direct = String(service.settings['baseUrl']);
  const calls: number[] = [];
  const meter = await startForwarder(onTestFinished, () => void calls.push(Date.now()));
  meter.leadTo(direct);
  const { address, namespace } = sharedServer();
  const taskQueue = `quota-${process.pid}-${Date.now().toString(36)}`;
  const ids = Array.from({ length: CREDENTIALS }, (_, n) => `${taskQueue}-${n}`);
  const credential = {
    provider: { module: 'keyturn-metered' },
    settings: { ...service.settings, baseUrl: meter.origin },
    policy: { grace: '1h', refreshWithin: '1h', minInterval: '0s' },
  };
  const configFile = join(folder, 'keyturn.yaml');
  await writeFile(
    configFile,
    stringify({
      version: 1,
      temporal: { address, namespace, taskQueue },
      store: { kind: 'file', path: 'store', keyFile: 'key' },
      plugins: ['keyturn-metered'],
      credentials: Object.fromEntries(ids.map((id) => [id, credential])),
    }),
  );
  await createKeyFile(join(folder, 'key'));
  const config = await loadConfig(configFile);
  const vault = await openVault(config);
  const authorization = `Bearer ${service.seed.fields['token']?.reveal()}`;
  for (const entry of config.credentials.values()) {
    const made = await fetch(`${direct}/tokens`, {
      method: 'POST',
      headers: { authorization },
    });
    const { id, token } = (await made.json()) as { id: string; token: string };
    await sealFirstKey(vault, entry, { keyId: id, fields: { token: new Secret(token) } });
  }
  await vault.close();
  const pids = await Promise.all([worker(folder, onTestFinished), worker(folder, onTestFinished)]);
  const client = await KeyturnClient.connect({ connection: { address }, namespace, taskQueue });
  onTestFinished(() => client.close());
  onTestFinished(async () => {
    await Promise.allSettled(ids.map((id) => client.handle(id).terminate('end of test')));
  });

  expect(calls).toEqual([]);
  const startedAtMs = Date.now();
  const request = { requestId: 'burst', reason: 'routine', source: 'operator' } as const;
  await Promise.all(ids.map((id) => client.requestRotation(id, request)));
  await eventually('all have rotated', async () => {
    const states = await Promise.all(ids.map((id) => client.state(id)));
    return states.every(({ current, rotation }) => current?.version === 2 && rotation === null);
  });
  const tookMs = Date.now() - startedAtMs;

  const histories = await Promise.all(ids.map((id) => client.handle(id).fetchHistory()));
  const started = histories
    .flatMap(({ events }) => events ?? [])
    .flatMap((e) => e.activityTaskStartedEventAttributes ?? []);
  const byWorker = pids.map((pid) => started.filter(({ identity }) => identity?.startsWith(`${pid}@`)).length);
  expect(byWorker[0]).toBeGreaterThan(0);
  expect(byWorker[1]).toBeGreaterThan(0);
  expect((byWorker[0] ?? 0) + (byWorker[1] ?? 0)).toBe(started.length);

  const allowed = (CALLS_PER_SECOND * WINDOW_MS) / 1_000;
  expect(calls.length, 'all at once they would be too many').toBeGreaterThan(allowed);
  expect(mostWithin(calls, WINDOW_MS)).toBeLessThanOrEqual(allowed);
  // The server lets a second's worth begin at once.
  const burst = ACTIVITIES_PER_SECOND + 1;
  expect(tookMs).toBeGreaterThanOrEqual(((started.length - burst) / ACTIVITIES_PER_SECOND) * 1_000);
});
