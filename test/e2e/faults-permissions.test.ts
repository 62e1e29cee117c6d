/** What the tenant does not permit, takes away, or holds against us. */
import { expect, it } from 'vitest';
import { importReplacement } from '../../src/domain/imports.js';
import { Secret } from '../../src/domain/secret.js';
import { installation, type Installation } from '../support/installation.js';
import { expectInvariants, requestsTo, writesOf } from '../support/invariants.js';
import { sample } from '../support/sample.js';

const strategies = ['create-and-delete', 'rotation'] as const;
const VIEW = 'VIEW_API_CONSUMERS_AND_KEYS';
const CREATE = 'CREATE_API_CONSUMERS_AND_KEYS';
const DELETE = 'DELETE_API_CONSUMERS_AND_KEYS';
const rotator = 'rotator';
const permitted = (...permissions: string[]) => ({ simulator: { seed: [{ id: rotator, permissions }] } });

async function ended(i: Installation, requestId: string): ReturnType<Installation['until']> {
  return i.until(`${requestId} has ended`, (s) => s.lastRotation?.requestId === requestId && s.rotation === null);
}

/** What `keyturn import ID --replace` does. */
async function importKey(i: Installation, made: { keyId: string; apiKey: string; secretKey?: string }): Promise<void> {
  const apiKey = new Secret(made.apiKey);
  const fingerprint = await i.vault.custody.fingerprint(apiKey);
  const { opened } = await i.vault.custody.update(i.credentialId, ({ record, shelf }) => {
    const identity = record.versions[0]?.identity;
    if (!identity) throw new Error('there is no version');
    const secretKey = made.secretKey === undefined ? null : 'ok';
    const key = { keyId: made.keyId, fingerprint, identity, secretKey, nowMs: Date.now() } as const;
    const t = importReplacement(record, key, null);
    if (t.kind !== 'next') throw new Error(`the import was refused: ${t.kind === 'lost' ? t.because : t.kind}`);
    const fields = { apiKey, ...(made.secretKey === undefined ? {} : { secretKey: new Secret(made.secretKey) }) };
    const versions = { ...shelf.versions, [t.record.highestVersion]: { keyId: made.keyId, fields } };
    return { next: { record: t.record, shelf: { ...shelf, versions } }, value: null };
  });
  await i.client.adopt(i.credentialId, opened.record.highestVersion);
}

it.concurrent.for(strategies)(
  '%s: rotates without permission to list, says so, and proves the death of the old key by elapsed time',
  async (strategy, { onTestFinished }) => {
    const i = await installation({
      onTestFinished,
      strategy,
      ...permitted(CREATE, DELETE),
      mambu: graceOf(strategy, '5s'),
    });
    i.simulator.setGrace(5_000);
    await i.worker();
    await i.request('r-1');
    const state = await ended(i, 'r-1');
    expect(state).toMatchObject({ current: { version: 2, verified: true }, lastRotation: { outcome: 'rotated' } });
    expect(state.attention.map((a) => a.code)).toEqual(['KT-PROOF-LOST']);
    expect(state.attention[0]?.message).toContain(VIEW);
    await i.until('the old key is gone', (s) => s.previous.length === 0);
    const record = (await i.vault.custody.read(i.credentialId))?.record;
    expect(record?.destroyed).toMatchObject([{ version: 1, proof: 'elapsed' }]);
    await expectInvariants(i);
    i.simulator.setPermissions(rotator, [VIEW, CREATE, DELETE]);
    await i.request('r-2');
    expect((await ended(i, 'r-2')).attention).toEqual([]);
  },
);

it.concurrent(
  'a lost answer without permission to list leaves a suspicion, no deletion',
  async ({ onTestFinished }) => {
    const options = permitted(CREATE, DELETE);
    const i = await installation({
      onTestFinished,
      simulator: { ...options.simulator, tenant: { idempotencyReplaysSecrets: false } },
    });
    i.simulator.faults.add({
      match: { method: 'POST', route: '/consumers/{id}/apikeys' },
      action: 'drop-after-commit',
    });
    await i.worker();
    await i.request('r-1');
    const state = await i.until('version 2', (s) => s.current?.version === 2);
    expect(state.debts).toMatchObject([{ kind: 'suspected-orphan', keyId: 'unlisted' }]);
    expect(state.status).toBe('needs-operator');
    await expectInvariants(i);
  },
);

