/** Keys that another hand manages: Mambu's `management` (a user) and `managedBy` (another credential). */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, type TestContext } from 'vitest';
import { acceptedIds, edit, eventually } from '../support/around.js';
import { importSeeded, installation, type Installation, type InstallationOptions } from '../support/installation.js';
import { expectInvariants, requestsTo, writesOf } from '../support/invariants.js';

const create = { method: 'POST', route: '/consumers/{id}/apikeys' } as const;
const rotate = { method: 'POST', route: '/apikey/rotation' } as const;
const all = ['VIEW_API_CONSUMERS_AND_KEYS', 'CREATE_API_CONSUMERS_AND_KEYS', 'DELETE_API_CONSUMERS_AND_KEYS'] as const;
const password = 'Hk27-of-the-user';

type OnFinished = Pick<TestContext, 'onTestFinished'>;

/** The consumer may do nothing with keys: whatever is done, somebody else has done it. */
const powerless = { seed: [{ id: 'rotator', permissions: [] }] } as const;

async function withUser(
  { onTestFinished }: OnFinished,
  options: InstallationOptions & { readonly permissions?: readonly string[] } = {},
): Promise<Installation & { type(password: string): Promise<void> }> {
  const { permissions = all, simulator = powerless, ...more } = options;
  const management = { kind: 'basic', username: 'ops', password: '${file:password}' };
  const i = await installation({ ...more, simulator, mambu: { management }, onTestFinished });
  i.simulator.setUser({ username: 'ops', password, permissions });
  const type = (text: string): Promise<void> => writeFile(join(i.directory, 'password'), text);
  await type(password);
  return { ...i, type };
}

async function ended(i: Installation, requestId: string): ReturnType<Installation['until']> {
  return i.until(`${requestId} has ended`, (s) => s.lastRotation?.requestId === requestId && s.rotation === null);
}

async function settled(i: Installation): Promise<void> {
  await i.until('version 2 is current', (s) => s.current?.version === 2 && s.rotation === null);
  await i.until('nothing is owed', (s) => s.previous.length === 0 && s.debts.length === 0);
}

it.concurrent('management: a lost create is settled by the user, with the same idempotency key', async (context) => {
  const i = await withUser(context);
  i.simulator.faults.add({ match: create, action: 'drop-after-commit' });
  await i.worker();
  await i.request('r-1');
  await settled(i);
  expect(writesOf(i)).toEqual({ 'create-key': 1, 'delete-key': 1 });
  expect(new Set(requestsTo(i, 'POST', create.route).map((r) => r.idempotencyKey)).size).toBe(1);
  for (const { credential } of i.simulator.oracle().requests.filter((r) => r.method !== 'GET'))
    expect(credential).toMatchObject({ kind: 'basic', outcome: 'accepted' });
  await expectInvariants(i);
});

it.concurrent(
  'management: a lost rotation in place is recovered by the user, and can rotate again',
  async (context) => {
    const i = await withUser(context, { strategy: 'rotation' });
    i.simulator.faults.add({ match: rotate, action: 'drop-after-commit' });
    await i.worker();
    await i.request('r-1');
    const state = await ended(i, 'r-1');
    expect(state).toMatchObject({ current: { version: 2, secretKey: 'ok' }, lastRotation: { outcome: 'rotated' } });
    expect(writesOf(i)).toMatchObject({ rotate: 1, 'create-key': 1, 'create-secret': 1 });
    await i.request('r-2');
    expect((await ended(i, 'r-2')).lastRotation?.outcome).toBe('rotated');
    expect(writesOf(i)).toMatchObject({ rotate: 2, 'create-key': 1, 'create-secret': 1 });
    await expectInvariants(i);
  },
);

it.concurrent(
  'management: a password that is refused costs one strike however often it is asked for, none of the living key, and is mended by the right one',
  async (context) => {
    const i = await withUser(context);
    await i.type('not-this-one');
    await i.worker();
    for (const id of ['r-1', 'r-2', 'r-3']) {
      await i.request(id);
      const state = await ended(i, id);
      expect(state.lastRotation).toMatchObject({ outcome: 'needs-operator', version: 1 });
      expect(state.lockout).toMatchObject({ used: 1, reserved: 0 });
      if (id === 'r-1') expect(state.lastRotation?.error?.message).toContain('the user of `management`');
    }
    expect(i.simulator.oracle().strikes.total).toBe(1);
    expect(acceptedIds(i)).toEqual([i.simulator.seeded[0]?.keyId]);
    await i.type(password);
    await i.request('r-4');
    expect((await ended(i, 'r-4')).lastRotation?.outcome).toBe('rotated');
    await settled(i);
    await expectInvariants(i, { strikes: 1 });
  },
);

