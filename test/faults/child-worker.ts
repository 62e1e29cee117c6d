/** A cell's worker in a process of its own, which ends or freezes itself right after the fault. */
import { fileURLToPath } from 'node:url';
import { cuttableLine } from '../support/cuttable-line.js';
import { spawnWorker } from '../support/worker-process.js';
import type { AddCleanup } from './cleanups.js';
import type { CellWorkerSpec } from './cell-worker.mjs';

export interface ChildWorker {
  /** Settles when it is dead, or frozen and cut off from Temporal. */
  struck(): Promise<void>;
  /** Settles when what it had in hand has come to its end. */
  wake(): Promise<void>;
}

const script = fileURLToPath(new URL('./cell-worker.mjs', import.meta.url));

/** Resolves when it polls. */
export async function childWorker(
  spec: CellWorkerSpec,
  fate: 'killed' | 'frozen',
  temporalAddress: string,
  onTestFinished: AddCleanup,
): Promise<ChildWorker> {
  const signal = fate === 'killed' ? 'SIGKILL' : 'SIGSTOP';
  const line = fate === 'frozen' ? await cuttableLine(temporalAddress, onTestFinished) : null;
  const argument: CellWorkerSpec = { ...spec, signal, ...(line ? { address: line.address } : {}) };
  const worker = await spawnWorker(script, argument, onTestFinished);
  return {
    async struck() {
      if (line === null) return void (await worker.ended);
      await worker.frozen();
      line.cut();
    },
    async wake() {
      worker.kill('SIGCONT');
      await worker.quiet;
      line?.restore();
      await worker.ended;
    },
  };
}
