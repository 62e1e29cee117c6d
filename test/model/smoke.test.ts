import { test } from 'vitest';
import { scenarios } from './scenario.js';
import { search } from './search.js';

test('smoke', async () => {
  for (const s of scenarios) {
    if (process.env.S && s.name !== process.env.S) continue;
    const t0 = performance.now();
    const r = await search(s, { deviations: Number(process.env.K ?? 1), untilMs: performance.now() + 1000 * Number(process.env.T ?? 20) });
    console.log(JSON.stringify(r), ((performance.now() - t0)/r.runs).toFixed(2), 'ms/run');
  }
}, 600000);
