/** Workers are replaced by ones with changed workflow code while an entity rotates and while a key is in grace, and by the old ones again. */
import { randomUUID } from 'node:crypto';
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import type { WorkflowBundle } from '@temporalio/worker';
import { beforeAll, expect, it } from 'vitest';
import type { CredentialState } from '../../src/contract.js';
import { edit, eventually } from '../support/around.js';
import { additions, workflowsWith } from '../support/changed-workflows.js';
import { expectAllWell, madeIn } from '../support/guarantees.js';
import { installation, type Installation } from '../support/installation.js';

let newer: WorkflowBundle;
beforeAll(async () => {
  newer = await workflowsWith(additions, true);
});

const changeVersions = defineSearchAttributeKey('TemporalChangeVersion', SearchAttributeType.KEYWORD_LIST);

it('a rotation goes on where it was, the next ones are made by the new code, and the way back is a termination', async () => {
  const i = await installation({ policy: { grace: '0s', refreshWithin: '0s' } });
  const old = await i.worker();
  const parked = await parkedAtVerify(i, 'r-1');
  await old.stop();
  i.simulator.faults.clear();

  const next = await i.worker({ workflowBundle: newer });
  const first = await rotated(i, 2);
  expect(first.lastRotation).toMatchObject({ requestId: 'r-1', outcome: 'rotated', startedAt: parked?.startedAt });
  expect(await persistsOf(i, 'r-1')).toBe(1);
  await i.request('r-2');
  await rotated(i, 3);
  expect(await persistsOf(i, 'r-2')).toBe(2);
  expect(await patchesOf(i)).toEqual([...additions].toSorted());
  await i.until('version 2 is gone', (s) => s.previous.length === 0);
  const parkedAgain = await parkedAtVerify(i, 'r-3');
  await next.stop();
  i.simulator.faults.clear();

  await i.worker();
  await expectStuck(i);
  await startedAnew(i);
  const last = await rotated(i, 4);
  expect(last.lastRotation).toMatchObject({ requestId: 'r-3', outcome: 'rotated', startedAt: parkedAgain?.startedAt });
  expect(await patchesOf(i)).toEqual([]);
  await i.until('nothing is left', (s) => s.previous.length === 0);
  expect(madeIn(i)).toEqual(['create-key', 'create-key', 'create-key']);
  await expectAllWell(i, 4);
});

it('a key in grace keeps its instant over both', async () => {
  const i = await installation({ policy: { grace: '10s', refreshWithin: '0s' } });
  const old = await i.worker();
  await i.request('r-1');
  const { previous } = await rotated(i, 2);
  await old.stop();

  const next = await i.worker({ workflowBundle: newer });
  await i.client.pause(i.credentialId, {});
  await i.client.resume(i.credentialId, {});
  await eventually('the new code has the entity', async () => (await patchesOf(i)).includes('a timer in grace'));
  expect((await i.state()).previous).toEqual(previous);
  await next.stop();

  await i.worker();
  await startedAnew(i);
  await i.until('it has loaded', (s) => s.current !== null);
  expect((await i.state()).previous).toEqual(previous);
  await i.until('version 1 is gone', (s) => s.previous.length === 0);
  const deletedMs = i.simulator.oracle().keys[0]?.deletedAt ?? 0;
  const dueMs = Date.parse(previous[0]?.revokeAt ?? '');
  expect(deletedMs).toBeGreaterThanOrEqual(dueMs);
  expect(deletedMs).toBeLessThan(dueMs + 5_000);
  await expectAllWell(i, 2);
});

it('with worker versioning both versions run, and the entity goes from one to the other when that is made current', async () => {
  const name = randomUUID();
  const deployment = (buildId: string) => ({ worker: { deployment: { name, buildId } } });
  const i = await installation({ policy: { grace: '0s', refreshWithin: '0s' }, top: deployment('one') });
  await i.worker();
  await makeCurrent(i, name, 'one');
  await edit(i, (file) => Object.assign(file, deployment('two')));
  await i.worker({ workflowBundle: newer });
  await i.request('r-1');
  await rotated(i, 2);
  expect(await persistsOf(i, 'r-1')).toBe(1);
  await i.until('version 1 is gone', (s) => s.previous.length === 0);

  await parkedAtVerify(i, 'r-2');
  await makeCurrent(i, name, 'two');
  i.simulator.faults.clear();
  await rotated(i, 3);
  expect(await persistsOf(i, 'r-2')).toBe(1);
  await i.request('r-3');
  await rotated(i, 4);
  expect(await persistsOf(i, 'r-3')).toBe(2);
  await i.until('nothing is left', (s) => s.previous.length === 0);
  await expectAllWell(i, 4);
});

/** `temporal worker deployment set-current-version`. Refused until the server has seen a worker of this version poll. */
async function makeCurrent(i: Installation, deploymentName: string, buildId: string): Promise<void> {
  const { workflowService, options } = i.client.temporal;
  await eventually(`version ${buildId} is current`, async () => {
    const asked = { namespace: options.namespace, deploymentName, buildId };
    return (await workflowService.setWorkerDeploymentCurrentVersion(asked).catch(() => null)) !== null;
  });
}

async function parkedAtVerify(i: Installation, requestId: string) {
  // Plan and intent list the keys; from the third listing on it is verify's.
  i.simulator.faults.add({
    match: { method: 'GET', route: '/consumers/{id}/keys', nth: 3, times: 'always' },
    action: 'fail-before',
  });
  await i.request(requestId);
  const parked = (s: CredentialState): boolean => s.rotation?.step === 'verify' && s.rotation.parked;
  return (await i.until('verify is parked', parked)).rotation;
}

const rotated = (i: Installation, version: number) =>
  i.until(`version ${version} is current`, (s) => s.current?.version === version && s.rotation === null);

/** How often a rotation has read its key back. */
async function persistsOf(i: Installation, requestId: string): Promise<number> {
  const opened = await i.vault.custody.read(i.credentialId);
  const rotation = opened?.record.history.find((h) => h.requestId === requestId);
  return rotation?.steps.filter((s) => s.step === 'persist').length ?? 0;
}

async function patchesOf(i: Installation): Promise<readonly string[]> {
  const { typedSearchAttributes } = await i.client.handle(i.credentialId).describe();
  return (typedSearchAttributes.get(changeVersions) ?? []).toSorted();
}

/** The old code cannot replay what the new one has done: the run waits, and loses nothing. */
async function expectStuck(i: Installation): Promise<void> {
  await eventually('the workflow task has failed', async () => {
    const { events } = await i.client.handle(i.credentialId).fetchHistory();
    return events?.some((e) => e.workflowTaskFailedEventAttributes?.failure?.message?.includes('TMPRL1100'));
  });
}

async function startedAnew(i: Installation): Promise<void> {
  await i.client.handle(i.credentialId).terminate('back to the version of before');
  await i.client.ensureStarted(i.credentialId);
}
