/** The entity is terminated, cancelled, reset, or continues as new: the record forgets nothing. */
import { randomUUID } from 'node:crypto';
import { describe, expect, it, type TestContext } from 'vitest';
import { updateNames, workflowNames, type RotateNowResult, type RotationRequest } from '../../src/contract.js';
import type { CredentialRecord } from '../../src/domain/record.js';
import { hasSeen } from '../../src/domain/seen.js';
import { asked, eventually } from '../support/around.js';
import { expectAllWell, madeIn } from '../support/guarantees.js';
import { installation, type Installation } from '../support/installation.js';
import { expectInvariants, requestsTo } from '../support/invariants.js';
import { sample } from '../support/sample.js';

/** Plan and intent list the keys; from the third listing on it is verify's. */
const outageAtVerify = {
  match: { method: 'GET', route: '/consumers/{id}/keys', nth: 3, times: 'always' },
  action: 'fail-before',
} as const;
const outage = { match: { times: 'always' }, action: 'fail-before' } as const;

const ends: readonly [string, (i: Installation) => Promise<void>][] = [
  ['terminated', terminate],
  [
    'cancelled',
    async (i) => {
      await i.client.closeEntity(i.credentialId);
      await eventually('the entity has closed', async () => (await i.client.entity(i.credentialId)) === null);
    },
  ],
  ['reset to its first task', (i) => reset(i, 'first')],
  ['reset to its last task', (i) => reset(i, 'last')],
];

describe.each(ends)('an entity that is %s', (_, end) => {
  it.concurrent.for(sample(['create-and-delete', 'rotation'] as const, 1))(
    'in the middle of %s goes on with the same operation',
    async (strategy, { onTestFinished }) => {
      const i = await installation({ strategy, onTestFinished });
      await i.worker();
      i.simulator.faults.add(outageAtVerify);
      await i.request('r-1');
      const parked = await i.until('verify is parked', (s) => s.rotation?.step === 'verify' && s.rotation.parked);
      const operation = await recordOf(i);

      await end(i);
      i.simulator.faults.clear();
      await i.request('r-1');
      const ended = await i.until('version 2 is current', (s) => s.current?.version === 2 && s.rotation === null);
      await i.until('nothing is left to do', (s) => s.previous.length === 0 && s.pendingRequests === 0);

      expect(operation.operation?.operationId).toBe(parked.rotation?.operationId);
      expect((await recordOf(i)).history.map((h) => [h.operationId, h.requestId, h.outcome])).toEqual([
        [parked.rotation?.operationId, 'r-1', 'rotated'],
      ]);
      expect(ended.lastRotation?.startedAt).toBe(parked.rotation?.startedAt);
      expect(madeIn(i)).toEqual([strategy === 'rotation' ? 'rotate' : 'create-key']);
      await expectAllWell(i, 2);
    },
  );

  it.concurrent(
    'in the middle of the grace keeps its instants and its history, and rotates no second time for the same request',
    async ({ onTestFinished }) => {
      const i = await installation({ policy: { grace: '6s' }, onTestFinished });
      await i.worker();
      await i.request('r-1');
      const before = await i.until(
        'version 1 is in grace',
        (s) => s.previous[0]?.retirement === 'in-grace' && s.rotation === null,
      );

      await end(i);
      await i.client.ensureStarted(i.credentialId);
      await i.request('r-1');
      const after = await i.until('the entity has loaded', (s) => s.current !== null);
      expect(after.previous).toEqual(before.previous);
      expect(after.lastRotation).toEqual(before.lastRotation);
      await i.until('version 1 is gone', (s) => s.previous.length === 0);
      const deleted = i.simulator.oracle().keys[0]?.deletedAt ?? 0;
      expect(deleted).toBeGreaterThanOrEqual(Date.parse(before.previous[0]?.revokeAt ?? ''));
      expect((await recordOf(i)).history).toHaveLength(1);
      await expectAllWell(i, 2);
    },
  );
});

