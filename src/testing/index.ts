/** For tests of your own: the strict Mambu simulator, and a webhook sender that behaves like Mambu's. */
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
