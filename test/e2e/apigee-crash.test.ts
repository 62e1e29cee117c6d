/** A worker dies in each step of a rotation at Apigee; the next one ends it as promised. */
import { expect, it } from 'vitest';
import { eventually } from '../support/around.js';
import { apigeeInstallation, type ApigeeInstallation } from '../support/apigee-installation.js';
import { expectApigeeInvariants } from '../support/apigee-invariants.js';
import { sample } from '../support/sample.js';
import { workerProcess, type Point } from '../support/worker-process.js';

const APP = '/organizations/{org}/developers/{developer}/apps/{app}';
const timing = { httpTimeout: '1s', sendWithin: '1s', settle: '500ms', observe: '300ms' } as const;

async function expectMended(i: ApigeeInstallation): Promise<void> {
  await i.worker();
  const atRest = await i.until(
    'the rotation has come to rest',
    (s) => s.current?.version === 2 && s.rotation === null && s.previous.length === 0 && s.debts.length === 0,
  );
  expect(atRest.lastRotation).toMatchObject({ requestId: 'r-1', outcome: 'rotated', version: 2 });
  expect(atRest.attention).toEqual([]);
  expect(i.simulator.oracle().writes.filter((w) => w.kind === 'create-key')).toHaveLength(1);
  await expectApigeeInvariants(i);
}

/** The worst moments first. */
const ownDeaths: readonly { step: string; at: Point }[] = [
  { step: 'rotate, with an answer that is not sealed', at: 'before-key' },
  { step: 'rotate, with the value sealed and nothing sent', at: 'after-intent' },
  { step: 'publish, before its write', at: 'before-publish' },
  { step: 'publish, after its write', at: 'after-publish' },
  { step: 'retire, with the deletion answered and not recorded', at: 'before-death' },
  { step: 'plan', at: 'plan' },
  { step: 'persist', at: 'persist' },
  { step: 'verify, with the key seen to work and not recorded', at: 'before-verdict' },
  { step: 'retire, before the revocation', at: 'after-revoking' },
  { step: 'retire, with the revocation answered and not recorded', at: 'before-held' },
];

it.concurrent.for(sample(ownDeaths, 4))(
  'killed in $step: the next worker ends it',
  async ({ at }, { onTestFinished }) => {
    const i = await apigeeInstallation({ onTestFinished, timing });
    const worker = await workerProcess(i, { at, onTestFinished });
    await i.request('r-1');
    expect(await worker.ended).toBe('SIGKILL');
    await expectMended(i);
  },
);

const onTheWire = [
  { what: 'the creation', route: `${APP}/keys` },
  { what: 'the grant of products', route: `${APP}/keys/{key}` },
].flatMap(({ what, route }) => (['before', 'after'] as const).map((when) => ({ what, route, when })));

it.concurrent.for(sample(onTheWire, 1))(
  'killed with $what on the wire, processed $when its delay: the next worker ends it',
  async ({ route, when }, { onTestFinished }) => {
    const i = await apigeeInstallation({ onTestFinished, timing });
    i.simulator.faults.add({ match: { method: 'POST', route }, action: 'delay', ms: 800, when });
    const worker = await workerProcess(i, { onTestFinished });
    await i.request('r-1');
    await eventually(
      'the request has arrived',
      () => i.simulator.oracle().requests.filter((r) => r.method === 'POST' && r.route === route).length === 1,
    );
    worker.kill('SIGKILL');
    await expectMended(i);
  },
);