it.concurrent(
  'management: a permission that the user lacks is named, nothing is made, and it heals',
  async (context) => {
    const [view, , destroy] = all;
    const i = await withUser(context, { permissions: [view] });
    await i.worker();
    await i.request('r-1');
    const failed = await ended(i, 'r-1');
    expect(failed.lastRotation).toMatchObject({ outcome: 'failed', error: { code: 'KT-FORBIDDEN' } });
    expect(failed.lastRotation?.error?.message).toMatch(/the user of `management` needs .*CREATE_API/);
    expect(writesOf(i)).toEqual({});
    i.simulator.setUser({ username: 'ops', password, permissions: all.filter((p) => p !== destroy) });
    await i.request('r-2');
    const owing = await i.until('it owes a deletion', (s) => s.debts.length > 0);
    expect(owing.debts).toMatchObject([{ kind: 'revoke', version: 1, lastError: { code: 'KT-FORBIDDEN' } }]);
    i.simulator.setUser({ username: 'ops', password, permissions: all });
    await settled(i);
    await expectInvariants(i);
  },
);

/** A second credential, of another consumer of the tenant, that rotates in place and manages the first one's keys. */
async function withManager({ onTestFinished }: OnFinished): Promise<Installation & { boss: string }> {
  const i = await installation({ simulator: { ...powerless, tenant: { graceMs: 10_000 } }, onTestFinished });
  const boss = `${i.credentialId}-boss`;
  await edit(i, (file, own) => {
    Object.assign(file['credentials'] ?? {}, {
      [boss]: {
        provider: 'mambu',
        mambu: { baseUrl: i.simulator.baseUrl, consumerId: 'boss', strategy: 'rotation', tenantGrace: '10s' },
        policy: { grace: '0s', refreshWithin: '1s', minInterval: '0s' },
      },
    });
    Object.assign(own['mambu'] ?? {}, { managedBy: boss });
  });
  onTestFinished(async () => {
    const handle = i.client.handle(boss);
    await handle.terminate('end of test').catch(() => undefined);
  });
  return { ...i, boss };
}

it.concurrent(
  'managedBy: a manager that is rotated while an answer is lost settles it with its new key, and no strike',
  async (context) => {
    const i = await withManager(context);
    await importSeeded(i.vault, await i.config(), i.boss, i.simulator.addConsumer({ id: 'boss' }));
    await i.worker();
    i.simulator.faults.add({ match: create, action: 'drop-after-commit' });
    i.simulator.faults.add({ match: { ...create, nth: 2, times: 'always' }, action: 'fail-before' });
    await i.request('r-1');
    await i.until('the answer is lost', (s) => s.rotation?.recovering === true);
    await i.client.requestRotation(i.boss, { requestId: 'boss-1', reason: 'routine', source: 'operator' });
    await eventually('the manager has a new key, and its old one is dead', async () => {
      const { current, previous } = await i.client.state(i.boss);
      return current?.version === 2 && previous.length === 0;
    });
    i.simulator.faults.clear();
    await settled(i);
    // One key for each of the two, and each one's old key is deleted.
    expect(writesOf(i)).toEqual({ 'create-key': 1, rotate: 1, 'delete-key': 2 });
    expect((await i.state()).lastRotation).toMatchObject({ requestId: 'r-1', outcome: 'rotated' });
    expect(acceptedIds(i)).toContain((await i.state()).current?.keyId);
    expect(i.simulator.oracle().strikes.total).toBe(0);
  },
);

it.concurrent('managedBy: a manager that was never imported is named, and nothing is sent', async (context) => {
  const i = await withManager(context);
  await i.worker();
  await i.request('r-1');
  const failed = await ended(i, 'r-1');
  expect(failed.lastRotation).toMatchObject({ outcome: 'failed', version: 1, error: { code: 'KT-NOT-IMPORTED' } });
  expect(failed.lastRotation?.error?.message).toContain(i.boss);
  // It is the manager's key that is missing, not this one's.
  expect(failed.attention).toEqual([]);
  expect(i.simulator.oracle().requests).toEqual([]);
  await importSeeded(i.vault, await i.config(), i.boss, i.simulator.addConsumer({ id: 'boss' }));
  await i.request('r-2');
  await settled(i);
  expect(i.simulator.oracle().strikes.total).toBe(0);
});
