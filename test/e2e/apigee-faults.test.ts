/** Every write to Apigee loses its answer, and everything else that goes wrong: no key is lost, none is left behind, nobody is locked out. */
import { expect, it } from 'vitest';
import type { Fault } from '../../src/simulators/shared/faults.js';
import { apigeeInstallation, type ApigeeInstallation } from '../support/apigee-installation.js';
import { expectApigeeInvariants } from '../support/apigee-invariants.js';
import { sample } from '../support/sample.js';

const APP = '/organizations/{org}/developers/{developer}/apps/{app}';
const create = { method: 'POST', route: `${APP}/keys` } as const;
const update = { method: 'POST', route: `${APP}/keys/{key}` } as const;
const approve = { method: 'POST', route: `${APP}/keys/{key}/apiproducts/{product}` } as const;
const remove = { method: 'DELETE', route: `${APP}/keys/{key}` } as const;

const quick = { httpTimeout: '1s', settle: '500ms', observe: '300ms' } as const;
const manual = { products: [{ name: 'orders', proxies: ['orders'], approvalType: 'manual' as const }] };
const writes = (i: ApigeeInstallation) => i.simulator.oracle().writes.map((w) => w.kind);
const creates = (i: ApigeeInstallation) =>
  i.simulator.oracle().requests.filter((r) => r.method === 'POST' && r.route === create.route);

const settled = (i: ApigeeInstallation, version = 2) =>
  i.until(
    `version ${version} is current, and nothing is left to do`,
    (s) => s.current?.version === version && s.rotation === null && s.previous.length === 0 && s.debts.length === 0,
    45_000,
  );

const losses = (match: Fault['match']): readonly [string, Fault][] => [
  ['the connection drops', { match, action: 'drop-after-commit' }],
  ['half of the body comes', { match, action: 'truncate' }],
  ['a gateway answers 502', { match, action: 'status', status: 502, commit: true }],
  ['a gateway redirects', { match, action: 'redirect', status: 302, commit: true }],
  ['it comes after the time-out', { match, action: 'delay', ms: 2_000, when: 'after' }],
  ['the request arrives after the time-out', { match, action: 'delay', ms: 1_300 }],
];

it.concurrent.for(sample(losses(create), 2))(
  'the answer to the create is lost, %s: the one key that was made is found, and taken',
  async ([, fault], { onTestFinished }) => {
    const i = await apigeeInstallation({ onTestFinished, timing: quick });
    i.simulator.faults.add(fault);
    await i.worker();
    await i.request('r-1');
    const done = await settled(i);
    expect(done.lastRotation?.outcome).toBe('rotated');
    expect(writes(i).filter((kind) => kind === 'create-key')).toHaveLength(1);
    await expectApigeeInvariants(i);
  },
);

const others: readonly [string, Fault['match']][] = [
  ['the grant of products', update],
  ['the approval of a product', approve],
  ['the revocation of the old key', { ...update, nth: 2 }],
  ['the deletion of the old key', remove],
];
it.concurrent.for(sample(others, 2))(
  'the answer to %s is lost: it is done once more or found done',
  async ([, match], { onTestFinished }) => {
    const i = await apigeeInstallation({ onTestFinished, timing: quick, seed: manual });
    i.simulator.faults.add({ match, action: 'drop-after-commit' });
    await i.worker();
    await i.request('r-1');
    await settled(i);
    expect(writes(i).filter((kind) => kind === 'create-key')).toHaveLength(1);
    await expectApigeeInvariants(i);
  },
);

it.concurrent('a create that had no effect is sent again with the same value', async ({ onTestFinished }) => {
  const i = await apigeeInstallation({ onTestFinished, timing: quick });
  i.simulator.faults.add({ match: create, action: 'fail-before', reset: true });
  await i.worker();
  await i.request('r-1');
  await settled(i);
  const bodies = creates(i).map((r) => r.bodySha256);
  expect(bodies).toHaveLength(2);
  expect(new Set(bodies.filter((hash) => hash !== null)).size).toBeLessThanOrEqual(1);
  expect(writes(i).filter((kind) => kind === 'create-key')).toHaveLength(1);
  await expectApigeeInvariants(i);
});

it.concurrent('a value that another app uses is given up for another one', async ({ onTestFinished }) => {
  const i = await apigeeInstallation({ onTestFinished, timing: quick });
  const body = JSON.stringify({ error: { code: 409, message: 'ConsumerKey already exists', status: 'ABORTED' } });
  i.simulator.faults.add({ match: create, action: 'status', status: 409, body });
  await i.worker();
  await i.request('r-1');
  const done = await settled(i);
  expect(done.lastRotation?.outcome).toBe('rotated');
  expect(creates(i).map((r) => r.status)).toEqual([409, 200]);
  await expectApigeeInvariants(i);
});

const refusals: readonly [string, Fault, string][] = [
  [
    '400',
    {
      match: create,
      action: 'fail-before',
      status: 400,
      body: JSON.stringify({ error: { code: 400, status: 'INVALID_ARGUMENT', message: 'Bad request' } }),
    },
    'KT-PROVIDER-REJECTED',
  ],
  [
    '403',
    {
      match: create,
      action: 'fail-before',
      status: 403,
      body: JSON.stringify({ error: { code: 403, status: 'PERMISSION_DENIED', message: 'Permission denied' } }),
    },
    'KT-FORBIDDEN',
  ],
];
it.concurrent.for(sample(refusals, 1))(
  'a create that is refused with %s leaves the old key alive, and nothing else',
  async ([, fault, code], { onTestFinished }) => {
    const i = await apigeeInstallation({ onTestFinished, timing: quick });
    i.simulator.faults.add(fault);
    await i.worker();
    await i.request('r-1');
    const failed = await i.until('it has failed', (s) => s.lastRotation?.outcome === 'failed');
    expect(failed.lastRotation?.error?.code).toBe(code);
    expect(failed.current?.version).toBe(1);
    expect(failed.debts).toEqual([]);
    expect(failed.nextRotationAt).not.toBeNull();
    expect(writes(i)).toEqual([]);
    await expectApigeeInvariants(i);
  },
);

