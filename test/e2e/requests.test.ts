/** What becomes of a request: bounded, joined, answered again, held, or made by keyturn itself. */
import { WorkflowFailedError } from '@temporalio/client';
import { expect, it, onTestFinished } from 'vitest';
import { acceptedIds, asked, edit, eventually, keysMade, rotated, serve, serving } from '../support/around.js';
import { importSeeded, installation, type Installation } from '../support/installation.js';
import { scheduleId, type CredentialState, type RotationResult } from '../../src/contract.js';
import { reconcileSchedules } from '../../src/schedules.js';

const ms = (at: string | null | undefined): number => Date.parse(at ?? '');
const daily = { cron: '0 4 * * *', timezone: 'UTC' };

async function scheduled(i: Installation) {
  await reconcileSchedules(i.client, await i.config(), await i.vault.custody.installationId(), { dryRun: false });
  const handle = i.client.temporal.schedule.getHandle(scheduleId(i.credentialId));
  onTestFinished(() => handle.delete().catch(() => undefined));
  return handle;
}

/** The nominal time of a fire by hand is a whole second: in the second of the publish it would count as older. */
const nextSecond = ({ current }: CredentialState): Promise<boolean> =>
  eventually('the next second', () => Date.now() > ms(current?.publishedAt) + 1_000);

/** Outcomes of the workflows that the Schedule has started, oldest first. */
async function fires(i: Installation, count: number): Promise<readonly RotationResult[]> {
  const handle = i.client.temporal.schedule.getHandle(scheduleId(i.credentialId));
  const actions = await eventually('the Schedule has fired', async () => {
    const { recentActions } = (await handle.describe()).info;
    return recentActions.length >= count && recentActions;
  });
  const { workflow } = i.client.temporal;
  const results = actions.map(({ action }) => workflow.getHandle(action.workflow.workflowId).result());
  return (await Promise.all(results)) as RotationResult[];
}

it('minInterval bounds schedule, webhook and workflow, and not an operator', async () => {
  const i = await installation({ policy: { minInterval: '1h', schedule: daily }, top: serving });
  const server = await serve(i);
  await i.worker();
  const schedule = await scheduled(i);
  expect(await asked(i, 'first')).toMatchObject({ outcome: 'rotated', version: 2 });
  const skipped = { outcome: 'skipped', skippedBecause: 'min-interval', version: 2 };
  expect(await asked(i, 'second')).toMatchObject(skipped);
  const { lastSkipped } = await i.state();
  expect(lastSkipped).toMatchObject({ requestId: 'second', source: 'workflow', because: 'min-interval' });
  await nextSecond(await i.state());
  await schedule.trigger();
  expect(await fires(i, 1)).toMatchObject([skipped]);
  expect((await server.deliver())[0]?.status).toBe(202);
  const after = await rotated(i, 3);
  expect(after.lastRotation).toMatchObject({ source: 'operator', requestId: 'to-3' });
  expect(keysMade(i)).toBe(2);
});

it('requests that come together are one rotation, and each is told its outcome', async () => {
  const i = await installation({ policy: { activationLag: '500ms' } });
  await i.worker();
  const together = await Promise.all(['a', 'b', 'c', 'd'].map((id) => asked(i, id)));
  for (const result of together) expect(result).toMatchObject({ outcome: 'rotated', version: 2 });
  expect(keysMade(i)).toBe(1);
});

it('requests that waited for a worker are one rotation', async () => {
  const i = await installation();
  for (const id of ['a', 'b', 'c']) await i.request(id);
  await i.worker();
  await i.until('version 2 is current', (s) => s.current?.version === 2 && s.rotation === null && !s.pendingRequests);
  await rotated(i, 3);
  expect(keysMade(i)).toBe(2);
});

it('a duplicate gets the outcome of its first, also after a later rotation and a termination', async () => {
  const i = await installation();
  await i.worker();
  const first = await asked(i, 'r-1');
  expect(first).toMatchObject({ outcome: 'rotated', version: 2 });
  expect(await asked(i, 'r-1')).toEqual(first);
  await rotated(i, 3);
  expect(await asked(i, 'r-1')).toEqual(first);
  const third = await i.state();
  await i.client.handle(i.credentialId).terminate('test');
  expect(await asked(i, 'to-3')).toMatchObject({ outcome: 'rotated', version: 3, keyId: third.current?.keyId });
  expect(await asked(i, 'r-1')).toEqual({ ...first, attention: third.attention });
  const update = { requestId: 'r-1', reason: 'routine', source: 'operator' } as const;
  const { ended } = await i.client.rotateNow(i.credentialId, update);
  expect(ended).toMatchObject({ outcome: 'rotated', version: 2, keyId: first.keyId, publishedAt: first.publishedAt });
  expect(keysMade(i)).toBe(2);
});

