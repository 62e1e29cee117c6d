/** The second driver: drawn commands on the same world, judged by the same invariants. */
import fc from 'fast-check';
import { emptyAccount } from '../../src/custody/lockout-account.js';
import { commands } from './commands.js';
import { happen, request } from './events.js';
import { judge } from './invariants.js';
import { narrate } from './narrate.js';
import { hour, scenarios, type Scenario } from './scenario.js';
import { DrawnTape } from './tape.js';
import { World } from './world.js';

const HEALED_MS = 24 * hour;

/** Which scenarios: faults of every kind, and no events but the drawn ones. */
const drawn: readonly Scenario[] = scenarios
  .filter((s) => s.faults === 'all' && s.capability.keyTtlMs === undefined)
  .map((s) => ({ ...s, events: [], rot: false, toString: () => s.name }));

const PER_SEED = 100;

/**
 * Seeds one after the other, each with the same number of runs, until the time is up.
 * @returns how many runs were judged
 * @throws Error with the shrunk commands, the story of the run and the invariants that broke
 */
export async function checkRandomly(seed: number, maximumRuns: number, limitMs: number): Promise<number> {
  const untilMs = performance.now() + limitMs;
  let runs = 0;
  while (runs < maximumRuns && performance.now() < untilMs) {
    await fc.assert(keepsInvariants, { seed: seed + runs / PER_SEED, numRuns: PER_SEED });
    runs += PER_SEED;
  }
  return runs;
}

async function rotates(world: World, requestId: string): Promise<string> {
  request(world, { requestId, reason: 'routine', source: 'operator' });
  await world.runUntil(world.now() + HEALED_MS);
  const ended = world.disk.opened?.record.history.find((h) => h.requestId === requestId);
  return ended ? `${ended.outcome} ${ended.error?.code ?? ''}` : 'nothing';
}

const keepsInvariants = fc.asyncProperty(fc.constantFrom(...drawn), commands, async (scenario, cmds) => {
  const tape = new DrawnTape();
  const world = new World(scenario, tape);
  try {
    await fc.asyncModelRun(() => ({ model: { awayMs: 0, faults: 0 }, real: { world, tape } }), cmds);
    // From here on all goes well: whatever is due gets done, and after all that another rotation succeeds.
    tape.clear();
    happen(world, 'resume');
    await world.runUntil(world.now() + HEALED_MS);
    const outcome = await rotates(world, 'last');
    const violation = judge(world);
    if (violation) throw new Error(`${violation.invariants.join(', ')}: ${violation.what}\n${narrate(world)}`);
    // A key that was refused once is not called with again before an operator says so.
    world.disk.account = emptyAccount;
    const able = outcome.startsWith('rotated') ? outcome : await rotates(world, 'after the reset');
    if (!able.startsWith('rotated') && world.disk.opened?.record.capabilityLost === null)
      throw new Error(`11 able to rotate again, or said: the last rotation ended as ${able}\n${narrate(world)}`);
  } finally {
    world.close();
  }
});
