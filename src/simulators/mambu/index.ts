/** A strict simulation of one Mambu tenant. It shares no code with the client that it judges. */
export { createCircuitBreaker } from './circuit-breaker.js';
export { describeForStdout } from './describe.js';
export type { Fault } from '../shared/faults.js';
export { type Oracle, type OracleData, oracleOf } from './oracle.js';
export type { TenantRules } from './rules.js';
export { type MambuSimulator, type MambuSimulatorOptions, startMambuSimulator } from './simulator.js';
export { type DeliveryReport, sendWebhook, type WebhookOptions } from './webhook-sender.js';
