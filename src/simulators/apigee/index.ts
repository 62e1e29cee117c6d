/** A strict simulation of one Apigee organization, management and runtime plane. It shares no code with the client that it judges. */
export { describeApigeeForStdout } from './describe.js';
export type { Oracle as ApigeeOracle } from './oracle.js';
export type { ApigeeRules } from './rules.js';
export type { ApigeeSeed } from './seed.js';
export { type ApigeeSimulator, type ApigeeSimulatorOptions, startApigeeSimulator } from './simulator.js';
