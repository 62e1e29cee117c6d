import { test } from 'vitest';
import { checkRandomly } from './random.js';
test('random', async () => {
  const t = performance.now();
  await checkRandomly(Number(process.env.SEED ?? 1), 100000, 1000 * Number(process.env.T ?? 20));
  console.log(performance.now() - t);
}, 300000);
