/** What can happen to the end of an old key. */
import assert from 'node:assert/strict';
import { previousOf, type CredentialRecord } from '../../domain/record.js';
import type { Harm } from './faults.js';
import { assertInvariants, assertOutput } from './invariants.js';
import { answered, conclude, published, type Case, type Trial } from './trial.js';

/** One rotation, and then a first attempt on its old key that is harmed; false where nothing is to be called for its end. */
async function retiresHarmed(trial: Trial, harm: Harm): Promise<boolean> {
  const { bench } = trial;
  published(await bench.rotate());
  bench.watch.add({ on: 'retire', harm });
  await bench.work();
  if (bench.watch.unused().length === 0) return true;
  assert.equal(trial.class, 'D', 'an old key is ended by a call');
  bench.watch.clearFaults();
  return false;
}

const retirementOf = (record: CredentialRecord): string | undefined => previousOf(record)[0]?.retirement?.state;

export const casesOfEnding: readonly Case[] = [
  ...(['answer-lost', 'answer-500', 'answer-garbled'] as const).map((kind): Case => ({
    name: `ends an old key whose end was executed, and takes its absence for done: ${kind}`,
    async run(trial) {
      await retiresHarmed(trial, { kind });
      await conclude(trial);
    },
  })),
  ...([answered(503), answered(429, { 'retry-after': '60' }), { kind: 'unreachable' }, answered(400)] as const).map(
    (harm): Case => ({
      name: `owes the end of an old key, visibly, until it is had: ${harm.kind === 'answered-instead' ? harm.answer.status : harm.kind}`,
      async run(trial) {
        const isHarmed = await retiresHarmed(trial, harm);
        assert.equal(retirementOf(await trial.bench.record()) === 'debt', isHarmed);
        await conclude(trial);
      },
    }),
  ),
  {
    name: 'ends a key whose entry in keyturn.yaml is gone, or owes it visibly until the entry is back',
    async run(trial) {
      const { bench } = trial;
      const old = await bench.values();
      published(await bench.rotate());
      bench.setInConfig(false);
      while (retirementOf(await bench.record()) !== 'debt' && (await bench.work()));
      bench.setInConfig(true);
      await bench.settle();
      assert.equal(await bench.system.accepts(old), false);
      await assertInvariants(bench, trial.strangers);
    },
  },
  {
    name: 'suspends a key so that it can be restored',
    needs: 'restore',
    async run({ bench }) {
      const { provider, system } = bench;
      published(await bench.rotate());
      const old = await bench.values(1);
      const context = bench.context(await bench.values());
      await provider.retire(context, old.keyId, 'suspend');
      assert.equal(await system.accepts(old), false);
      await provider.restore?.(context, old.keyId);
      assert.ok(await system.accepts(old));
      assertOutput(bench);
    },
  },
];
