/** Going back to a version in grace, and every reason not to. */
import { expect, it } from 'vitest';
import { acceptedIds, eventually, keysMade, rotated } from '../support/around.js';
import { installation, sha256, type Installation } from '../support/installation.js';
import { errorTable } from '../../src/domain/errors.js';

/** Refused with the code that the CLI turns into exit 5, and nothing has changed. */
async function refused(i: Installation, because: RegExp, toVersion?: number): Promise<void> {
  const before = await i.state();
  const answer = i.client.rollback(i.credentialId, toVersion === undefined ? {} : { toVersion });
  await expect(answer).rejects.toMatchObject({
    code: 'KT-ROLLBACK-REFUSED',
    message: expect.stringMatching(because) as string,
  });
  expect(errorTable['KT-ROLLBACK-REFUSED'].exit).toBe(5);
  const after = await i.state();
  expect(after.current).toEqual(before.current);
  expect(after.lastRotation).toEqual(before.lastRotation);
}

const failingDelete = {
  match: { method: 'DELETE', route: '/consumers/{id}/apikeys/{keyId}', times: 'always' },
  action: 'fail-before',
} as const;

it.concurrent(
  'republishes the old value as a new version, and the version rolled back from dies after its grace',
  async ({ onTestFinished }) => {
    const i = await installation({ onTestFinished, policy: { refreshWithin: '1s', grace: '2s' } });
    await i.worker();
    await i.client.ensureStarted(i.credentialId);
    const first = await i.until('version 1 is known', (s) => s.current?.version === 1);
    const second = await rotated(i, 2);
    const { requestId } = await i.client.rollback(i.credentialId, { by: 'test' });
    const back = await i.until('version 3 is current', (s) => s.current?.version === 3);
    expect(back.current).toMatchObject({
      keyId: first.current?.keyId,
      fingerprint: first.current?.fingerprint,
      verified: true,
    });
    expect(back.lastRotation).toMatchObject({ requestId, reason: 'rollback', outcome: 'rotated', version: 3 });
    expect(back.previous).toMatchObject([{ version: 2, keyId: second.current?.keyId, retirement: 'in-grace' }]);
    const opened = await i.vault.custody.read(i.credentialId);
    const value = opened?.shelf.versions['3']?.fields['apiKey']?.reveal() ?? '';
    expect(i.simulator.oracle().acceptedAt(sha256(value), i.simulator.clock.now())).toBe(true);

    const idle = await i.until('version 2 is gone', (s) => s.previous.length === 0);
    expect(idle.debts).toEqual([]);
    expect(acceptedIds(i)).toEqual([first.current?.keyId]);
    const next = await rotated(i, 4);
    expect(next.current?.keyId).not.toBe(first.current?.keyId);
    await i.until('the value that was rolled back to dies in its turn', (s) => s.previous.length === 0);
    expect(acceptedIds(i)).toEqual([next.current?.keyId]);
    expect(i.simulator.oracle().strikes.total).toBe(0);
  },
);

it.concurrent('two at once are one, and a rotation asked for meanwhile comes after it', async ({ onTestFinished }) => {
  const i = await installation({ onTestFinished, policy: { grace: '1h' } });
  await i.worker();
  await rotated(i, 2);
  const two = [i.client.rollback(i.credentialId, {}), i.client.rollback(i.credentialId, {})];
  // Asked for once one of them is accepted: before that a rotation would refuse them.
  await Promise.any(two);
  await i.request('after-it');
  const answers = await Promise.allSettled(two);
  expect(answers.some((a) => a.status === 'fulfilled')).toBe(true);
  const last = await i.until('the rotation has ended', (s) => s.lastRotation?.requestId === 'after-it');
  expect(last.current?.version).toBe(4);
  expect(keysMade(i)).toBe(2);
});

it.concurrent(
  'is refused before the first rotation, for the current version, for one that never was, and once the version is dead',
  async ({ onTestFinished }) => {
    const i = await installation({ onTestFinished, policy: { grace: '2s' } });
    await i.worker();
    await i.client.ensureStarted(i.credentialId);
    await i.until('version 1 is known', (s) => s.current?.version === 1);
    await refused(i, /no version to go back to/);
    await rotated(i, 2);
    await refused(i, /version 2 is current already/, 2);
    await refused(i, /version 9 does not exist/, 9);
    await i.until('version 1 is gone', (s) => s.previous.length === 0);
    await refused(i, /version 1 does not exist any more/, 1);
    await refused(i, /no version to go back to/);
  },
);

it.concurrent('is refused for a rotation in place', async ({ onTestFinished }) => {
  const i = await installation({ onTestFinished, strategy: 'rotation' });
  await i.worker();
  await rotated(i, 2);
  await refused(i, /rotation in place cannot be taken back/);
});

it.concurrent('is refused during a rotation', async ({ onTestFinished }) => {
  const i = await installation({ onTestFinished, policy: { activationLag: '3s', grace: '1h' } });
  await i.worker();
  await rotated(i, 2);
  await i.request('r-2');
  await i.until('the next rotation has begun', (s) => s.rotation !== null);
  await refused(i, /a rotation is in progress/);
  await i.until('which goes on', (s) => s.current?.version === 3);
});

it.concurrent('is refused for a version that leaked', async ({ onTestFinished }) => {
  const i = await installation({ onTestFinished, policy: { grace: '1h' } });
  await i.worker();
  await rotated(i, 2);
  i.simulator.faults.add(failingDelete);
  await i.request('leak', { reason: 'compromise', leakedVersion: 1 });
  await i.until('the removal has failed', (s) => s.debts.length === 1);
  await refused(i, /version 1 has leaked/);
});

it.concurrent('is refused for a version in debt', async ({ onTestFinished }) => {
  const i = await installation({ onTestFinished, policy: { grace: '0s', refreshWithin: '0s' } });
  i.simulator.faults.add(failingDelete);
  await i.worker();
  await rotated(i, 2);
  await i.until('version 1 is in debt', (s) => s.previous[0]?.retirement === 'debt');
  await refused(i, /version 1 is to be removed/);
});

it.concurrent('is refused for a version that is being revoked', async ({ onTestFinished }) => {
  const i = await installation({
    onTestFinished,
    policy: { grace: '0s', refreshWithin: '0s' },
    timing: { propagation: '1h' },
  });
  await i.worker();
  await rotated(i, 2);
  await i.until('its death waits for its proof', (s) => s.previous[0]?.retirement === 'revoking');
  await eventually('its key is deleted', () => i.simulator.oracle().keys.some((k) => k.by === 'seed' && k.deletedAt));
  await refused(i, /version 1 is being revoked/);
});

it.concurrent(
  'is refused for a version that the provider ends before its consumers could use it',
  async ({ onTestFinished }) => {
    const policy = { refreshWithin: '30s', grace: '30s', renewBefore: '1s' };
    const i = await installation({ onTestFinished, mambu: { keyTtl: '40s' }, policy });
    await i.worker();
    await rotated(i, 2);
    await rotated(i, 3);
    await refused(i, /version 2 expires too soon/, 2);
    const { requestId } = await i.client.rollback(i.credentialId, { toVersion: 1 });
    await i.until('version 1 has no end, and can come back', (s) => s.lastRotation?.requestId === requestId);
  },
);
