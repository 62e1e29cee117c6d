/**
 * All paths of keyturn with values that are known to the test, and then a search for each of them, in every form, wherever keyturn or
 * Temporal has left anything: histories, database, logs, metrics, HTTP, command line, errors, store and temporary files.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { inspect } from 'node:util';
import { afterAll, expect, it, onTestFinished, vi } from 'vitest';
import { asked, eventually, hookSecret, serve, serving, type Served } from '../support/around.js';
import { fileSurfaces, historySurfaces, leaks, reversed, textSurface, type Surface } from '../support/canaries.js';
import { keyturn } from '../support/cli.js';
import { openFlakyVault } from '../support/flaky-vault.js';
import { installation, type Installation } from '../support/installation.js';
import { ownServer } from '../support/temporal.js';
import { runCli } from '../../src/cli/program.js';
import type { Fault } from '../../src/simulators/shared/faults.js';
import { createLogger, temporalLogger } from '../../src/telemetry/log.js';
import { installRuntime } from '../../src/telemetry/runtime.js';
import { temporalTarget } from '../../src/temporal.js';
import { startWorker } from '../../src/worker.js';

/** Everything that this file and what it starts writes to disk. */
const scratch = mkdtempSync(join(tmpdir(), 'keyturn-secrets-'));
vi.stubEnv('TMPDIR', scratch);
afterAll(() => rm(scratch, { recursive: true, force: true }));

let said = '';
/** Without the scrubber that the product's log has: nothing may reach it in the first place. */
const log = createLogger({ level: 'trace', destination: { write: (line) => void (said += line) } });
const runtime = installRuntime(temporalLogger(log), true);
for (const stream of [process.stdout, process.stderr]) {
  const write = stream.write.bind(stream);
  vi.spyOn(stream, 'write').mockImplementation(((chunk: string | Uint8Array, ...rest: []) => {
    said += Buffer.from(chunk as Uint8Array).toString();
    return write(chunk, ...rest);
  }) as typeof stream.write);
}

const create = { method: 'POST', route: '/consumers/{id}/apikeys' } as const;
const turn = { method: 'POST', route: '/apikey/rotation' } as const;
const list = { method: 'GET', route: '/consumers/{id}/keys' } as const;

/** An installation whose worker can lose its store, and what was said about it. */
async function stage(strategy: 'create-and-delete' | 'rotation', temporal: { address: string; namespace: string }) {
  const i = await installation({ strategy, temporal, top: serving, policy: { grace: '1h' } });
  const config = await i.config();
  let downAfterWrites = Number.POSITIVE_INFINITY;
  const isOut = (): boolean => i.simulator.oracle().writes.length > downAfterWrites;
  const vault = await openFlakyVault(config, isOut);
  onTestFinished(() => vault.close());
  const running = await startWorker({ config, target: temporalTarget(config, { ignoreAmbient: true }), vault });
  onTestFinished(() => running.stop());
  const outcomes: unknown[] = [];
  const rotate = async (requestId: string, more: Parameters<typeof asked>[2] = {}): Promise<string> => {
    const outcome = await asked(i, requestId, more);
    outcomes.push(outcome);
    return outcome.outcome;
  };
  const rotateWithFault = (requestId: string, fault: Fault): Promise<string> => {
    i.simulator.faults.add(fault);
    return rotate(requestId);
  };
  /** The provider answers, and the store is away for a while. */
  const rotateWithoutStore = async (requestId: string): Promise<string> => {
    downAfterWrites = i.simulator.oracle().writes.length;
    const outcome = rotate(requestId);
    await i.until('it waits for the store', (s) => s.rotation?.parked === true);
    downAfterWrites = Number.POSITIVE_INFINITY;
    return outcome;
  };
  return { i, outcomes, rotate, rotateWithFault, rotateWithoutStore };
}

/** An answer that quotes the key that was sent, in its body as the provider's errors have it, and in headers. */
function quoting(key: string, status: number): Omit<Extract<Fault, { action: 'status' }>, 'match'> {
  const error = { errorCode: 4, errorSource: key, errorReason: `INVALID_PARAMETERS ${key}` };
  const headers = { 'content-type': 'application/json', 'x-request-id': key, 'retry-after': key };
  return { action: 'status', status, headers, body: JSON.stringify({ errors: [error], message: key }) };
}

async function currentValue(i: Installation): Promise<string> {
  const opened = await i.vault.custody.read(i.credentialId);
  const current = opened?.record.versions.find((v) => v.stage === 'current');
  return opened?.shelf.versions[String(current?.version)]?.fields['apiKey']?.reveal() ?? '';
}

function valuesOf(...all: readonly Installation[]): readonly string[] {
  return all.flatMap(({ simulator }) => {
    const { keys, secretKeys } = simulator.oracle({ values: true });
    return [...keys, ...secretKeys].map((one) => one.value ?? '');
  });
}

