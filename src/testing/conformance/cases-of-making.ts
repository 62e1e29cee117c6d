/** What can happen to the one write that makes a key. */
import assert from 'node:assert/strict';
import type { RotationFacts } from '../../domain/record.js';
import type { Harm } from './faults.js';
import { assertOutput } from './invariants.js';
import type { VendorAnswer } from './subject.js';
import {
  answered,
  assertUntouched,
  conclude,
  createsIn,
  forbidden,
  published,
  type Case,
  type Trial,
} from './trial.js';

const RETRY_AFTER_SECONDS = 7;

const lostAnswers: readonly Harm['kind'][] = [
  'answer-lost',
  'answer-cut',
  'answer-garbled',
  'answer-500',
  'answer-late',
];

/** After a create whose answer was lost. */
async function recovers(trial: Trial, kind: Harm['kind']): Promise<void> {
  const { bench, capability } = trial;
  bench.watch.add({ on: 'create', harm: { kind } as Harm });
  const rotation = await bench.rotate();
  const creates = createsIn(trial);
  if (trial.class === 'E' || (trial.class === 'D' && !capability.intents.includes('create-key')))
    return lostForGood(trial, rotation);
  published(rotation);
  if (trial.class === 'A') assert.equal(new Set(creates.map((one) => one.sameBytes)).size, 1, 'one value is asked for');
  if (trial.class === 'B') {
    assert.ok(creates.length > 1, 'the request is sent again');
    assert.equal(new Set(creates.map((one) => one.sameBytes)).size, 1, 'with the same key and the same bytes');
  }
  if (trial.class === 'D') {
    assert.equal(creates.filter((one) => one.kind === 'rotate').length, 1, 'the rotation is sent once');
  }
  await conclude(trial);
}

/** There is no way to another key: that is said, and the rotation is not sent again. */
async function lostForGood(trial: Trial, rotation: RotationFacts): Promise<void> {
  assert.equal(rotation.outcome, 'needs-operator');
  assert.equal(createsIn(trial).length, 1);
  const record = await trial.bench.record();
  assert.ok(record.capabilityLost, 'the lost ability to rotate is raised');
  assertOutput(trial.bench);
}

async function refusesToMake(trial: Trial, answer: VendorAnswer): Promise<RotationFacts> {
  trial.bench.watch.add({ on: 'create', harm: { kind: 'answered-instead', answer } });
  const rotation = await trial.bench.rotate();
  assert.equal(rotation.outcome, 'failed');
  assert.equal(createsIn(trial).length, 1);
  await assertUntouched(trial);
  await conclude(trial);
  return rotation;
}

export const casesOfMaking: readonly Case[] = [
  ...lostAnswers.map((kind): Case => ({
    name: `recovers a key whose creation was executed: ${kind}`,
    run: (trial) => recovers(trial, kind),
  })),
  {
    name: 'makes one key after the system could not be reached',
    async run(trial) {
      trial.bench.watch.add({ on: 'create', harm: { kind: 'unreachable' }, times: 2 });
      published(await trial.bench.rotate());
      assert.equal(createsIn(trial).filter(({ harm }) => harm === null).length, 1);
      await conclude(trial);
    },
  },
  {
    name: 'waits as long as a 429 says, and makes one key',
    async run(trial) {
      trial.bench.watch.add({ on: 'create', harm: answered(429, { 'retry-after': String(RETRY_AFTER_SECONDS) }) });
      published(await trial.bench.rotate());
      const [first, second] = createsIn(trial);
      assert.ok(first && second && second.atMs - first.atMs >= RETRY_AFTER_SECONDS * 1_000, 'it waits');
      assert.equal(createsIn(trial).length, 2);
      await conclude(trial);
    },
  },
  {
    name: 'fails, with nothing changed, when the creation is refused for good',
    run: async (trial) => void (await refusesToMake(trial, { status: 400, body: '{}' })),
  },
  {
    name: 'fails, with nothing changed, when the permission to create is missing',
    async run(trial) {
      const rotation = await refusesToMake(trial, forbidden(trial));
      assert.equal(rotation.error?.code, 'KT-FORBIDDEN');
    },
  },
];
