import { expect, test } from 'vitest';
import { naive, searchNaive } from './naive.js';

test.each(naive.map((n) => [n.name, n] as const))('the naive variant %s is red', async (_, variant) => {
  const found = await searchNaive(variant, 1);
  console.log(variant.name, JSON.stringify(found));
  expect(found?.invariants).toContain(variant.breaks);
});
