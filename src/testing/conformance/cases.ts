/** The tests of the kit: one fault of a rotation each, and what has to become of it by the class of the provider's capability. */
import assert from 'node:assert/strict';
import { pluginBlock } from '../../config/plugins.js';
import { classOf } from '../../domain/capability.js';
import { currentOf } from '../../domain/record.js';
import type { Bench } from './bench.js';
import { casesOfEnding } from './cases-of-ending.js';
import { casesOfMaking } from './cases-of-making.js';
import { casesOfProving } from './cases-of-proving.js';
import { assertOutput } from './invariants.js';
import type { ProviderUnderTest } from './subject.js';
import { conclude, published, type Case } from './trial.js';

/** The cases that there are for this provider. */
export function casesFor({ provider, class: expected }: ProviderUnderTest): readonly Case[] {
  return [...plainCases, ...casesOfMaking, ...casesOfProving, ...casesOfEnding].filter(
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
  const strangers = living.filter((id) => id !== system.seed.keyId);
  assert.ok(strangers.length > 0, 'beside the seed there is a key of somebody else, which has to stay');
  return strangers;
}

/** Without any fault. */
const plainCases: readonly Case[] = [
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
      assert.ok(currentOf(await bench.record())?.verifiedAtMs, 'and was seen to work');
      if (trial.class !== 'E') {
        assert.ok(await bench.system.accepts(old), 'the old key works at publish');
        const { refreshWithinMs } = bench.credential.policy;
        bench.advanceTo(rotation.endedAtMs + refreshWithinMs);
        assert.ok(await bench.system.accepts(old), 'and until every consumer has the new one');
      }
      await bench.settle();
      assert.equal(await bench.system.accepts(old), false, 'then it is dead');
      if (trial.capability.overlap === 'ours') {
        const { refreshWithinMs, graceMs } = bench.credential.policy;
        const ends = bench.watch.sent.filter(({ call, effect }) => call === 'retire' && effect === 'write');
        const [first] = ends;
        assert.ok(first && first.atMs >= rotation.endedAtMs + refreshWithinMs + graceMs, 'and was not revoked before');
      }
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
];