it('a schedule time that is older than the last rotation is superseded, one that is younger rotates', async () => {
  const i = await installation({ policy: { schedule: daily } });
  await i.worker();
  const schedule = await scheduled(i);
  const made = await rotated(i, 2);
  const end = new Date();
  const start = new Date(end.getTime() - 86_400_000);
  await schedule.backfill({ start, end, overlap: 'ALLOW_ALL' });
  expect(await fires(i, 1)).toMatchObject([{ outcome: 'skipped', skippedBecause: 'superseded', version: 2 }]);
  await nextSecond(made);
  await schedule.trigger();
  const [, second] = await fires(i, 2);
  expect(second).toMatchObject({ outcome: 'rotated', version: 3 });
  expect((await i.state()).lastRotation).toMatchObject({ source: 'schedule', reason: 'routine' });
});

it('while paused schedule, webhook, workflow and operator are skipped for good; resume rotates nothing by itself', async () => {
  const i = await installation({ policy: { schedule: daily }, top: serving });
  const server = await serve(i);
  await i.worker();
  const schedule = await scheduled(i);
  await i.client.ensureStarted(i.credentialId);
  await i.client.pause(i.credentialId, { by: 'ops' });
  await schedule.trigger();
  const skipped = { outcome: 'skipped', skippedBecause: 'paused' };
  expect(await fires(i, 1)).toMatchObject([skipped]);
  await server.deliver();
  await i.request('operator');
  expect(await asked(i, 'workflow')).toMatchObject(skipped);
  expect(await i.state()).toMatchObject({ status: 'paused', pendingRequests: 0, attention: [] });
  await i.until('the pause is in the store', (s) => (s.recordSeq ?? 0) > 1);
  await i.client.handle(i.credentialId).terminate('test');
  await i.client.ensureStarted(i.credentialId);
  await i.until('the pause survives', (s) => s.status === 'paused' && s.paused?.by === 'ops');
  await i.client.resume(i.credentialId, {});
  await i.until('resumed', (s) => s.status === 'idle' && s.paused === null);
  await rotated(i, 2);
  expect(keysMade(i)).toBe(1);
});

it.each([
  ['create-and-delete', { mambu: { keyTtl: '15s' } }],
  ['rotation', { simulator: { tenant: { automaticExpirySeconds: 15 } } }],
] as const)('%s: a key is renewed ahead of its end, whatever minInterval says', async (strategy, more) => {
  const i = await installation({ strategy, ...more, policy: { minInterval: '1h', renewBefore: '5s' } });
  await i.worker();
  const made = await rotated(i, 2);
  const expiresAtMs = ms(made.current?.expiresAt);
  expect(expiresAtMs).toBeGreaterThan(Date.now());
  expect(expiresAtMs).toBeLessThanOrEqual(Date.now() + 15_000);
  expect(ms(made.nextRotationAt)).toBe(expiresAtMs - 5_000);
  const renewed = await i.until('version 3 is current', (s) => s.current?.version === 3 && s.rotation === null);
  expect(renewed.lastRotation).toMatchObject({ source: 'expiry', reason: 'routine', outcome: 'rotated' });
  expect(ms(renewed.lastRotation?.startedAt)).toBeGreaterThanOrEqual(expiresAtMs - 5_000);
  expect(ms(renewed.current?.publishedAt)).toBeLessThan(expiresAtMs);
  expect(keysMade(i)).toBe(2);
  expect(acceptedIds(i)).toContain(renewed.current?.keyId);
});

it('a renewal that is due during a pause is queued with attention, and goes when resumed', async () => {
  const i = await installation({ mambu: { keyTtl: '15s' }, policy: { renewBefore: '5s' } });
  await i.worker();
  const made = await rotated(i, 2);
  await i.client.pause(i.credentialId, {});
  const queued = await i.until('it is queued', (s) => s.pendingRequests === 1);
  expect(queued.attention.map((a) => a.code)).toEqual(['KT-PAUSED']);
  await i.client.resume(i.credentialId, {});
  const renewed = await i.until('version 3 is current', (s) => s.current?.version === 3);
  expect(ms(renewed.current?.publishedAt)).toBeLessThan(ms(made.current?.expiresAt));
});

it('a failed rotation is tried again by keyturn: planned visibly, and remembered over a termination', async () => {
  const i = await installation();
  await i.worker();
  i.simulator.rules.maintenance = true;
  i.simulator.setPermissions('rotator', ['VIEW_API_CONSUMERS_AND_KEYS']);
  const result = await asked(i, 'r-1');
  expect(result).toMatchObject({ outcome: 'failed', version: 1 });
  const failed = await i.state();
  expect(failed.lastRotation).toMatchObject({ outcome: 'failed', error: result.error });
  const plannedMs = ms(failed.nextRotationAt);
  expect(plannedMs - ms(failed.lastRotation?.endedAt)).toBeLessThanOrEqual(61_000);
  await i.client.handle(i.credentialId).terminate('test');
  await i.client.ensureStarted(i.credentialId);
  const after = await i.until('the record is loaded', (s) => s.current !== null);
  expect(Math.abs(ms(after.nextRotationAt) - plannedMs)).toBeLessThan(2_000);
});

