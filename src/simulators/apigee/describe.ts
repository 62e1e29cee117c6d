import type { ApigeeSimulator } from './simulator.js';

/** What a process that runs the simulator prints for its parent: one JSON object, secrets of the seed included. */
export function describeApigeeForStdout({
  managementUrl,
  runtimeUrl,
  tokenUrl,
  metadataUrl,
  controlUrl,
  rules,
  seeded,
}: ApigeeSimulator) {
  return { dialect: rules.dialect, managementUrl, runtimeUrl, tokenUrl, metadataUrl, controlUrl, seeded };
}