describe('a request that was accepted outlives a terminated entity', () => {
  it.concurrent('while it is parked in an outage', async ({ onTestFinished }) => {
    const i = await installation({ onTestFinished });
    await i.worker();
    i.simulator.faults.add(outage);
    await i.request('r-1');
    await i.until('plan is parked', (s) => s.rotation?.parked === true);
    await eventually('the record has it', async () => (await recordOf(i)).waiting.length === 1);
    await expectServedAfterTermination(i);
  });

  it.concurrent('while its very first attempt hangs', async ({ onTestFinished }) => {
    const i = await installation({ onTestFinished });
    await i.worker();
    i.simulator.faults.add({ match: { times: 'always' }, action: 'delay', ms: 60_000 });
    await i.request('r-1');
    await eventually('plan is asking', () => requestsTo(i, 'GET', '/consumers/{id}/keys').length === 1);
    await expectServedAfterTermination(i);
  });

  it.concurrent('while it waits behind another one', async ({ onTestFinished }) => {
    const i = await installation({ strategy: 'rotation', onTestFinished });
    await i.worker();
    i.simulator.faults.add(outageAtVerify);
    await i.request('r-0');
    await i.until('verify is parked', (s) => s.rotation?.step === 'verify' && s.rotation.parked);
    await i.request('r-1', { reason: 'compromise' });
    await eventually('the record has it', async () => (await recordOf(i)).waiting.length === 1);
    await terminate(i);
    i.simulator.faults.clear();
    await i.client.ensureStarted(i.credentialId);
    await i.until('both are served', (s) => s.current?.version === 3 && s.rotation === null);
    expect((await recordOf(i)).history.map((h) => h.requestId)).toEqual(['r-1', 'r-0']);
  });

  it.concurrent(
    'after it has joined a rotation: sent again it gets that outcome, and no rotation of its own',
    async ({ onTestFinished }) => {
      const i = await installation({ onTestFinished });
      await i.worker();
      i.simulator.faults.add(outageAtVerify);
      await i.request('r-1');
      await i.until('verify is parked', (s) => s.rotation?.step === 'verify' && s.rotation.parked);
      for (const id of ['r-2', 'r-3']) await i.request(id);
      await eventually('the record has them', async () => {
        const { seen } = await recordOf(i);
        return ['r-2', 'r-3'].every((id) => hasSeen(seen, id, Date.now()));
      });
      await terminate(i);
      await i.client.ensureStarted(i.credentialId);
      await i.until('it goes on', (s) => s.rotation?.requestId === 'r-1');
      const meanwhile = asked(i, 'r-2');
      await i.until('it is no request of its own', (s) => s.pendingRequests === 0);
      i.simulator.faults.clear();
      const served = { outcome: 'rotated', version: 2, servedBy: 'r-1' };
      expect(await meanwhile).toMatchObject(served);
      expect(await asked(i, 'r-3')).toMatchObject(served);
      expect((await recordOf(i)).history.map((h) => h.requestId)).toEqual(['r-1']);
      expect(madeIn(i)).toEqual(['create-key']);
      await expectAllWell(i, 2);
    },
  );

  async function expectServedAfterTermination(i: Installation): Promise<void> {
    await terminate(i);
    i.simulator.faults.clear();
    await i.client.ensureStarted(i.credentialId);
    const served = await i.until('version 2 is current', (s) => s.current?.version === 2 && s.rotation === null);
    expect(served.lastRotation).toMatchObject({ requestId: 'r-1', outcome: 'rotated' });
    expect((await recordOf(i)).waiting).toEqual([]);
    await expectAllWell(i, 2);
  }
});