it.concurrent('a leak while the outcome of a create is unknown leaves no key behind', async ({ onTestFinished }) => {
  const i = await apigeeInstallation({ onTestFinished, timing: { ...quick, settle: '3s' } });
  i.simulator.faults.add({ match: create, action: 'drop-after-commit' });
  i.simulator.faults.add({ match: { method: 'GET', route: `${APP}/keys/{key}`, times: 10 }, action: 'fail-before' });
  await i.worker();
  await i.request('r-1');
  await i.until('its outcome is unknown', (s) => s.rotation?.recovering === true);
  await i.request('leak', { reason: 'compromise' });
  await i.until('the leak is answered', (s) => s.lastRotation?.requestId === 'leak' && s.rotation === null);
  await i.until('nothing is owed', (s) => s.previous.length === 0 && s.debts.length === 0);
  expect(i.simulator.oracle().keys.filter((k) => k.deletedAt === null)).toHaveLength(1);
  await expectApigeeInvariants(i, { gapByOthers: true });
});

it.concurrent('the management plane is down: parked, and healed by itself', async ({ onTestFinished }) => {
  const i = await apigeeInstallation({ onTestFinished, timing: quick });
  await i.worker();
  i.simulator.faults.add({ match: { times: 'always' }, action: 'fail-before', status: 503 });
  await i.request('r-1');
  const parked = await i.until('it is parked', (s) => s.rotation?.parked === true);
  expect(parked.rotation?.lastError?.code).toBe('KT-PROVIDER-ERROR');
  expect(parked.current?.version).toBe(1);
  i.simulator.faults.clear();
  await settled(i);
  await expectApigeeInvariants(i);
});

it.concurrent('a quota is waited out as Retry-After says', async ({ onTestFinished }) => {
  const i = await apigeeInstallation({ onTestFinished, timing: quick });
  i.simulator.faults.add({ match: create, action: 'fail-before', status: 429, headers: { 'retry-after': '1' } });
  await i.worker();
  await i.request('r-1');
  await settled(i);
  const [first, second] = creates(i);
  expect((second?.realAt ?? 0) - (first?.realAt ?? 0)).toBeGreaterThanOrEqual(1_000);
  expect(writes(i).filter((kind) => kind === 'create-key')).toHaveLength(1);
  await expectApigeeInvariants(i);
});

it.concurrent('tokens that expire in mid-rotation are renewed once for each', async ({ onTestFinished }) => {
  const i = await apigeeInstallation({
    onTestFinished,
    dialect: 'edge',
    timing: quick,
    policy: { activationLag: '1s' },
    apigee: ({ tokenUrl, seeded }) => {
      process.env['KEYTURN_TEST_APIGEE_PASSWORD'] = seeded.password;
      const password = '${env:KEYTURN_TEST_APIGEE_PASSWORD}';
      return { auth: { kind: 'edge-oauth', tokenUrl, username: seeded.username, password } };
    },
  });
  await i.worker();
  await i.request('r-1');
  await i.until('the new key waits out its lag', () => writes(i).includes('update-key'));
  i.simulator.expireTokens();
  await settled(i);
  const expired = i.simulator.oracle().requests.filter((r) => r.credential.outcome === 'expired');
  expect(expired).toHaveLength(1);
  await expectApigeeInvariants(i);
});

it.concurrent(
  'a bearer token that is not accepted any more parks the rotation until there is another',
  async ({ onTestFinished }) => {
    const i = await apigeeInstallation({ onTestFinished, timing: quick });
    await i.worker();
    i.simulator.expireTokens();
    await i.request('r-1');
    const parked = await i.until('it is parked', (s) => s.rotation?.parked === true);
    expect(parked.rotation?.lastError?.code).toBe('KT-MANAGEMENT-AUTH');
    const variable = Object.keys(process.env).find((name) => process.env[name] === i.simulator.seeded.accessToken);
    process.env[variable ?? ''] = i.simulator.issueToken();
    await settled(i);
    await expectApigeeInvariants(i);
  },
);

const wrong: readonly [string, 'x' | 'edge', Record<string, unknown>, RegExp][] = [
  ['organization', 'x', { organization: 'nobody' }, /organization nobody/],
  ['app', 'x', { app: 'nothing' }, /has no app nothing/],
  ['developer', 'x', { developer: 'nobody@example.com' }, /nobody@example.com/],
  ['dialect', 'edge', { dialect: 'x' }, /`dialect`/],
];
it.concurrent.for(sample(wrong, 2))(
  'a wrong %s is told by its name, and nothing is changed',
  async ([, dialect, apigee, word], { onTestFinished }) => {
    const i = await apigeeInstallation({ onTestFinished, dialect, timing: quick, apigee });
    await i.worker();
    await i.request('r-1');
    const failed = await i.until('it has ended', (s) => s.lastRotation !== null);
    expect(failed.lastRotation?.error?.message).toMatch(word);
    expect(failed.current?.version).toBe(1);
    expect(writes(i)).toEqual([]);
  },
);
