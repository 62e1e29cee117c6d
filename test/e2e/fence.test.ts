/** A worker that is frozen past its time-out, and woken when another one has taken over. Its call and its write have to lose. */
import { describe, expect, it, type TestContext } from 'vitest';
import { cuttableLine } from '../support/cuttable-line.js';
import { expectAllWell, madeIn } from '../support/guarantees.js';
import { installation, type Installation } from '../support/installation.js';
import { workerProcess, type Point, type WorkerProcess } from '../support/worker-process.js';

const posts = (i: Installation): readonly string[] =>
  i.simulator
    .oracle()
    .requests.filter((r) => r.method === 'POST')
    .map((r) => r.route);

describe.each(['create-and-delete', 'rotation'] as const)('%s: a worker frozen', (strategy) => {
  it.concurrent(
    'before it sends: when it wakes, neither its call nor its write has any effect',
    async ({ onTestFinished }) => {
      const i = await installation({ strategy, onTestFinished });
      const frozen = await frozenWorker(i, 'after-intent', onTestFinished);
      expect(posts(i)).toEqual([]);
      await mendedByAnother(i);
      const made = strategy === 'rotation' ? ['create-key', 'create-secret'] : ['create-key'];
      expect(madeIn(i)).toEqual(made);
      const sent = posts(i).length;
      const before = await i.vault.custody.read(i.credentialId);

      await awake(frozen);
      expect(posts(i).length, 'requests of the woken worker').toBe(sent);
      expect((await i.vault.custody.read(i.credentialId))?.record).toEqual(before?.record);
      await expectAllWell(i, 2);
    },
  );

  it.concurrent(
    'before it seals the answer: when it wakes after the recovery, its write loses and its answer is kept',
    async ({ onTestFinished }) => {
      const i = await installation({ strategy, onTestFinished });
      const frozen = await frozenWorker(i, 'before-key', onTestFinished);
      const rest = await mendedByAnother(i);
      const before = await i.vault.custody.read(i.credentialId);
      const operationId = before?.record.versions.find((v) => v.version === 2)?.operationId ?? '';

      await awake(frozen);
      expect((await i.vault.custody.read(i.credentialId))?.record).toEqual(before?.record);
      const late = await i.vault.custody.readLate(i.credentialId, operationId);
      expect(late).toHaveLength(1);
      // The same key for a create that was sent again; a key of its own, which dies with the old one, for a rotation in place.
      const same = late[0]?.keyId === rest.current?.keyId;
      expect(same).toBe(strategy === 'create-and-delete');
      await expectAllWell(i, 2);
    },
  );

  it.concurrent(
    'before it seals the answer: when it wakes during the recovery, its answer is read first and nothing is sent twice',
    async ({ onTestFinished }) => {
      const i = await installation({ strategy, onTestFinished });
      const frozen = await frozenWorker(i, 'before-key', onTestFinished);
      for (const method of ['GET', 'POST'])
        i.simulator.faults.add({ match: { method, times: 'always' }, action: 'fail-before', status: 503 });
      await i.worker();
      await i.until('the recovery waits for the provider', (s) => s.rotation?.recovering === true && s.rotation.parked);
      await awake(frozen);
      i.simulator.faults.clear();
      await i.until('version 2 is current', (s) => s.current?.version === 2 && s.rotation === null);
      expect(madeIn(i)).toEqual([strategy === 'rotation' ? 'rotate' : 'create-key']);
      await expectAllWell(i, 2);
    },
  );
});

/**
 * A worker that has stopped itself at this point. It reaches Temporal over a line that is cut as it freezes: a machine that sleeps loses its
 * connections, and a server that still believed in them would hand it tasks for another minute.
 */
async function frozenWorker(
  i: Installation,
  at: Point,
  onTestFinished: TestContext['onTestFinished'],
): Promise<WorkerProcess & { restore(): void }> {
  const line = await cuttableLine((await i.config()).temporal.address ?? '', onTestFinished);
  const worker = await workerProcess(i, { at, signal: 'SIGSTOP', address: line.address, onTestFinished });
  await i.request('r-1');
  await worker.frozen();
  line.cut();
  return { ...worker, restore: line.restore };
}

async function mendedByAnother(i: Installation): ReturnType<Installation['until']> {
  await i.worker();
  return i.until(
    'version 2 is current',
    (s) => s.current?.version === 2 && s.rotation === null && s.debts.length === 0,
  );
}

/** It goes on where it stood. It reaches Temporal, which would cancel its step, only when it has nothing in hand any more, and ends. */
async function awake(frozen: WorkerProcess & { restore(): void }): Promise<void> {
  frozen.kill('SIGCONT');
  await frozen.quiet;
  frozen.restore();
  await frozen.ended;
}