it('a credential without an imported key fails plainly, and works once the key is adopted', async () => {
  const i = await installation();
  const credentialId = `${i.credentialId}-new`;
  await edit(i, (file, own) => {
    Object.assign(file['credentials'] ?? {}, { [credentialId]: own });
  });
  onTestFinished(async () => {
    await i.client.handle(credentialId).terminate('end of test');
  });
  await i.worker();
  const result = await asked(i, 'r-1', { credentialId });
  expect(result).toMatchObject({ outcome: 'failed', version: null, error: { code: 'KT-NOT-IMPORTED' } });
  expect(await i.client.state(credentialId)).toMatchObject({ status: 'new', current: null, rotation: null });
  const command = `keyturn import ${credentialId}`;
  expect(result.attention).toMatchObject([{ code: 'KT-NOT-IMPORTED', command }]);
  expect((await i.client.state(credentialId)).attention).toEqual(result.attention);
  const { keyId, apiKey } = i.simulator.createKey('rotator');
  await importSeeded(i.vault, await i.config(), credentialId, { keyId, apiKey, secretKey: 'none' });
  await i.client.adopt(credentialId, 1);
  await eventually('it is known', async () => (await i.client.state(credentialId)).current?.version === 1);
  expect((await i.client.state(credentialId)).attention).toEqual([]);
  expect(await asked(i, 'r-2', { credentialId })).toMatchObject({ outcome: 'rotated', version: 2 });
});

it('a credential that the configuration does not have is refused to a workflow and skipped by its entity', async () => {
  const i = await installation();
  await i.worker();
  const unknown = asked(i, 'r-1', { credentialId: 'nobody' });
  await expect(unknown).rejects.toBeInstanceOf(WorkflowFailedError);
  await expect(i.client.state('nobody')).rejects.toMatchObject({ code: 'KT-NOT-RUNNING' });

  await rotated(i, 2);
  await edit(i, (file, own) => {
    const credentials = file['credentials'] ?? {};
    credentials['other'] = own;
    delete credentials[i.credentialId];
  });
  await i.client.policyChanged(i.credentialId);
  const gone = await i.until('it is told', (s) => s.attention.some((a) => a.code === 'KT-NOT-IN-CONFIG'));
  expect(gone.current?.version).toBe(2);
  await i.request('meanwhile');
  await edit(i, (file) => {
    const credentials = file['credentials'] ?? {};
    credentials[i.credentialId] = credentials['other'] ?? {};
    delete credentials['other'];
  });
  await i.client.policyChanged(i.credentialId);
  await i.until('it is back', (s) => s.attention.length === 0);
  await rotated(i, 3);
  expect(keysMade(i)).toBe(2);
});

it('a changed policy counts once it is told: for requests, for grace and for the next rotation', async () => {
  const i = await installation({ policy: { grace: '1h' } });
  await i.worker();
  await rotated(i, 2);
  await edit(i, (_file, own) => {
    Object.assign(own['policy'] ?? {}, { minInterval: '1h', grace: '2h', refreshWithin: '1s' });
  });
  await i.client.policyChanged(i.credentialId);
  expect(await asked(i, 'bounded')).toMatchObject({ outcome: 'skipped', skippedBecause: 'min-interval' });
  const third = await rotated(i, 3);
  const [newer, older] = third.previous;
  expect(ms(newer?.revokeAt)).toBe(ms(third.current?.publishedAt) + 7_201_000);
  expect(ms(older?.revokeAt)).toBeLessThan(ms(newer?.revokeAt) - 3_000_000);
});

it('nextRotationAt is the Schedule’s next fire, and follows an edit of the Schedule', async () => {
  const i = await installation({ policy: { schedule: daily } });
  await i.worker();
  const schedule = await scheduled(i);
  const next = async (): Promise<string | undefined> =>
    (await schedule.describe()).info.nextActionTimes[0]?.toISOString();
  await i.client.ensureStarted(i.credentialId);
  const state = await i.until('it is known', (s) => s.nextRotationAt !== null);
  expect(state.nextRotationAt).toBe(await next());
  await edit(i, (_file, own) => {
    Object.assign(own['policy'] ?? {}, { schedule: { cron: '30 5 * * *', timezone: 'UTC' } });
  });
  await scheduled(i);
  await i.client.policyChanged(i.credentialId);
  const edited = await i.until('it has moved', (s) => s.nextRotationAt !== state.nextRotationAt);
  expect(edited.nextRotationAt).toBe(await next());
  expect(edited.nextRotationAt).toContain('T05:30:00.000Z');
});

it('an update with a wrong request is rejected with its reason and changes nothing', async () => {
  const i = await installation();
  await i.worker();
  const wrong = { reason: 'because', source: 'operator' } as never;
  await expect(i.client.rotateNow(i.credentialId, wrong)).rejects.toMatchObject({
    code: 'KT-INPUT',
    message: 'reason must be routine or compromise',
  });
  const { requestId, position } = await i.client.rotateNow(i.credentialId, { reason: 'routine', source: 'operator' });
  expect(position).toBe(0);
  await i.until('it has ended', (s) => s.lastRotation?.requestId === requestId && s.rotation === null);
});