it.concurrent.for(strategies)(
  '%s: without permission to delete the old key is a debt, until the permission is there',
  async (strategy, { onTestFinished }) => {
    const i = await installation({ onTestFinished, strategy, ...permitted(VIEW, CREATE) });
    await i.worker();
    await i.request('r-1');
    const state = await i.until('it owes a deletion', (s) => s.debts.length > 0);
    expect(state.debts).toMatchObject([{ kind: 'revoke', version: 1, lastError: { code: 'KT-FORBIDDEN' } }]);
    expect(state.debts[0]?.nextAttemptAt).not.toBeNull();
    expect(state.attention.map((a) => a.code)).toEqual(['KT-DEBT']);
    expect(state.lastRotation?.outcome).toBe('rotated');
    i.simulator.setPermissions(rotator, [VIEW, CREATE, DELETE]);
    const healed = await i.until('the debt is paid', (s) => s.debts.length === 0);
    expect(healed).toMatchObject({ previous: [], attention: [] });
    await expectInvariants(i);
  },
);

it.concurrent('without permission to make keys nothing changes, and the reason is said', async ({ onTestFinished }) => {
  const i = await installation({ onTestFinished, ...permitted(VIEW, DELETE) });
  await i.worker();
  await i.request('r-1');
  const state = await ended(i, 'r-1');
  expect(state).toMatchObject({ current: { version: 1 }, previous: [], debts: [] });
  expect(state.lastRotation).toMatchObject({ outcome: 'failed', error: { code: 'KT-FORBIDDEN' } });
  expect(state.lastRotation?.error?.message).toContain(CREATE);
  expect(Date.parse(state.nextRotationAt ?? '')).toBeGreaterThan(Date.now());
  expect(writesOf(i)).toEqual({});
  await expectInvariants(i);
});

it.concurrent.for(strategies)(
  '%s: a consumer that was deleted costs one strike, asks for an operator, and is mended by an import',
  async (strategy, { onTestFinished }) => {
    const i = await installation({ onTestFinished, strategy });
    await i.worker();
    i.simulator.deleteConsumer(rotator);
    for (const id of ['r-1', 'r-2', 'r-3']) {
      await i.request(id);
      const state = await ended(i, id);
      expect(state.status).toBe('needs-operator');
      expect(state.lastRotation?.outcome).toBe('needs-operator');
    }
    expect(i.simulator.oracle().strikes.total).toBe(1);
    const fresh = i.simulator.addConsumer({ id: rotator });
    await importKey(i, fresh);
    await i.until('the import is seen', (s) => s.current?.version === 2);
    await i.request('r-4');
    const state = await ended(i, 'r-4');
    expect(state.lastRotation?.outcome).toBe('rotated');
    expect(state.status).toBe('retiring');
    await expectInvariants(i, { strikes: 1, gapByOutsider: true });
  },
);

it.concurrent.for(sample(strategies, 1))(
  '%s: a current key that was deleted by hand costs one strike',
  async (strategy, { onTestFinished }) => {
    const i = await installation({ onTestFinished, strategy });
    await i.worker();
    i.simulator.deleteKey(i.simulator.seeded[0]?.keyId ?? '');
    await i.request('r-1');
    const first = await ended(i, 'r-1');
    expect(first.lastRotation).toMatchObject({ outcome: 'needs-operator', error: { code: 'KT-CREDENTIAL-REFUSED' } });
    expect(first.attention.map((a) => a.code)).toEqual(['KT-CREDENTIAL-REFUSED']);
    await i.request('r-2');
    expect(await ended(i, 'r-2')).toMatchObject({
      status: 'needs-operator',
      lastRotation: { outcome: 'needs-operator' },
    });
    await expectInvariants(i, { strikes: 1, gapByOutsider: true });
  },
);

it.concurrent(
  'rotation: a secret key that was replaced by hand costs one strike: another key is made, with a secret key of its own',
  async ({ onTestFinished }) => {
    const i = await installation({ onTestFinished, strategy: 'rotation' });
    await i.worker();
    i.simulator.regenerateSecret(rotator);
    await i.request('r-1');
    expect(await ended(i, 'r-1')).toMatchObject({
      lastRotation: { outcome: 'rotated' },
      current: { version: 2, secretKey: 'ok', verified: true },
    });
    expect(writesOf(i)).toMatchObject({ 'create-key': 1, 'create-secret': 1 });
    await i.request('r-2');
    expect((await ended(i, 'r-2')).lastRotation?.outcome).toBe('rotated');
    expect(writesOf(i), 'in place again').toMatchObject({ 'create-key': 1, rotate: 1 });
    await expectInvariants(i, { strikes: 1 });
  },
);

