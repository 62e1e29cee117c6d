import { test } from 'vitest';
import { scenario } from './scenario.js';
import { replay } from './search.js';
import { narrate } from './narrate.js';
test('dbg', async () => {
  const [name, ...devs] = JSON.parse(process.env.CX!);
  const { world, violation, left } = await replay(scenario(name), devs);
  console.log(narrate(world) + '\n' + JSON.stringify(violation) + JSON.stringify(left));
});
