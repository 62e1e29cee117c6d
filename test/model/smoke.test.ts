import { Session } from 'node:inspector/promises';
import { writeFileSync } from 'node:fs';
import { test } from 'vitest';
import { scenarios } from './scenario.js';
import { search } from './search.js';

test('smoke', async () => {
  const session = new Session();
  session.connect();
  if (process.env.PROF) {
    await session.post('Profiler.enable');
    await session.post('Profiler.start');
  }
  for (const s of scenarios) {
    if (process.env.S && s.name !== process.env.S) continue;
    const t0 = performance.now();
    const r = await search(s, {
      deviations: Number(process.env.K ?? 1),
      untilMs: performance.now() + 1000 * Number(process.env.T ?? 20),
    });
    console.log(JSON.stringify(r), ((performance.now() - t0) / r.runs).toFixed(2), 'ms/run');
  }
  if (process.env.PROF)
    writeFileSync('/tmp/kt/prof-explore.cpuprofile', JSON.stringify((await session.post('Profiler.stop')).profile));
}, 600000);
