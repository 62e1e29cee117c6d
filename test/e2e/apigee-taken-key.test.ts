/** The value that keyturn has drawn for a new key becomes the key of another app just before the create arrives: Apigee itself answers 409. */
import { expect, it, type TestContext } from 'vitest';
import { parseJson } from '../../src/providers/answers.js';
import type { ApigeeSimulator } from '../../src/simulators/apigee/index.js';
import { apigeeInstallation, type ApigeeInstallation } from '../support/apigee-installation.js';
import { expectApigeeInvariants } from '../support/apigee-invariants.js';
import { startForwarder } from '../support/forwarder.js';
import { sha256 } from '../support/installation.js';

const STRANGER = 'somebody-elses';
const timing = { sendWithin: '1s', httpTimeout: '1500ms', settle: '500ms', observe: '300ms' } as const;

interface Race {
  readonly i: ApigeeInstallation;
  /** The value that the other app got, hashed; null until then. */
  taken(): string | null;
}

/** @param nth before which create, counted from 1, the other app is quicker */
async function race(onTestFinished: TestContext['onTestFinished'], dialect: 'x' | 'edge', nth: number): Promise<Race> {
  let simulator: ApigeeSimulator | null = null;
  let creates = 0;
  let taken: string | null = null;
  const before = await startForwarder(onTestFinished, ({ method, body }) => {
    const { consumerKey } = (parseJson(body) ?? {}) as { readonly consumerKey?: string };
    if (method !== 'POST' || consumerKey === undefined || ++creates !== nth) return;
    simulator?.addKey(STRANGER, simulator.seeded.products, { consumerKey, consumerSecret: 'another-secret' });
    taken = sha256(consumerKey);
  });
  const i = await apigeeInstallation({
    onTestFinished,
    dialect,
    timing,
    apigee: ({ managementUrl, runtimeUrl, seeded }) => {
      before.leadTo(new URL(managementUrl).origin);
      const probe = { url: runtimeUrl + seeded.proxyPath, in: 'header', name: 'x-apikey', times: 1 };
      return { baseUrl: managementUrl.replace(new URL(managementUrl).origin, before.origin), probe };
    },
  });
  ({ simulator } = i);
  i.simulator.addApp(STRANGER, i.simulator.seeded.products);
  await i.worker();
  return { i, taken: () => taken };
}

/** One rotation to its end: with another value, and without anything done to the key that has taken the first one. */
async function expectAnotherValue({ i, taken }: Race): Promise<void> {
  const done = await i.until(
    'version 2 is current, and nothing is left to do',
    (s) => s.current?.version === 2 && s.rotation === null && s.previous.length === 0 && s.debts.length === 0,
    45_000,
  );
  expect(done.lastRotation).toMatchObject({ requestId: 'r-1', outcome: 'rotated' });
  expect(done.current).toMatchObject({ verified: true });

  const { keys, requests, writes } = i.simulator.oracle();
  const foreign = keys.find((key) => key.sha256 === taken());
  expect(foreign).toMatchObject({ app: STRANGER, by: 'ui', status: 'approved', deletedAt: null, revokedAt: null });
  expect(foreign?.secretSha256).toBe(sha256('another-secret'));
  expect(writes.filter(({ serials }) => foreign !== undefined && serials.includes(foreign.serial))).toEqual([]);
  // Looked for in keyturn's own app, and nothing else: neither changed nor presented to the runtime.
  const about = requests.filter(({ serial }) => serial === foreign?.serial);
  expect(about.map(({ plane, method, status }) => `${plane} ${method} ${status}`)).toContain('management GET 404');
  expect(new Set(about.map(({ plane, method }) => `${plane} ${method}`))).toEqual(new Set(['management GET']));

  const made = keys.filter(({ by }) => by === 'create');
  expect(made).toMatchObject([{ app: i.simulator.seeded.app, status: 'approved', deletedAt: null }]);
  expect(made[0]?.sha256).not.toBe(taken());
  await expectApigeeInvariants(i);
}

const createsOf = ({ i }: Race): readonly (number | null)[] =>
  i.simulator
    .oracle()
    .requests.filter(({ method, route }) => method === 'POST' && /\/keys(\/create)?$/.test(route))
    .map(({ status }) => status);

it.concurrent.for(['x', 'edge'] as const)(
  'dialect %s: another value is drawn, and the key of the other app is left alone',
  async (dialect, { onTestFinished }) => {
    const one = await race(onTestFinished, dialect, 1);
    await one.i.request('r-1');
    await expectAnotherValue(one);
    expect(createsOf(one)).toEqual([409, dialect === 'x' ? 200 : 201]);
  },
);

it.concurrent('a create that is sent again finds its value taken meanwhile: the same', async ({ onTestFinished }) => {
  const one = await race(onTestFinished, 'x', 2);
  const route = '/organizations/{org}/developers/{developer}/apps/{app}/keys';
  one.i.simulator.faults.add({ match: { method: 'POST', route }, action: 'fail-before', reset: true });
  await one.i.request('r-1');
  await expectAnotherValue(one);
  expect(createsOf(one)).toEqual([null, 409, 200]);
});
