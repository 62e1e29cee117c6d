/** The tenant is not there, asks to wait, or answers what it never should: nothing changes, and it heals by itself. */
import { expect, it, vi } from 'vitest';
import type { Fault } from '../../src/simulators/mambu/index.js';
import { startGate } from '../support/gate.js';
import { installation } from '../support/installation.js';
import { expectInvariants, requestsTo, writesOf } from '../support/invariants.js';
import { sample } from '../support/sample.js';

const strategies = ['create-and-delete', 'rotation'] as const;
const list = { method: 'GET', route: '/consumers/{id}/keys' } as const;
const makes = { 'create-and-delete': 'create-key', rotation: 'rotate' } as const;
const making = {
  'create-and-delete': { method: 'POST', route: '/consumers/{id}/apikeys' },
  rotation: { method: 'POST', route: '/apikey/rotation' },
} as const;

it.concurrent.for(sample(strategies, 1))(
  '%s: waits while the tenant cannot be reached at all',
  async (strategy, { onTestFinished }) => {
    const gate = await startGate(onTestFinished);
    const i = await installation({ onTestFinished, strategy, mambu: { baseUrl: gate.baseUrl } });
    gate.leadTo(i.simulator.baseUrl);
    await gate.shut();
    await i.worker();
    await i.request('r-1');
    const parked = await i.until('it waits', (s) => s.rotation?.parked === true);
    expect(parked.rotation).toMatchObject({ step: 'plan', lastError: { code: 'KT-PROVIDER-UNREACHABLE' } });
    expect(Date.parse(parked.rotation?.nextAttemptAt ?? '')).toBeGreaterThan(Date.now() - 1_000);
    expect(i.simulator.oracle().requests).toEqual([]);
    await gate.open();
    const state = await i.until('version 2', (s) => s.current?.version === 2);
    expect(state.lastRotation?.outcome).toBe('rotated');
    await expectInvariants(i);
  },
);

it.concurrent.for(strategies)(
  '%s: a write whose connection was refused was not sent: the old key keeps its life, and the write is made later',
  async (strategy, { onTestFinished }) => {
    const gate = await startGate(onTestFinished);
    const i = await installation({ onTestFinished, strategy, mambu: { baseUrl: gate.baseUrl } });
    gate.leadTo(i.simulator.baseUrl);
    gate.shutAfter(2);
    await i.worker();
    await i.request('r-1');
    const parked = await i.until('it waits', (s) => s.rotation?.parked === true);
    expect(parked.rotation).toMatchObject({ step: 'rotate', lastError: { code: 'KT-PROVIDER-UNREACHABLE' } });
    const record = (await i.vault.custody.read(i.credentialId))?.record;
    expect(record?.intents.filter((one) => one.settled !== 'not-sent')).toEqual([]);
    expect(record?.versions.map((v) => v.providerDiesAtMs)).toEqual([null]);
    await gate.open();
    const state = await i.until('version 2', (s) => s.current?.version === 2);
    expect(state.current).toMatchObject({ verified: true, secretKey: 'ok' });
    expect(writesOf(i)).toMatchObject({ [makes[strategy]]: 1 });
    expect(requestsTo(i, making[strategy].method, making[strategy].route)).toHaveLength(1);
    await expectInvariants(i);
  },
);

it.concurrent('a name that does not resolve is an outage, too', async ({ onTestFinished }) => {
  const i = await installation({
    onTestFinished,
    mambu: { baseUrl: 'http://nowhere.localhost.invalid/api', insecure: true },
  });
  await i.worker();
  await i.request('r-1');
  const parked = await i.until('it waits', (s) => s.rotation?.parked === true);
  expect(parked.rotation?.step).toBe('plan');
  expect(parked.current?.version).toBe(1);
});

it.concurrent.for(sample(strategies, 1))(
  '%s: waits as long as Retry-After says',
  async (strategy, { onTestFinished }) => {
    const i = await installation({ onTestFinished, strategy });
    const headers = { 'retry-after': '5' };
    i.simulator.faults.add({ match: making[strategy], action: 'status', status: 429, headers });
    await i.worker();
    await i.request('r-1');
    const parked = await i.until('it waits', (s) => s.rotation?.parked === true);
    expect(parked.rotation?.lastError?.code).toBe('KT-PROVIDER-BUSY');
    expect(writesOf(i)).toEqual({});
    await i.until('version 2', (s) => s.current?.version === 2);
    const [refused, made] = requestsTo(i, making[strategy].method, making[strategy].route);
    expect((made?.realAt ?? 0) - (refused?.realAt ?? 0)).toBeGreaterThanOrEqual(5_000);
    expect(writesOf(i)).toMatchObject({ [makes[strategy]]: 1 });
    await expectInvariants(i);
  },
);

