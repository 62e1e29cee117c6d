import type { MambuSimulator } from './simulator.js';

/** What a process that runs the simulator prints for its parent: one JSON object, secrets of the seeds included. */
export function describeForStdout({ baseUrl, controlUrl, seeded }: MambuSimulator) {
  return { baseUrl, controlUrl, consumers: seeded };
}
