/** One test of the kit: what it has to work with, and what all of them end with. */
import assert from 'node:assert/strict';
import type { Capability } from '../../domain/capability.js';
import type { RotationFacts } from '../../domain/record.js';
import type { Bench } from './bench.js';
import type { Harm } from './faults.js';
import { assertInvariants } from './invariants.js';
import type { ProviderUnderTest, VendorAnswer } from './subject.js';
import type { Sent } from './watch.js';

type Class = ProviderUnderTest['class'];

/** Around one test. */
export interface Trial {
  readonly bench: Bench;
  readonly subject: ProviderUnderTest;
  readonly class: Class;
  readonly capability: Capability;
  /** Ids that were alive before keyturn came, and are nobody's but theirs. */
  readonly strangers: readonly string[];
}

export interface Case {
  readonly name: string;
  /** Which classes it is for; default all. */
  readonly classes?: readonly Class[];
  /** Only where the provider has this method. */
  readonly needs?: 'equip' | 'restore' | 'find';
  readonly run: (trial: Trial) => Promise<void>;
}

/** An answer in the system's place, with an empty object as its body. */
export const answered = (status: number, headers: VendorAnswer['headers'] = {}): Harm => ({
  kind: 'answered-instead',
  answer: { status, headers, body: '{}' },
});

/** What the vendor says where a permission is missing. */
export const forbidden = ({ subject }: Trial): VendorAnswer =>
  subject.answers?.forbidden ?? { status: 403, body: '{}' };

export const createsIn = ({ bench }: Trial, rotation = bench.watch.rotations): readonly Sent[] =>
  bench.watch.sent.filter((one) => one.call === 'create' && one.effect === 'write' && one.rotation === rotation);

export function published({ outcome, error }: RotationFacts): void {
  assert.ok(outcome === 'rotated' || outcome === 'rotated-with-debt', `outcome ${outcome} ${error?.message ?? ''}`);
}

/** Old keys die at their time; nothing is left over; and the next rotation works. */
export async function conclude(trial: Trial): Promise<void> {
  const { bench, strangers } = trial;
  const unused = bench.watch.unused().map(({ on, harm }) => `${harm.kind} on ${on}`);
  assert.deepEqual(unused, [], 'every fault has hit something');
  bench.watch.clearFaults();
  await bench.settle();
  await assertInvariants(bench, strangers);
  published(await bench.rotate());
  await bench.settle();
  await assertInvariants(bench, strangers);
}

/** Nothing was made: the old key is the current one, and the only one. */
export async function assertUntouched({ bench, strangers }: Trial): Promise<void> {
  const record = await bench.record();
  assert.deepEqual(
    record.versions.map(({ version, stage }) => ({ version, stage })),
    [{ version: 1, stage: 'current' }],
  );
  assert.deepEqual(
    [...(await bench.system.livingKeys())].toSorted(),
    [...strangers, bench.system.seed.keyId].toSorted(),
  );
}
