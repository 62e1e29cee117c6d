import { execFile, spawn } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { Client, Connection } from '@temporalio/client';
import { defineSearchAttributeKey } from '@temporalio/common';
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { devServerFlags, startTemporalServer } from '../../src/dev/temporal-server.js';
import { ownServer, sharedServer } from '../support/temporal.js';

afterEach(() => vi.unstubAllEnvs());

async function clientOf(server: { address: string; namespace: string }): Promise<Client> {
  const connection = await Connection.connect({ address: server.address });
  onTestFinished(() => connection.close());
  return new Client({ connection, namespace: server.namespace });
}

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'keyturn-server-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('the Temporal dev server', () => {
  test('can be worked with as soon as it is returned: namespace, search attributes, two at once', async () => {
    const [one, two] = await Promise.all([ownServer({ namespace: 'one' }), ownServer({ namespace: 'two' })]);
    expect(one.address).not.toBe(two.address);
    for (const server of [one, two]) {
      const client = await clientOf(server);
      const credential = defineSearchAttributeKey('KeyturnCredential', 'KEYWORD');
      const handle = await client.workflow.start('anything', {
        taskQueue: 'nobody',
        workflowId: 'w',
        typedSearchAttributes: [{ key: credential, value: 'core-prod' }],
      });
      expect((await handle.describe()).typedSearchAttributes.get(credential)).toBe('core-prod');
    }
  });

  test('runs on loopback with the flags that keep it from being throttled', async () => {
    const server = await ownServer();
    const { stdout } = await promisify(execFile)('ps', ['-ww', '-o', 'args=', '-p', String(server.pid)]);
    for (const [name, value] of Object.entries(devServerFlags)) {
      expect(stdout).toContain(`--dynamic-config-value ${name}=${value}`);
    }
    expect(stdout).toContain('--ip 127.0.0.1');
    expect(stdout).toContain('--headless');
  });

  test('shows its UI only when asked to', async () => {
    const server = await ownServer({ ui: true });
    const page = await fetch(`${server.uiUrl ?? 'no UI'}/`);
    expect(page.status).toBe(200);
    expect(sharedServer()).not.toHaveProperty('uiUrl');
  });

  test('ignores TEMPORAL_* of the shell it runs in', async () => {
    vi.stubEnv('TEMPORAL_ADDRESS', 'production.example:7233');
    vi.stubEnv('TEMPORAL_NAMESPACE', 'production');
    vi.stubEnv('TEMPORAL_CONFIG_FILE', '/does/not/exist.toml');
    const server = await ownServer();
    expect(server.address).toMatch(/^127\.0\.0\.1:\d+$/);
    expect(server.namespace).toBe('default');
    const client = await clientOf(server);
    await expect(client.workflowService.describeNamespace({ namespace: 'production' })).rejects.toThrow(/not found/i);
  });

  test('goes on with its data after a SIGKILL, on the same port and file', async () => {
    const dbFilename = join(await temporaryFolder(), 'temporal.db');
    const first = await ownServer({ dbFilename });
    const client = await clientOf(first);
    await client.workflow.start('anything', { taskQueue: 'nobody', workflowId: 'kept' });
    first.kill('SIGKILL');
    expect(await first.ended).toBe('SIGKILL');

    const second = await ownServer({ dbFilename, port: Number(first.address.split(':')[1]) });
    expect(second.address).toBe(first.address);
    const description = await (await clientOf(second)).workflow.getHandle('kept').describe();
    expect(description.status.name).toBe('RUNNING');
  });

  test('is gone when stop returns', async () => {
    const server = await ownServer();
    await server.stop();
    expect(isAlive(server.pid)).toBe(false);
  });
});

describe('a server that does not come up', () => {
  test('leads to an error with its last output', async () => {
    const binary = join(await temporaryFolder(), 'temporal');
    await writeFile(binary, '#!/bin/sh\necho "cannot open the database" >&2\nexit 3\n');
    await chmod(binary, 0o755);
    await expect(startTemporalServer({ binary })).rejects.toThrow(/exit code 3.*\ncannot open the database/);
  });

  test('leads to an error when the port that was asked for is taken', async () => {
    const squatter = createServer().listen(0, '127.0.0.1');
    onTestFinished(() => void squatter.close());
    await new Promise((resolve) => squatter.once('listening', resolve));
    const address = squatter.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    await expect(ownServer({ port: address.port })).rejects.toThrow(`port ${address.port}`);
  });

  test('leads to an error when the binary does not exist', async () => {
    await expect(startTemporalServer({ binary: '/does/not/exist' })).rejects.toThrow(
      '/does/not/exist could not be started',
    );
  });
});

describe('no server is left behind', () => {
  const module = new URL('../../dist/dev/temporal-server.js', import.meta.url).href;

  /** Starts a program that starts a server and then ends as told. */
  async function serverOfADyingParent(ending: string): Promise<{ parentPid: number; serverPid: number }> {
    const source = `
      const { startTemporalServer } = await import(${JSON.stringify(module)});
      const server = await startTemporalServer({ binary: ${JSON.stringify(sharedServer().binary)} });
      console.log(JSON.stringify({ serverPid: server.pid }));
      ${ending}`;
    const parent = spawn(process.execPath, ['--input-type=module', '-e', source], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    onTestFinished(() => void parent.kill('SIGKILL'));
    const line = await new Promise<string>((resolve, reject) => {
      createInterface({ input: parent.stdout }).once('line', resolve);
      parent.once('exit', (code) =>
        reject(new Error(`the parent ended with ${String(code)} before its server was up`)),
      );
    });
    const { serverPid } = JSON.parse(line) as { serverPid: number };
    return { parentPid: Number(parent.pid), serverPid };
  }

  test('when the parent is killed with SIGKILL', async () => {
    const { parentPid, serverPid } = await serverOfADyingParent('setInterval(() => {}, 1000);');
    expect(isAlive(serverPid)).toBe(true);
    process.kill(parentPid, 'SIGKILL');
    await vi.waitFor(() => expect(isAlive(serverPid)).toBe(false), { timeout: 10_000 });
  });

  test.each([
    ['exits', 'process.exit(0);'],
    ['throws', 'setTimeout(() => { throw new Error("crash"); }, 10);'],
    ['has nothing left to do', ''],
  ])('when the parent %s', async (_, ending) => {
    const { serverPid } = await serverOfADyingParent(ending);
    await vi.waitFor(() => expect(isAlive(serverPid)).toBe(false), { timeout: 10_000 });
  });
});
