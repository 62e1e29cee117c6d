/** What `npm run explore` runs: the exhaustive search of every scenario, or of the naive variants. Options come from scripts/explore.mjs. */
import { expect, test } from 'vitest';
import { naive, searchNaive } from './naive.js';
import { narrate } from './narrate.js';
import { checkRandomly } from './random.js';
import { scenarios } from './scenario.js';
import { replay, search, type CounterExample } from './search.js';

interface Options {
  readonly naive: boolean;
  readonly depth: number;
  readonly seconds: number;
  readonly scenario: string | null;
  /** Set: random commands from this seed on instead of the exhaustive search. */
  readonly seed: number | null;
}

const options = JSON.parse(process.env['KEYTURN_EXPLORE'] ?? '') as Options;

// oxlint-disable-next-line no-console -- a command's output
const print = (line: string): void => console.log(line);

test.runIf(options.naive)('naive variants', async () => {
  let green = 0;
  for (const variant of naive) {
    const found = await searchNaive(variant, options.depth);
    if (!found) green += 1;
    print(found ? `${variant.name} red` : `${variant.name} green`);
    if (found) print(`  ${found.invariants.join('; ')}\n  ${found.what}${after(found)}`);
  }
  expect(green, 'naive variants that nothing was found against').toBe(0);
});

test.runIf(options.seed !== null)('random commands', async () => {
  const runs = await checkRandomly(options.seed ?? 0, Number.POSITIVE_INFINITY, options.seconds * 1_000);
  print(`${runs} runs of random commands: green`);
  expect(runs).toBeGreaterThan(0);
});

test.runIf(!options.naive && options.seed === null)('scenarios', async () => {
  const wanted = scenarios.filter((s) => options.scenario === null || s.name === options.scenario);
  expect(wanted.length, `a scenario named ${options.scenario}`).toBeGreaterThan(0);
  const endMs = performance.now() + options.seconds * 1_000;
  let red = 0;
  print(columns(['scenario', 'deviations', 'runs', 'states', 'depth', 'verdict']));
  for (const [i, scenario] of wanted.entries()) {
    // What one scenario leaves of its share is the others'.
    const untilMs = performance.now() + (endMs - performance.now()) / (wanted.length - i);
    const { complete, runs, states, depth, found } = await search(scenario, { deviations: options.depth, untilMs });
    print(columns([scenario.name, `all of ${complete}`, runs, states, depth, found ? 'red' : 'green']));
    if (!found) continue;
    red += 1;
    const { world } = await replay(scenario, found.deviations);
    print(`  ${found.invariants.join('; ')}\n  ${found.what}${after(found)}\n${narrate(world)}`);
    print(`  as a regression: ${JSON.stringify({ scenario: scenario.name, deviations: found.deviations })}`);
  }
  print('\ndeviations: every run with up to so many was judged. depth: choice points of the longest run.');
  expect(red, 'scenarios with a counter-example').toBe(0);
});

function after({ deviations }: CounterExample): string {
  if (deviations.length === 0) return ', though nothing went wrong';
  return ` after\n${deviations.map((d) => `    ${d.point}: ${d.chosen}`).join('\n')}`;
}

function columns([name, ...rest]: readonly (string | number)[]): string {
  return String(name).padEnd(18) + rest.map((cell) => String(cell).padStart(11)).join('');
}