describe('an entity that continues as new every 60 events', () => {
  async function shortLived({ onTestFinished }: TestContext, policy: object = {}): Promise<Installation> {
    const i = await installation({ policy: { grace: '0s', refreshWithin: '0s', ...policy }, onTestFinished });
    // Runs that are so short keep a thread busy.
    await i.worker({ debugMode: false });
    await i.client.temporal.workflow.start(workflowNames.credential, {
      workflowId: `credential/${i.credentialId}`,
      taskQueue: i.taskQueue,
      args: [{ credentialId: i.credentialId, maxEvents: 60 }],
    });
    return i;
  }

  it.concurrent('serves 12 requests one after the other, each once however often it is sent', async (context) => {
    const i = await shortLived(context);
    for (let n = 1; n <= 12; n++) {
      await Promise.all([i.request(`r-${n}`), i.request(`r-${n}`), i.request(`r-${Math.ceil(n / 2)}`)]);
      await i.until(`r-${n} is served`, (s) => s.lastRotation?.requestId === `r-${n}` && s.rotation === null);
    }
    const record = await recordOf(i);
    expect(record.history.map((h) => h.version)).toEqual(Array.from({ length: 12 }, (_, n) => 13 - n));
    expect(new Set(record.history.map((h) => h.requestId)).size).toBe(12);
    expect(await runsOf(i)).toBeGreaterThan(5);
    await i.until('nothing is left to do', (s) => s.previous.length === 0 && s.pendingRequests === 0);
    await expectInvariants(i);
  });

  it.concurrent('answers every update, and keeps what it accepted, whatever run it met', async (context) => {
    const i = await shortLived(context, { consumers: [{ name: 'billing', ackWithin: '1s' }] });
    const rounds = Array.from({ length: 6 }, (_, n) => n);
    for (const round of rounds) {
      const { current } = await i.until('it is loaded', (s) => s.current !== null);
      const pauseAndResume = async (): Promise<void> => {
        await i.client.pause(i.credentialId, { by: `me, ${round}` });
        await i.client.resume(i.credentialId, {});
      };
      await Promise.all([
        pauseAndResume(),
        i.client.acknowledge(i.credentialId, 'billing', current?.version ?? 0),
        rotateNow(i, `r-${round}`, 'routine'),
        rotateNow(i, `leak-${round}`, 'compromise'),
      ]);
      // Which of the two goes first is open, and whether the other joins it.
      await eventually('the leak is dealt with', async () => (await rotateNow(i, `leak-${round}`, 'compromise')).ended);
      await i.until('nothing waits', (s) => s.rotation === null && s.pendingRequests === 0);
      await eventually('the acknowledgement is written', async () =>
        (await recordOf(i)).acknowledged.some((a) => a.version === current?.version),
      );
    }
    await i.until('all is done', (s) => s.rotation === null && s.pendingRequests === 0 && s.previous.length === 0);
    expect(await runsOf(i)).toBeGreaterThan(5);
    const leaks = await Promise.all(rounds.map((round) => rotateNow(i, `leak-${round}`, 'compromise')));
    expect(leaks.map((leak) => leak.ended?.outcome)).toEqual(rounds.map(() => 'rotated'));
    const routine = await Promise.all(rounds.map((round) => rotateNow(i, `r-${round}`, 'routine')));
    const because = routine.map(({ ended }) => ended?.skippedBecause ?? ended?.outcome);
    expect(because.filter((why) => why !== 'rotated' && why !== 'rolled-back' && why !== 'paused')).toEqual([]);
    expect(await i.state()).toMatchObject({ paused: null });
    await expectInvariants(i);
  });

  it.concurrent(
    'loses none of 40 requests that come at once, twice each, and rotates at most once for each',
    async (context) => {
      const i = await shortLived(context);
      const ids = Array.from({ length: 40 }, () => randomUUID());
      await Promise.all([...ids, ...ids].map((id) => i.request(id)));
      await eventually('all are served', async () => {
        const { seen } = await recordOf(i);
        return ids.every((id) => hasSeen(seen, id, Date.now()));
      });
      await i.until(
        'nothing is left to do',
        (s) => s.rotation === null && s.previous.length === 0 && s.pendingRequests === 0,
      );
      const rotated = (await recordOf(i)).history.map((h) => h.requestId);
      expect(new Set(rotated).size).toBe(rotated.length);
      await expectInvariants(i);
    },
  );
});

async function recordOf(i: Installation): Promise<CredentialRecord> {
  const opened = await i.vault.custody.read(i.credentialId);
  if (!opened) throw new Error('the record is gone');
  return opened.record;
}

async function rotateNow(
  i: Installation,
  requestId: string,
  reason: 'routine' | 'compromise',
): Promise<RotateNowResult> {
  const args: [RotationRequest] = [{ requestId, reason, source: 'operator' }];
  return i.client.handle(i.credentialId).executeUpdate<RotateNowResult, typeof args>(updateNames.rotateNow, { args });
}

async function terminate(i: Installation): Promise<void> {
  await i.client.handle(i.credentialId).terminate('test');
}

/** As `temporal workflow reset`: the run goes on from that workflow task, and forgets everything after it but its signals. */
async function reset(i: Installation, task: 'first' | 'last'): Promise<void> {
  const handle = i.client.handle(i.credentialId);
  const { events } = await handle.fetchHistory();
  const tasks = events?.filter((e) => e.workflowTaskCompletedEventAttributes) ?? [];
  const { eventId } = (task === 'first' ? tasks[0] : tasks.at(-1)) ?? {};
  const { runId } = await handle.describe();
  if (!eventId) throw new Error('no workflow task has been completed');
  await i.client.temporal.workflowService.resetWorkflowExecution({
    namespace: i.client.temporal.options.namespace,
    workflowExecution: { workflowId: handle.workflowId, runId },
    reason: 'test',
    requestId: randomUUID(),
    workflowTaskFinishEventId: eventId,
  });
}

async function runsOf(i: Installation): Promise<number> {
  const query = `WorkflowId = 'credential/${i.credentialId}'`;
  return eventually('visibility has the runs', async () => {
    const { count } = await i.client.temporal.workflow.count(query);
    return count > 5 ? count : null;
  });
}