it.concurrent.for(sample(strategies, 1))('%s: sits out maintenance', async (strategy, { onTestFinished }) => {
  const i = await installation({ onTestFinished, strategy, simulator: { tenant: { maintenance: true } } });
  await i.worker();
  await i.request('r-1');
  const parked = await i.until('it waits', (s) => s.rotation?.parked === true);
  expect(parked.rotation).toMatchObject({ step: 'rotate', lastError: { code: 'KT-PROVIDER-MAINTENANCE' } });
  expect(parked.rotation?.nextAttemptAt).toBeDefined();
  i.simulator.rules.maintenance = false;
  const state = await i.until('version 2', (s) => s.current?.version === 2);
  expect(state.lastRotation?.outcome).toBe('rotated');
  expect(writesOf(i)).toMatchObject({ [makes[strategy]]: 1 });
  await expectInvariants(i);
});

const brokenReads: readonly [string, Fault, string][] = [
  ['503', { match: { ...list, times: 4 }, action: 'fail-before' }, 'KT-PROVIDER-ERROR'],
  ['HTML with 200', { match: { ...list, times: 4 }, action: 'status', status: 200 }, 'KT-PROVIDER-ANSWER'],
  ['a redirect', { match: { ...list, times: 4 }, action: 'redirect', status: 302 }, 'KT-PROVIDER-ANSWER'],
  ['half an answer', { match: { ...list, times: 4 }, action: 'truncate' }, 'KT-PROVIDER-UNREACHABLE'],
];

it.concurrent.for(sample(brokenReads, 1))(
  'a tenant that answers %s to a read is waited for',
  async ([, fault, code], { onTestFinished }) => {
    const i = await installation({ onTestFinished });
    i.simulator.faults.add(fault);
    await i.worker();
    await i.request('r-1');
    const parked = await i.until('it waits', (s) => s.rotation?.parked === true);
    expect(parked.rotation).toMatchObject({ step: 'plan', lastError: { code } });
    await i.until('version 2', (s) => s.current?.version === 2);
    expect(writesOf(i)).toMatchObject({ 'create-key': 1 });
    await expectInvariants(i);
  },
);

it.concurrent(
  'an error of the tenant is shown without its control characters and bodies',
  async ({ onTestFinished }) => {
    const i = await installation({ onTestFinished });
    const reason = 'EVIL\u001b[31m\u0000\r\nSet-Cookie: x'.padEnd(5_000, '!');
    const body = JSON.stringify({ errors: [{ errorCode: 4, errorReason: reason }] });
    i.simulator.faults.add({ match: making['create-and-delete'], action: 'status', status: 400, body });
    await i.worker();
    await i.request('r-1');
    const state = await i.until('the rotation has failed', (s) => s.lastRotation?.outcome === 'failed');
    const message = state.lastRotation?.error?.message ?? '';
    expect(message).toMatch(/^Mambu answered 400 [\x20-\x7e]*POST \/consumers\/\{id\}\/apikeys/);
    expect(message.length).toBeLessThan(300);
    expect(Date.parse(state.nextRotationAt ?? '')).toBeGreaterThan(Date.now());
    await expectInvariants(i);
  },
);

it.concurrent('keeps a record of bounded size through an outage of many attempts', async ({ onTestFinished }) => {
  const i = await installation({ onTestFinished, simulator: { tenant: { maintenance: true } } });
  await i.worker();
  await i.request('r-1');
  const attempts = (): number => requestsTo(i, 'POST', making['create-and-delete'].route).length;
  await vi.waitFor(() => expect(attempts()).toBeGreaterThan(3), 20_000);
  expect((await i.vault.custody.read(i.credentialId))?.record.intents.length).toBeLessThanOrEqual(1);
  i.simulator.rules.maintenance = false;
  await i.until('version 2', (s) => s.current?.version === 2);
  await expectInvariants(i);
});
