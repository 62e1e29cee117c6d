/** Where the id of a key is itself a secret: rotations at Apigee, good and bad, and then a search for each value wherever something was left. */
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, expect, it, onTestFinished, vi } from 'vitest';
import { asked } from '../support/around.js';
import { apigeeInstallation, type ApigeeInstallation } from '../support/apigee-installation.js';
import { fileSurfaces, historySurfaces, leaks, textSurface, type Surface } from '../support/canaries.js';
import { keyturn } from '../support/cli.js';
import { openFlakyVault } from '../support/flaky-vault.js';
import { ownServer } from '../support/temporal.js';
import type { Fault } from '../../src/simulators/shared/faults.js';
import { createLogger, temporalLogger } from '../../src/telemetry/log.js';
import { installRuntime } from '../../src/telemetry/runtime.js';
import { temporalTarget } from '../../src/temporal.js';
import { startWorker } from '../../src/worker.js';

const scratch = mkdtempSync(join(tmpdir(), 'keyturn-apigee-secrets-'));
vi.stubEnv('TMPDIR', scratch);
afterAll(() => rm(scratch, { recursive: true, force: true }));

let said = '';
/** Without the scrubber that the product's log has: nothing may reach it in the first place. */
const log = createLogger({ level: 'trace', destination: { write: (line) => void (said += line) } });
const runtime = installRuntime(temporalLogger(log), true);

const APP = '/organizations/{org}/developers/{developer}/apps/{app}';
const create = { method: 'POST', route: `${APP}/keys` } as const;
const update = { method: 'POST', route: `${APP}/keys/{key}` } as const;
const remove = { method: 'DELETE', route: `${APP}/keys/{key}` } as const;
const app = { method: 'GET', route: APP } as const;

/** An answer that quotes a key in every place where Apigee might. */
function quoting(key: string, status: number): Omit<Extract<Fault, { action: 'status' }>, 'match'> {
  const violation = { type: `keymanagement.service.${key}`, subject: key };
  const details = [{ violations: [violation], metadata: { permission: key } }];
  const headers = { 'content-type': 'application/json', 'x-request-id': key, 'retry-after': key };
  const error = { code: status, message: `Invalid consumer key ${key}`, status: key, details };
  return { action: 'status', status, headers, body: JSON.stringify({ error }) };
}

const currentKey = async (i: ApigeeInstallation): Promise<string> => {
  const opened = await i.vault.custody.read(i.credentialId);
  const current = opened?.record.versions.find((v) => v.stage === 'current');
  return opened?.shelf.versions[String(current?.version)]?.keyId ?? '';
};

async function commandSurfaces(i: ApigeeInstallation): Promise<readonly Surface[]> {
  const id = i.credentialId;
  const lines = [
    ...[['status'], ['status', id], ['history', id], ['get', id], ['doctor'], ['lockout', id]],
    ...[
      ['reconcile', id, '--dry-run'],
      ['rotate', id, '--dry-run'],
      ['rollback', id, '--to-version', '1'],
    ],
  ];
  const surfaces: Surface[] = [];
  for (const line of lines) {
    const { out, err } = await keyturn(i, ...line);
    const { out: json } = await keyturn(i, ...line, '--json');
    surfaces.push(textSurface(`keyturn ${line.join(' ')}`, out + err + json));
  }
  return surfaces;
}

it('no consumer key and no secret is anywhere but in custody, whatever happened', async () => {
  const { metricsUrl } = await runtime;
  const temporal = await ownServer({ dbFilename: join(scratch, 'temporal.db'), log: (line) => (said += line) });
  const timing = { httpTimeout: '5s', settle: '300ms', observe: '200ms' };
  const i = await apigeeInstallation({ temporal, timing });
  const config = await i.config();
  let downAfterWrites = Number.POSITIVE_INFINITY;
  const vault = await openFlakyVault(config, () => i.simulator.oracle().writes.length > downAfterWrites);
  onTestFinished(() => vault.close());
  const running = await startWorker({ config, target: temporalTarget(config, { ignoreAmbient: true }), vault });
  onTestFinished(() => running.stop());
  const outcomes: unknown[] = [];
  const rotate = async (requestId: string, fault?: Fault): Promise<string> => {
    if (fault) i.simulator.faults.add(fault);
    const outcome = await asked(i, requestId);
    outcomes.push(outcome);
    return outcome.outcome;
  };

  expect(await rotate('plain')).toBe('rotated');
  expect(await rotate('lost', { match: create, action: 'drop-after-commit' })).toMatch(/^rotated/);
  expect(await rotate('half', { match: create, action: 'truncate' })).toMatch(/^rotated/);
  expect(await rotate('taken', { match: create, ...quoting(await currentKey(i), 409) })).toMatch(/^rotated/);
  expect(await rotate('400', { match: create, ...quoting(await currentKey(i), 400) })).toBe('failed');
  expect(await rotate('403', { match: update, ...quoting(await currentKey(i), 403) })).toBe('failed');
  expect(await rotate('500', { match: app, ...quoting(await currentKey(i), 500) })).toMatch(/^rotated/);
  const location = `/v1/elsewhere?apikey=${await currentKey(i)}`;
  expect(await rotate('307', { match: create, action: 'redirect', location })).toMatch(/^rotated/);
  // An old key that cannot be removed is a debt, under its fingerprint.
  expect(await rotate('debt', { match: { ...remove, times: 3 }, ...quoting(await currentKey(i), 500) })).toMatch(
    /^rotated/,
  );
  await i.until('a debt is shown', (s) => s.debts.length > 0);
  // The provider answers, and the store is away for a while.
  downAfterWrites = i.simulator.oracle().writes.filter((w) => w.kind !== 'delete-key').length;
  const withoutStore = rotate('store');
  await i.until('it waits for the store', (s) => s.rotation?.parked === true);
  downAfterWrites = Number.POSITIVE_INFINITY;
  expect(await withoutStore).toMatch(/^rotated/);
  const errors: unknown[] = [await i.client.rollback(i.credentialId, {}).catch((error: unknown) => error)];

  const metrics = metricsUrl === null ? '' : await (await fetch(metricsUrl)).text();
  const surfaces = [
    ...(await historySurfaces(i.client.temporal)),
    ...(await commandSurfaces(i)),
    textSurface('metrics', metrics),
    textSurface('outcomes', JSON.stringify(outcomes)),
    textSurface('state', JSON.stringify(await i.state())),
    textSurface('errors', inspect(errors, { depth: 20, showHidden: true }) + JSON.stringify(errors)),
    textSurface('log', said),
    ...(await fileSurfaces(scratch)),
  ];
  const { keys } = i.simulator.oracle({ values: true });
  const values = keys.flatMap(({ consumerKey = '', consumerSecret = '' }) => [consumerKey, consumerSecret]);
  expect(values.length).toBeGreaterThan(14);
  expect(said).toContain('equip');
  expect(leaks(surfaces, [...values, i.simulator.seeded.accessToken])).toEqual([]);
  // The search would find what is there: the app's name stands in places that people read.
  expect(leaks(surfaces, [`/apps/${i.simulator.seeded.app}`])).not.toEqual([]);
  const revealed = await keyturn(i, 'get', i.credentialId, '--reveal', '--field', 'consumerKey');
  expect(leaks([textSurface('get --reveal', revealed.out)], [await currentKey(i)])).not.toEqual([]);
}, 120_000);