async function httpSurfaces(i: Installation, { url }: Served): Promise<readonly Surface[]> {
  const paths = ['/', '/metrics', '/api/credentials', `/api/credentials/${i.credentialId}`, '/readyz', '/nothing'];
  return Promise.all(paths.map(async (path) => textSurface(`GET ${path}`, await (await fetch(url + path)).text())));
}

async function commandSurfaces(i: Installation): Promise<readonly Surface[]> {
  const id = i.credentialId;
  const lines = [['status'], ['status', id], ['history', id], ['get', id], ['lockout', id], ['doctor']];
  const more = [
    ['reconcile', id, '--dry-run'],
    ['rotate', id, '--dry-run'],
    ['rollback', id, '--to-version', '1'],
    ['get', id, '--field', 'nothing'],
  ];
  const surfaces: Surface[] = [];
  for (const line of [...lines, ...more]) {
    const { out, err } = await keyturn(i, ...line);
    const { out: json } = await keyturn(i, ...line, '--json');
    surfaces.push(textSurface(`keyturn ${line.join(' ')}`, out + err + json));
  }
  return surfaces;
}

it('no value of a key is anywhere but in custody, whatever happened', async () => {
  const { metricsUrl } = await runtime;
  const server = await ownServer({ dbFilename: join(scratch, 'temporal.db'), log: (line) => (said += line) });
  const byCreate = await stage('create-and-delete', server);
  const inPlace = await stage('rotation', server);
  const { i } = byCreate;
  const webhooks = await serve(i);

  // import from stdin
  const { keyId, apiKey } = i.simulator.createKey('rotator');
  const imported = { apiKey, keyId, secretKey: i.simulator.seeded[0]?.secretKey };
  let importSaid = '';
  const write = (text: string): unknown => (importSaid += text);
  await runCli(['-c', i.configFile, 'import', i.credentialId, '--replace'], {
    stdin: Readable.from([JSON.stringify(imported)]),
    stdout: { write },
    stderr: { write },
    env: {},
    onSignal: () => () => undefined,
  });
  expect(importSaid).toContain(i.credentialId);

  // rotations, good and bad
  expect(await byCreate.rotate('plain')).toBe('rotated');
  expect(await inPlace.rotate('plain')).toBe('rotated');
  expect(await byCreate.rotateWithFault('lost', { match: create, action: 'drop-after-commit' })).toMatch(/^rotated/);
  expect(await inPlace.rotateWithFault('lost', { match: turn, action: 'drop-after-commit' })).toMatch(/^rotated/);
  expect(await byCreate.rotateWithFault('half', { match: create, action: 'truncate' })).toMatch(/^rotated/);
  expect(await inPlace.rotateWithFault('half', { match: turn, action: 'truncate' })).toMatch(/^rotated/);
  expect(await byCreate.rotateWithoutStore('store')).toMatch(/^rotated/);
  expect(await inPlace.rotateWithoutStore('store')).toMatch(/^rotated/);
  i.simulator.rules.freshKeyRefusedMs = 600_000;
  expect(await byCreate.rotate('refused')).toBe('rolled-back');
  i.simulator.rules.freshKeyRefusedMs = 0;

  // a provider that quotes the key
  const key = await currentValue(i);
  expect(await byCreate.rotateWithFault('400', { match: create, ...quoting(key, 400) })).toBe('failed');
  expect(await byCreate.rotateWithFault('500', { match: list, ...quoting(key, 500) })).toMatch(/^rotated/);
  const location = `/api/elsewhere?apikey=${await currentValue(i)}`;
  expect(await byCreate.rotateWithFault('307', { match: create, action: 'redirect', location })).toMatch(/^rotated/);
  const garbage = `{"apiKey":"${await currentValue(i)}",`;
  expect(await byCreate.rotateWithFault('<<<', { match: list, action: 'garbage', body: garbage })).toMatch(/^rotated/);

  // back and forth, and a leak
  const errors: unknown[] = [await i.client.rollback(i.credentialId, {})];
  await i.until('it was rolled back', (s) => s.lastRotation?.reason === 'rollback');
  errors.push(await inPlace.i.client.rollback(inPlace.i.credentialId, {}).catch((error: unknown) => error));
  expect(await byCreate.rotate('leak', { reason: 'compromise' })).toMatch(/^rotated/);
  expect(await inPlace.rotate('leak', { reason: 'compromise' })).toMatch(/^rotated/);

  // other workflows and webhooks
  const execute = (name: string, input: object): Promise<unknown> =>
    i.client.temporal.workflow.execute(name, {
      taskQueue: i.taskQueue,
      workflowId: `${name}/${i.credentialId}`,
      args: [{ credentialId: i.credentialId, ...input }],
    });
  expect(await execute('makeApiRequest', { path: '/branches?limit=1' })).toMatchObject({ status: 200 });
  expect(await execute('retrieveConfiguration', {})).toMatchObject({ provider: 'mambu' });
  await webhooks.deliver();
  const guesses = await webhooks.deliver({ headers: { 'x-keyturn-secret': `${hookSecret}x` }, attempts: 1 });
  errors.push(guesses);

  // the provider refuses the current key, and quotes it
  await i.until('the webhook has been served', (s) => s.rotation === null && s.lastRotation?.source === 'webhook');
  const last = await currentValue(i);
  expect(await byCreate.rotateWithFault('401', { match: list, ...quoting(last, 401) })).toBe('needs-operator');

  const control = await plant(i);
  const metrics = await fetch(metricsUrl ?? '');
  const surfaces = [
    ...(await historySurfaces(i.client.temporal)),
    ...(await httpSurfaces(i, webhooks)),
    ...(await commandSurfaces(i)),
    textSurface('keyturn import', importSaid),
    textSurface('metrics of the worker', await metrics.text()),
    textSurface('outcomes', JSON.stringify([byCreate.outcomes, inPlace.outcomes])),
    textSurface('states', JSON.stringify([await i.state(), await inPlace.i.state()])),
    textSurface('errors', inspect(errors, { depth: 20, showHidden: true }) + JSON.stringify(errors)),
    textSurface('log of serve', webhooks.lines.join('')),
    textSurface('log, stdout and stderr', said),
    ...(await fileSurfaces(scratch)),
  ];
  expect(surfaces.find((s) => s.name === 'metrics of the worker')?.bytes.toString()).toContain('keyturn_rotations');
  expect(surfaces.find((s) => s.name === 'log, stdout and stderr')?.bytes.length).toBeGreaterThan(1_000);
  const values = valuesOf(i, inPlace.i);
  expect(values.length).toBeGreaterThan(25);
  expect(leaks(surfaces, values)).toEqual([]);
  const elsewhere = surfaces.filter(({ name }) => !name.endsWith('/hook-secret'));
  expect(leaks(elsewhere, [hookSecret])).toEqual([]);
  for (const each of [i, inPlace.i]) await expectSealingKeyAtHome(each, surfaces);

  // and the search can find
  const found = leaks(surfaces, [control]).map(({ surface }) => surface);
  expect(found).toContain(`history of control`);
  expect(found).toContain('log, stdout and stderr');
  expect(found.some((name) => name.includes('temporal.db'))).toBe(true);
  expect(found.some((name) => name.endsWith('/store/control'))).toBe(true);
  const revealed = await keyturn(i, 'get', i.credentialId, '--reveal', '--field', 'apiKey');
  expect(leaks([textSurface('get --reveal', revealed.out)], [await currentValue(i)])).not.toEqual([]);
}, 90_000);

