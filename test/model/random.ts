/** The second driver: drawn commands on the same world, judged by the same invariants. */
import fc from 'fast-check';
import { commands, type Real, type Spent } from './commands.js';
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
  .map((s) => ({ ...s, events: [], rot: false }));

/** @throws Error with the shrunk commands, the story of the run and the invariant that broke */
export async function checkRandomly(seed: number, runs: number, limitMs: number): Promise<void> {
  const property = fc.asyncProperty(fc.constantFrom(...drawn), commands, async (scenario, cmds) => {
    const tape = new DrawnTape();
    const world = new World(scenario, tape);
    try {
      const real: Real = { world, tape };
      const model: Spent = { awayMs: 0, faults: 0 };
      await fc.asyncModelRun(() => ({ model, real }), cmds);
      // From here on all goes well: whatever is due gets done, and after all that another rotation succeeds.
      tape.clear();
      happen(world, 'resume');
      await world.runUntil(world.now() + HEALED_MS);
      request(world, { requestId: 'last', reason: 'routine', source: 'operator' });
      await world.runUntil(world.now() + HEALED_MS);
      const violation = judge(world);
      if (violation) throw new Error(`${violation.invariants.join(', ')}: ${violation.what}\n${narrate(world)}`);
    } finally {
      world.close();
    }
  });
  await fc.assert(property, { seed, numRuns: runs, interruptAfterTimeLimit: limitMs, endOnFailure: false });
}
