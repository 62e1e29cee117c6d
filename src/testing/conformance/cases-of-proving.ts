/** What can happen to the reads around a new key, to its scope and to its verification. */
import assert from 'node:assert/strict';
import type { Call, Harm } from './faults.js';
import { assertUntouched, conclude, createsIn, forbidden, published, type Case, type Trial } from './trial.js';

const FOREVER = 1_000_000;

/** The new key is refused until the faults are used up. */
function refuseNewKey({ bench, subject }: Trial, times: number): void {
  bench.watch.add({
    on: 'verify',
    harm: { kind: 'answered-instead', answer: subject.answers?.refused ?? { status: 401, body: '{}' } },
    times,
  });
}

const outages = [
  ['inventory', 'unreachable'],
  ['inventory', 'answer-garbled'],
  ['inventory', 'answer-late'],
  ['verify', 'answer-500'],
  ['verify', 'answer-garbled'],
] as const satisfies readonly (readonly [Call, Harm['kind']])[];

export const casesOfProving: readonly Case[] = [
  {
    name: 'rotates without the permission to list, and says which proof is missing',
    async run(trial) {
      const { bench } = trial;
      const harm = { kind: 'answered-instead', answer: forbidden(trial) } as const;
      if (trial.capability.listable) bench.watch.add({ on: 'inventory', harm, times: FOREVER });
      published(await bench.rotate());
      assert.ok((await bench.record()).lostProofs, 'the missing proof is named');
      await bench.settle();
      assert.equal((await bench.record()).destroyed[0]?.proof, 'elapsed');
      await conclude(trial);
    },
  },
  ...outages.map(([on, kind]): Case => ({
    name: `looks again after an outage of ${on}: ${kind}`,
    async run(trial) {
      trial.bench.watch.add({ on, harm: { kind } });
      published(await trial.bench.rotate());
      assert.equal(createsIn(trial).length, 1);
      await conclude(trial);
    },
  })),
  {
    name: 'takes one refusal of the new key for no verdict',
    classes: ['A', 'B', 'C', 'D'],
    async run(trial) {
      refuseNewKey(trial, 1);
      published(await trial.bench.rotate());
      assert.equal(createsIn(trial).length, 1);
      await conclude(trial);
    },
  },
  {
    name: 'takes an answer that nobody can explain for no verdict, where the old key dies anyway',
    classes: ['D'],
    async run(trial) {
      trial.bench.watch.add({ on: 'verify', harm: { kind: 'answered-instead', answer: { status: 400, body: '{}' } } });
      published(await trial.bench.rotate());
      assert.equal(createsIn(trial).length, 1);
      await conclude(trial);
    },
  },
  {
    name: 'takes a new key back that is refused for good',
    classes: ['A', 'B', 'C'],
    async run(trial) {
      refuseNewKey(trial, 2);
      const rotation = await trial.bench.rotate();
      assert.equal(rotation.outcome, 'rolled-back');
      await trial.bench.settle();
      await assertUntouched(trial);
      await conclude(trial);
    },
  },
  {
    name: 'goes forward to another key where it cannot go back',
    classes: ['D'],
    async run(trial) {
      refuseNewKey(trial, 2);
      published(await trial.bench.rotate());
      await conclude(trial);
    },
  },
  ...(['answer-lost', 'answer-500', 'unreachable'] as const).map((kind): Case => ({
    name: `gives the new key its scope in the end: ${kind}`,
    needs: 'equip',
    async run(trial) {
      trial.bench.watch.add({ on: 'equip', harm: { kind } });
      published(await trial.bench.rotate());
      await conclude(trial);
    },
  })),
];
