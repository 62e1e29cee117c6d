/** The tests of the kit: one fault of a rotation each, and what has to become of it by the class of the provider's capability. */
import assert from 'node:assert/strict';
import { classOf, type Capability } from '../../domain/capability.js';
import type { RotationFacts } from '../../domain/record.js';
import { pluginBlock } from '../../config/plugins.js';
import type { Bench } from './bench.js';
import type { Call, Harm } from './faults.js';
import { assertInvariants, assertOutput } from './invariants.js';
import type { ProviderUnderTest, VendorAnswer } from './subject.js';
import type { Sent } from './watch.js';

type Class = ProviderUnderTest['class'];

/** Around one test. */
interface Trial {
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

/** The cases that there are for this provider. */
export function casesFor({ provider, class: expected }: ProviderUnderTest): readonly Case[] {
  return cases.filter(
    ({ classes, needs }) =>
      (classes?.includes(expected) ?? true) && (needs === undefined || provider[needs] !== undefined),
  );
}

/** Runs one case on an installation of its own. */
export async function runCase(subject: ProviderUnderTest, { run }: Case): Promise<void> {
  // Loads Temporal and most of keyturn: those who import `keyturn/testing` for a simulator do not need it.
  const { openBench } = await import('./bench.js');
  const bench = await openBench(subject);
  try {
    const capability = bench.provider.capability(bench.credential.settings);
    assert.equal(classOf(capability), subject.class, 'the class that follows from its capability');
    await run({ bench, subject, capability, class: subject.class, strangers: await strangersOf(bench) });
  } finally {
    await bench.close();
  }
}

async function strangersOf({ system }: Bench): Promise<readonly string[]> {
  const living = await system.livingKeys();
  assert.ok(living.includes(system.seed.keyId), 'the seed is alive');
  return living.filter((id) => id !== system.seed.keyId);
}

const forbidden: VendorAnswer = { status: 403, body: '{}' };
const refused: VendorAnswer = { status: 401, body: '{}' };
const empty = (status: number, headers: VendorAnswer['headers'] = {}): Harm => ({
  kind: 'answered-instead',
  answer: { status, headers, body: '{}' },
});

const FOREVER = 1_000_000;
const RETRY_AFTER_SECONDS = 7;

const createsIn = ({ bench }: Trial, rotation = bench.watch.rotations): readonly Sent[] =>
  bench.watch.sent.filter((one) => one.call === 'create' && one.effect === 'write' && one.rotation === rotation);

function published({ outcome, error }: RotationFacts): void {
  assert.ok(outcome === 'rotated' || outcome === 'rotated-with-debt', `outcome ${outcome} ${error?.message ?? ''}`);
}

/** Old keys die at their time; nothing is left over; and the next rotation works. */
async function conclude(trial: Trial): Promise<void> {
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
async function assertUntouched({ bench, strangers }: Trial): Promise<void> {
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

/** The new key is refused until the faults are used up. */
function refuseNewKey({ bench, subject }: Trial, times: number): void {
  bench.watch.add({
    on: 'verify',
    harm: { kind: 'answered-instead', answer: subject.answers?.refused ?? refused },
    times,
  });
}

/** One rotation, and then a first attempt on its old key that is harmed; false where nothing is to be called for its end. */
async function retiresHarmed(trial: Trial, harm: Harm, times = 1): Promise<boolean> {
  const { bench } = trial;
  published(await bench.rotate());
  bench.watch.add({ on: 'retire', harm, times });
  await bench.work();
  if (bench.watch.unused().length === 0) return true;
  bench.watch.clearFaults();
  return false;
}

const outages = [
  ['inventory', 'unreachable'],
  ['inventory', 'answer-garbled'],
  ['inventory', 'answer-late'],
  ['verify', 'answer-500'],
  ['verify', 'answer-garbled'],
] as const satisfies readonly (readonly [Call, Harm['kind']])[];

const cases: readonly Case[] = [
  {
    name: 'reads its settings strictly, and its identity leads back to the same account',
    async run({ bench, subject }) {
      const { provider, system, credential, watch } = bench;
      const { settings } = provider;
      assert.equal(settings.safeParse({ ...system.settings, 'no-such-setting': 1 }).success, false, 'unknown settings');
      const identity = provider.identity(credential.settings);
      const known = provider.identity(provider.settingsOf(identity));
      assert.deepEqual(known, identity);
      assert.equal(identity.provider, subject.provider.name);
      const fields = Object.entries(provider.secretFields);
      const required = fields.filter(([, field]) => field.required).map(([name]) => name);
      assert.deepEqual(
        required.filter((name) => system.seed.fields[name] === undefined),
        [],
        'required fields',
      );
      assert.deepEqual(
        Object.keys(system.seed.fields).filter((name) => provider.secretFields[name] === undefined),
        [],
      );
      watch.texts.push(JSON.stringify({ identity, shown: provider.publicSettings(credential.settings) }));
      assertOutput(bench);
    },
  },
  {
    name: 'is refused without `acceptGap`, for there is no overlap',
    classes: ['E'],
    async run({ bench, subject }) {
      const { acceptGap: _, ...settings } = bench.system.settings;
      assert.equal(pluginBlock(subject.provider).schema.safeParse(settings).success, false);
    },
  },
  {
    name: 'publishes a new key, keeps the old one for its grace, then ends it, and leaves keys of others alone',
    async run(trial) {
      const { bench } = trial;
      const old = await bench.values();
      const rotation = await bench.rotate();
      assert.equal(rotation.outcome, 'rotated', rotation.error?.message);
      const fresh = await bench.values();
      assert.ok(await bench.system.accepts(fresh), 'the new key works');
      assert.equal((await bench.record()).versions.find((v) => v.stage === 'current')?.verifiedAtMs === null, false);
      if (trial.class !== 'E') {
        assert.ok(await bench.system.accepts(old), 'the old key works at publish');
        const { refreshWithinMs } = bench.credential.policy;
        bench.advanceTo(rotation.endedAtMs + refreshWithinMs);
        assert.ok(await bench.system.accepts(old), 'and until every consumer has the new one');
      }
      await bench.settle();
      assert.equal(await bench.system.accepts(old), false, 'then it is dead');
      const graceMs = bench.credential.policy.refreshWithinMs + bench.credential.policy.graceMs;
      const early = bench.watch.sent.filter((s) => s.call === 'retire' && s.effect === 'write');
      for (const { atMs } of early) assert.ok(atMs >= rotation.endedAtMs + graceMs, 'and was not revoked before');
      await conclude(trial);
    },
  },
  {
    name: 'rotates again while an older key is still in its grace',
    async run(trial) {
      published(await trial.bench.rotate());
      published(await trial.bench.rotate());
      await conclude(trial);
    },
  },
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
      trial.bench.watch.add({ on: 'create', harm: empty(429, { 'retry-after': String(RETRY_AFTER_SECONDS) }) });
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
      const rotation = await refusesToMake(trial, trial.subject.answers?.forbidden ?? forbidden);
      assert.equal(rotation.error?.code, 'KT-FORBIDDEN');
    },
  },
  {
    name: 'rotates without the permission to list, and says which proof is missing',
    async run(trial) {
      const { bench, subject } = trial;
      const answer = subject.answers?.forbidden ?? forbidden;
      const harm = { kind: 'answered-instead', answer } as const;
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
    async run(trial) {
      refuseNewKey(trial, 1);
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
  ...(['answer-lost', 'answer-500', 'answer-garbled'] as const).map((kind): Case => ({
    name: `ends an old key whose end was executed, and takes its absence for done: ${kind}`,
    async run(trial) {
      await retiresHarmed(trial, { kind });
      await conclude(trial);
    },
  })),
  ...([empty(503), empty(429, { 'retry-after': '60' }), { kind: 'unreachable' }, empty(400)] as const).map(
    (harm): Case => ({
      name: `owes the end of an old key, visibly, until it is had: ${harm.kind === 'answered-instead' ? harm.answer.status : harm.kind}`,
      async run(trial) {
        const isHarmed = await retiresHarmed(trial, harm);
        const states = (await trial.bench.record()).versions.map((v) => v.retirement?.state);
        assert.equal(states.includes('debt'), isHarmed);
        await conclude(trial);
      },
    }),
  ),
  {
    name: 'ends a key whose entry in keyturn.yaml is gone, from its identity alone',
    async run(trial) {
      const { bench } = trial;
      const old = await bench.values();
      published(await bench.rotate());
      bench.removeFromConfig();
      await bench.settle();
      assert.equal(await bench.system.accepts(old), false);
      await assertInvariants(bench, trial.strangers);
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
