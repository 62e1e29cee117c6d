/** For tests of your own: the strict simulators of Mambu and Apigee, and a webhook sender that behaves like Mambu's. */
export {
  type ApigeeOracle,
  type ApigeeRules,
  type ApigeeSeed,
  type ApigeeSimulator,
  type ApigeeSimulatorOptions,
  startApigeeSimulator,
} from '../simulators/apigee/index.js';
export {
  type DeliveryReport,
  type Fault,
  type MambuSimulator,
  type MambuSimulatorOptions,
  type Oracle,
  sendWebhook,
  startMambuSimulator,
  type TenantRules,
  type WebhookOptions,
} from '../simulators/mambu/index.js';
