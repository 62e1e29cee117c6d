import { chmod, mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { withoutAmbientTemporal } from './ambient-temporal.js';
import { runCommand } from './run-command.js';
import { temporalCliVersion } from './temporal-version.js';

/**
 * The SDK downloads its binary only on the way to starting a server, so this runs in a process of its own: it can be
 * ended when nothing arrives, and the SDK ends its server whenever that process exits.
 */
const downloader = `
  const [testing, downloadDir, version] = process.argv.slice(1);
  process.stdin.on('end', () => process.exit(1)).resume();
  process.on('SIGTERM', () => process.exit(1));
  const { TestWorkflowEnvironment } = require(testing);
  TestWorkflowEnvironment.createLocal({ server: { executable: { type: 'cached-download', downloadDir, version, ttl: '3650 days' } } })
    .then((env) => env.teardown())
    .then(() => process.exit(0), (error) => { console.error(error.message); process.exit(1); });
`;

/**
 * Lets Temporal's SDK download the CLI (from temporal.download) to `target`. Given up when nothing arrives for 30 s.
 * @throws Error with the SDK's reason
 */
export async function downloadTemporal(target: string, env: NodeJS.ProcessEnv): Promise<void> {
  const folder = `${target}.download`;
  await mkdir(folder, { recursive: true });
  try {
    const testing = createRequire(import.meta.url).resolve('@temporalio/testing');
    await runCommand(process.execPath, ['-e', downloader, testing, folder, `v${temporalCliVersion}`], {
      env: withoutAmbientTemporal({ ...env, NODE_OPTIONS: undefined }),
      timeoutMs: 20 * 60_000,
      quietMs: 30_000,
      progress: () => sizeOf(folder),
    });
    const file = (await readdir(folder)).find((name) => !name.endsWith('.downloading'));
    if (file === undefined) throw new Error('the SDK reported success but left no file');
    await chmod(join(folder, file), 0o755);
    await rename(join(folder, file), target);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function sizeOf(folder: string): Promise<number> {
  const names = await readdir(folder);
  // A file may be renamed between the two looks; then its size counts at the next one.
  const sizes = await Promise.all(
    names.map((name) =>
      stat(join(folder, name)).then(
        ({ size }) => size,
        () => 0,
      ),
    ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
