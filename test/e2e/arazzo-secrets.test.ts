/** Runs of a document that marks none of its secrets, good and bad, and then a search for each value wherever something was left behind. */
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it, vi } from 'vitest';
import { arazzoSetUp, createRoute, ownDocument, type ArazzoSetUp } from '../support/arazzo.js';
import { fileSurfaces, historySurfaces, leaks, textSurface, type Surface } from '../support/canaries.js';
import { keyturn } from '../support/cli.js';
import { ownServer } from '../support/temporal.js';
import type { Fault } from '../../src/simulators/shared/faults.js';
import { createLogger, temporalLogger } from '../../src/telemetry/log.js';
import { installRuntime } from '../../src/telemetry/runtime.js';

const scratch = mkdtempSync(join(tmpdir(), 'keyturn-arazzo-secrets-'));
vi.stubEnv('TMPDIR', scratch);
afterAll(() => rm(scratch, { recursive: true, force: true }));

let said = '';
/** Without the scrubber that the product's log has: nothing may reach it in the first place. */
const log = createLogger({ level: 'trace', destination: { write: (line) => void (said += line) } });
const runtime = installRuntime(temporalLogger(log), true);

/** An API that gives back what it was sent, where one would not expect it. */
function quoting({ values }: ArazzoSetUp, status: number): Omit<Extract<Fault, { action: 'status' }>, 'match'> {
  const headers = { 'content-type': 'application/json', 'x-echo': values.key, 'retry-after': values.secret };
  return { action: 'status', status, headers, body: JSON.stringify({ status: `${values.key} of ${values.old}` }) };
}

it('no secret input, and nothing that holds one, is in a history, the database, a log or an answer', async () => {
  const { metricsUrl } = await runtime;
  const temporal = await ownServer({ dbFilename: join(scratch, 'temporal.db'), log: (line) => (said += line) });
  const s = await arazzoSetUp({ temporal });
  await s.i.worker();
  const args = ['--workflow', 'rotate', '--wait'] as const;
  const surfaces: Surface[] = [];
  const perform = async (fault?: Fault): Promise<number> => {
    if (fault) s.apigee.faults.add(fault);
    const ran = await s.run(ownDocument, s.ownInputs(), ...args);
    surfaces.push(
      textSurface('arazzo run', ran.out + ran.err),
      textSurface('state', JSON.stringify(await s.state(s.idOf(ran)))),
    );
    if (ran.exit === 3) {
      const flags = ['--step', 'make', '--decision', 'abort'];
      const resolved = await keyturn(s.i, 'arazzo', 'resolve', s.idOf(ran), ...flags);
      surfaces.push(textSurface('arazzo resolve', resolved.out + resolved.err));
      await s.result(s.idOf(ran));
    }
    return ran.exit;
  };
  expect(await perform({ match: createRoute, ...quoting(s, 400) })).toBe(1);
  expect(await perform({ match: createRoute, ...quoting(s, 503) })).toBe(1);
  expect(await perform({ match: createRoute, action: 'garbage', body: `{"x":"${s.values.key}"` })).toBe(0);
  s.apigee.deleteKey(s.values.key);
  s.apigee.addKey('orders-app', ['orders'], { consumerKey: s.values.old, consumerSecret: s.values.secret });
  expect(await perform({ match: createRoute, action: 'truncate' })).toBe(3);
  s.apigee.deleteKey(s.values.key);
  // What the grant answers says nothing of a key by its name, and holds two.
  expect(await perform({ match: { method: 'POST', route: `${createRoute.route}/{key}` }, ...quoting(s, 200) })).toBe(0);
  const named = await s.run(ownDocument, s.ownInputs(), ...args, '--secret', 'developer');
  expect(named.exit).toBe(1);

  const histories = await historySurfaces(s.i.client.temporal);
  expect(histories.length).toBeGreaterThanOrEqual(6);
  const metrics = metricsUrl === null ? '' : await (await fetch(metricsUrl)).text();
  const files = (await fileSurfaces(scratch)).filter(({ name }) => !/\/(inputs-\d+\.json|token)$/.test(name));
  const all = [...surfaces, ...histories, ...files, textSurface('log', said), textSurface('metrics', metrics)];
  expect(said).toContain('arazzoStep');
  expect(leaks(all, [...Object.values(s.values), s.apigee.seeded.accessToken])).toEqual([]);
  const ofNamed = histories.filter(({ name }) => name.endsWith(s.idOf(named)));
  expect(ofNamed).toHaveLength(1);
  expect(leaks(ofNamed, [s.apigee.seeded.developer])).toEqual([]);
  // The search would find what is there: a name that is no secret stands in the histories.
  expect(leaks(histories, [s.apigee.seeded.developer])).not.toEqual([]);
}, 90_000);
