/**
 * The exhaustive search: every run with at most n deviations from what goes well, by growing n. A run is repeated from its start for each tape
 * (stateless); what can follow a state is searched once, where it was reached with the fewest deviations.
 */
import { createHash } from 'node:crypto';
import { firstRequest, request } from './events.js';
import { judge, type Violation } from './invariants.js';
import type { Scenario } from './scenario.js';
import { SparseTape, WrittenTape, type Choice, type Chooser, type Deviation } from './tape.js';
import { World, type WorldOptions } from './world.js';

export interface CounterExample extends Violation {
  readonly scenario: string;
  readonly deviations: readonly Choice[];
}

export interface Searched {
  readonly scenario: string;
  readonly runs: number;
  readonly states: number;
  /** The longest run, in choice points. */
  readonly depth: number;
  /** Every run with this many deviations was judged. */
  readonly complete: number;
  readonly found: CounterExample | null;
}

export interface Bounds {
  /** Most deviations in one run. */
  readonly deviations: number;
  /** Real time. */
  readonly untilMs: number;
}

/** One rotation, from its request until nothing is left to do. */
export async function run(
  scenario: Scenario,
  tape: Chooser,
  options: WorldOptions,
): Promise<{ world: World; violation: Violation | null }> {
  const world = new World(scenario, tape, { maximumAttempts: 1, ...options });
  try {
    request(world, firstRequest);
    await world.runUntil(world.now() + scenario.endsAfterMs);
    return { world, violation: judge(world) };
  } finally {
    world.close();
  }
}

/** A counter-example once more, from its words; `left`: deviations for which there was no occasion. */
export async function replay(
  scenario: Scenario,
  deviations: readonly Choice[],
  options: WorldOptions = {},
): Promise<{ world: World; violation: Violation | null; left: readonly Choice[] }> {
  const tape = new WrittenTape(deviations);
  return { ...(await run(scenario, tape, options)), left: tape.left };
}

export async function search(scenario: Scenario, bounds: Bounds, options: WorldOptions = {}): Promise<Searched> {
  const known = new Set<string>();
  const isNew = (state: string): boolean => {
    const digest = createHash('md5').update(state).digest('base64');
    if (known.has(digest)) return false;
    known.add(digest);
    return true;
  };
  let runs = 0;
  let depth = 0;
  let level: readonly (readonly Deviation[])[] = [[]];
  for (let deviations = 0; ; deviations++) {
    const last = deviations === bounds.deviations;
    const next: (readonly Deviation[])[] = [];
    for (const tapeOf of level) {
      const tape = new SparseTape(tapeOf, last ? null : isNew);
      const { violation } = await run(scenario, tape, options);
      runs += 1;
      depth = Math.max(depth, tape.length);
      const seen = { scenario: scenario.name, runs, states: known.size, depth, complete: deviations - 1 };
      if (violation) return { ...seen, found: { ...violation, scenario: scenario.name, deviations: tape.taken } };
      if (performance.now() >= bounds.untilMs) return { ...seen, found: null };
      for (const open of tape.open) next.push([...tapeOf, open]);
    }
    level = next;
    if (last || level.length === 0)
      return { scenario: scenario.name, runs, states: known.size, depth, complete: deviations, found: null };
  }
}
