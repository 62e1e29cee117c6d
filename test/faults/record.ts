/** What a rotation does to the outside, recorded: the matrix is only as complete as this. */
import { startCellWorker } from './cell-worker.mjs';
import { Cleanups } from './cleanups.js';
import { atRest } from './run-cell.js';
import { sceneOf } from './scene.js';
import { lossOf, type Counts, type Path, type Strategy } from './surface.js';

const REST_WITHIN_MS = 60_000;

/** Of a rotation without any fault, or of one whose one create loses its answer; with the retirement of the old key. */
export async function record(strategy: Strategy, path: Path): Promise<Counts> {
  const cleanups = new Cleanups();
  const onTestFinished = cleanups.add;
  try {
    const scene = await sceneOf(strategy, { onTestFinished, behindGate: false });
    if (path === 'recovery') scene.simulator.faults.add({ match: lossOf(strategy), action: 'drop-after-commit' });
    const worker = await startCellWorker({ configFile: scene.configFile }, () => undefined);
    onTestFinished(() => worker.stop());
    await scene.request('r-1');
    await atRest(scene, ['r-1'], REST_WITHIN_MS);
    const calls = new Map<string, number>();
    for (const { method, route } of scene.truth().requests)
      calls.set(`${method} ${route}`, (calls.get(`${method} ${route}`) ?? 0) + 1);
    return { calls: Object.fromEntries(calls), operations: ofRotation(worker.operations()) };
  } finally {
    await cleanups.run();
  }
}

/** Without what a worker reads before it polls, which belongs to no rotation, and without whose store it is, which is read anew every few seconds. */
export function ofRotation(operations: Counts['operations']): Counts['operations'] {
  return Object.fromEntries(
    Object.entries(operations).filter(([name]) => !name.startsWith('outside.') && !name.endsWith('.read-installation')),
  );
}