it.concurrent(
  'rotation: without permission to make keys a refused secret key costs one strike, and the key lives on until an operator comes',
  async ({ onTestFinished }) => {
    const i = await installation({ onTestFinished, strategy: 'rotation', ...permitted(VIEW, DELETE) });
    await i.worker();
    const { secretKey } = i.simulator.regenerateSecret(rotator);
    for (const id of ['r-1', 'r-2']) {
      await i.request(id);
      const { lastRotation } = await ended(i, id);
      expect(lastRotation).toMatchObject({ outcome: 'needs-operator', error: { code: 'KT-CAPABILITY-LOST' } });
      expect(lastRotation?.error?.message).toMatch(/secret key is refused, and no other key may be made/);
    }
    const record = (await i.vault.custody.read(i.credentialId))?.record;
    expect(record?.versions).toMatchObject([{ version: 1, stage: 'current', providerDiesAtMs: null }]);
    expect(i.simulator.oracle().strikes.total).toBe(1);
    const seeded = i.simulator.seeded[0];
    await importKey(i, { keyId: seeded?.keyId ?? '', apiKey: seeded?.apiKey ?? '', secretKey });
    await i.request('r-3');
    expect((await ended(i, 'r-3')).lastRotation?.outcome).toBe('rotated');
    await expectInvariants(i, { strikes: 1 });
  },
);

it.concurrent.for(strategies)(
  '%s: ten forced refusals never exceed the budget',
  async (strategy, { onTestFinished }) => {
    const i = await installation({
      onTestFinished,
      strategy,
      simulator: { tenant: { freshKeyRefusedMs: 3_600_000, refusalRememberedMs: 3_600_000 } },
      timing: { verifyAgainAfter: '200ms' },
    });
    await i.worker();
    for (let n = 1; n <= 10; n++) {
      await i.request(`r-${n}`);
      if (strategy === 'rotation' && n === 1) {
        // It cannot go back: it makes keys until the budget is spent, and publishes the last one when the old key is about to die.
        await i.until('the budget is spent', (s) => s.lockout?.used === 4);
        break;
      }
      await ended(i, `r-${n}`);
    }
    const state = await i.state();
    expect(i.simulator.oracle().strikes.total).toBeLessThanOrEqual(4);
    expect(state.lockout?.used).toBeLessThanOrEqual(4);
    expect(state.attention.map((a) => a.code)).toContain('KT-LOCKOUT-BUDGET');
    expect(state.current?.version).toBe(1);
    await i.until('what was made is gone', (s) => s.debts.length === 0);
    if (strategy === 'create-and-delete') await expectInvariants(i, { strikes: 4 });
  },
);

it.concurrent.for(sample(strategies, 1))(
  '%s: a blocked IP address is said, and nothing is tried against it',
  async (strategy, { onTestFinished }) => {
    const i = await installation({ onTestFinished, strategy, simulator: { tenant: { strikeLimit: 1 } } });
    const wrong = await fetch(`${i.simulator.baseUrl}/consumers`, { headers: { apiKey: 'somebody-elses-mistake' } });
    expect(wrong.status).toBe(400);
    await fetch(`${i.simulator.baseUrl}/consumers`, {
      headers: { apiKey: 'somebody-elses-mistake', accept: 'application/vnd.mambu.v2+json' },
    });
    await i.worker();
    await i.request('r-1');
    const state = await ended(i, 'r-1');
    expect(state.lastRotation).toMatchObject({ outcome: 'needs-operator', error: { code: 'KT-LOCKED-OUT' } });
    expect(state.attention.map((a) => a.code)).toEqual(['KT-LOCKED-OUT']);
    expect(requestsTo(i, 'GET', '/consumers/{id}/keys')).toHaveLength(1);
    i.simulator.unblockIp();
    await i.request('r-2');
    expect(await ended(i, 'r-2')).toMatchObject({ attention: [], lastRotation: { outcome: 'rotated' } });
    await expectInvariants(i, { strikes: 1 });
  },
);

function graceOf(strategy: string, tenantGrace: string): Record<string, unknown> {
  return strategy === 'rotation' ? { tenantGrace } : {};
}
