import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, inject, onTestFinished, test } from 'vitest';
import { withoutAmbientTemporal } from '../../src/dev/ambient-temporal.js';
import { freePort } from '../../src/dev/free-port.js';
import { ownServer } from '../support/temporal.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const main = join(root, 'dist', 'cli', 'main.js');

interface SimulatedTenant {
  readonly baseUrl: string;
  readonly controlUrl: string;
  readonly consumers: readonly { readonly consumerId: string; readonly apiKey: string; readonly keyId: string }[];
}

/** The shell blocks of a page that follow `<!-- test:NAME -->`, as they stand there. */
async function blocks(page: string, name: string): Promise<readonly string[]> {
  const text = await readFile(join(root, page), 'utf8');
  return [...text.matchAll(new RegExp(`<!-- test:${name} -->\\s+\`\`\`sh\\n([\\s\\S]*?)\`\`\``, 'g'))].map(
    ([, code = '']) => code,
  );
}

async function simulatedTenant(): Promise<SimulatedTenant> {
  const child = spawn(process.execPath, [main, 'simulate', 'mambu'], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(async () => {
    child.kill('SIGTERM');
    if (child.exitCode === null) await once(child, 'exit');
  });
  for await (const line of createInterface({ input: child.stdout })) return JSON.parse(line) as SimulatedTenant;
  throw new Error('the simulator has printed nothing');
}

test(
  'the five minutes of the README work as they stand there, against a simulated tenant',
  { timeout: 180_000 },
  async () => {
    const code = await blocks('README.md', 'five-minutes');
    expect(code.length).toBeGreaterThan(4);
    const tenant = await simulatedTenant();
    const [consumer] = tenant.consumers;
    if (consumer === undefined) throw new Error('the simulator has no consumer');
    const temporal = await ownServer();
    const folder = await mkdtemp(join(tmpdir(), 'keyturn-readme-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    await symlink(main, join(folder, 'keyturn'));
    const script = join(folder, 'five-minutes.sh');
    // The processes that it starts in the background end with it, also when a line fails.
    await writeFile(
      script,
      ['set -euo pipefail', "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT", ...code].join('\n'),
    );

    const env = {
      ...withoutAmbientTemporal(process.env),
      HOME: folder,
      PATH: [folder, dirname(inject('temporal').binary), dirname(process.execPath), process.env['PATH']].join(':'),
      TEMPORAL_ADDRESS: temporal.address,
      KEYTURN_PORT: String(await freePort()),
      MAMBU_BASE_URL: tenant.baseUrl,
      MAMBU_CONSUMER_ID: consumer.consumerId,
      MAMBU_API_KEY: consumer.apiKey,
    };
    const run = promisify(execFile)('bash', [script], { cwd: folder, env, timeout: 150_000 });
    const { stdout, stderr } = await run.catch((error: unknown) => {
      const said = error instanceof Error && 'stderr' in error && 'stdout' in error ? error : undefined;
      throw new Error(`the README's commands failed:\n${String(said?.stdout)}\n${String(said?.stderr ?? error)}`);
    });

    // The last command printed the query's answer, as an indented JSON document.
    const { queryResult } = JSON.parse(stdout.slice(stdout.lastIndexOf('\n{\n'))) as { queryResult: unknown[] };
    expect(queryResult).toMatchObject([
      {
        credentialId: 'core-prod',
        current: { version: 2, verified: true },
        previous: [{ version: 1, retirement: 'in-grace' }],
        attention: null,
      },
    ]);
    const oracle = (await (await fetch(`${tenant.controlUrl}/oracle`)).json()) as {
      keys: { id: string; deletedAt: unknown }[];
      strikes: { total: number };
    };
    expect(oracle.keys).toHaveLength(2);
    expect(oracle.strikes.total).toBe(0);
    expect(stdout + stderr).not.toContain(consumer.apiKey);
  },
);