/** A value that keyturn has nothing to do with, where a leak would be. */
async function plant(i: Installation): Promise<string> {
  const canary = randomBytes(24).toString('base64url');
  log.info({ note: `the canary ${canary}` }, 'control');
  await writeFile(join(i.directory, 'store', 'control'), Buffer.from(`xy${canary}z`).toString('base64'));
  const options = { taskQueue: 'nobody', workflowId: 'control', args: [{ nested: { canary } }] };
  await i.client.temporal.workflow.start('control', options);
  await eventually('it is in the list', async () => {
    for await (const { workflowId } of i.client.temporal.workflow.list()) if (workflowId === 'control') return true;
    return false;
  });
  return canary;
}

async function expectSealingKeyAtHome(i: Installation, surfaces: readonly Surface[]): Promise<void> {
  const home = join(i.directory, 'key');
  const parts = (await readFile(home, 'utf8')).split(/[\s":,{}]+/).filter((part) => part.length >= 40);
  expect(parts.length).toBeGreaterThan(0);
  const elsewhere = surfaces.filter(({ name }) => scratch + name !== home);
  expect(leaks(elsewhere, parts)).toEqual([]);
}

it.each([
  ['plain', (v: string) => v],
  ['in a query string', (v: string) => `?a=1&k=${encodeURIComponent(v)}&b`],
  ['in hexadecimal', (v: string) => Buffer.from(`a${v}b`).toString('hex')],
  ['in base64, begun at any byte', (v: string) => Buffer.from(`ab${v}cd`).toString('base64')],
  ['in base64, one further', (v: string) => Buffer.from(`abc${v}d`).toString('base64')],
  ['in base64, two further', (v: string) => Buffer.from(`abcd${v}`).toString('base64')],
  ['in base64 for URLs, reversed', (v: string) => reversed(Buffer.from(`a${v}bc`).toString('base64url'))],
  ['in UTF-16', (v: string) => Buffer.from(v, 'utf16le').toString('latin1')],
])('the search finds a value %s', (_how, hidden) => {
  const value = randomBytes(24).toString('base64url');
  const surface = { name: 'here', bytes: Buffer.from(`before ${hidden(value)} behind`, 'latin1') };
  expect(leaks([surface], [value])).not.toEqual([]);
  expect(leaks([surface], [randomBytes(24).toString('base64url')])).toEqual([]);
});
