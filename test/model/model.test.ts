/** One rotation and all that belongs to it, by two drivers over the entity's own code (docs/explanation/model.md). */
import { describe, expect, test } from 'vitest';
import { naive, searchNaive } from './naive.js';
import { checkRandomly } from './random.js';
import { scenarios } from './scenario.js';
import { search } from './search.js';

describe('exhaustively: every run with one thing going wrong keeps every invariant', () => {
  test.each(scenarios.map((s) => [s.name, s] as const))('%s', async (_, scenario) => {
    const searched = await search(scenario, { deviations: 1, untilMs: Number.POSITIVE_INFINITY });
    expect(searched).toMatchObject({ complete: 1, found: null });
  });
});

describe('randomly', () => {
  // The seed is fixed, so that a red run stays red; `npm run explore -- --seed N` draws others.
  test('requests, operators, faults, terminations and time in any order keep every invariant', async () => {
    expect(await checkRandomly(20_261_121, 1_500, 12_000)).toBeGreaterThan(0);
  });
});

describe('naive variants turn their invariant red', () => {
  test.each(naive.map((n) => [n.name, n] as const))('%s', async (_, variant) => {
    const found = await searchNaive(variant, 1);
    expect(found?.invariants).toContain(variant.breaks);
  });
});
