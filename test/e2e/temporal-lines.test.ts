import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, inject, test } from 'vitest';
import { withoutAmbientTemporal } from '../../src/dev/ambient-temporal.js';
import { installation } from '../support/installation.js';
import { commandLines, read } from '../support/markdown.js';
import { ownServer } from '../support/temporal.js';

const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const run = promisify(execFile);

test(
  'each line of docs/reference/temporal.md does what it says to a running credential',
  { timeout: 240_000 },
  async () => {
    const server = await ownServer();
    const i = await installation({
      temporal: server,
      policy: { grace: '1h', consumers: [{ name: 'billing', ackWithin: '1h' }], schedule: { cron: '0 4 * * *' } },
    });
    await i.worker();
    const env = { ...withoutAmbientTemporal(process.env), TEMPORAL_ADDRESS: server.address };
    const keyturn = (...args: string[]) => run(process.execPath, [main, '-c', i.configFile, ...args], { env });
    await keyturn('apply');
    const settled = () =>
      i.until('nothing is under way', (s) => s.rotation === null && s.pendingRequests === 0 && s.current !== null);

    const lines = commandLines(read('docs/reference/temporal.md'), 'temporal').filter(
      (line) => !line.includes('HOST:7233'),
    );
    expect(lines.length).toBeGreaterThan(40);
    for (const line of lines) {
      // The entity may have been cancelled or terminated by the line before.
      await i.client.ensureStarted(i.credentialId);
      await settled();
      const follows = /--follow|workflow trace/.test(line);
      const own = line
        .replaceAll('core-prod', i.credentialId)
        .replaceAll(' -t keyturn', ` -t ${i.taskQueue}`)
        .replace(/^temporal/, '"$TEMPORAL"');
      const said = await run('bash', ['-c', own], {
        cwd: i.directory,
        env: { ...env, TEMPORAL: inject('temporal').binary },
        timeout: follows ? 2_000 : 30_000,
      }).catch((error: unknown) => {
        const { killed, stderr, stdout = '' } = error as { killed?: boolean; stderr?: string; stdout?: string };
        // The entity never ends, so neither does what follows it.
        if (follows && killed === true) return { stdout };
        throw new Error(`${line}\n${stderr ?? String(error)}\n${stdout ?? ''}`);
      });
      // It ends what it has in hand first.
      if (line.startsWith('temporal workflow cancel')) await i.client.handle(i.credentialId).result();
      if (line.startsWith('temporal workflow query')) {
        expect(JSON.parse(said.stdout)).toMatchObject({ queryResult: [{ credentialId: i.credentialId }] });
      }
    }
    await i.client.ensureStarted(i.credentialId);
    const { current } = await settled();
    // rotate by signal, update, signal-with-start, workflow, batch and Schedule, and one rollback.
    expect(current?.version).toBeGreaterThanOrEqual(6);
    expect(i.simulator.oracle().strikes.total).toBe(0);
  },
);
