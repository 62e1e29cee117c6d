/** For tests of your own: strict simulators, a webhook sender that behaves like Mambu's, and the conformance kit of providers. */
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
export { startApigeeSimulator } from '../simulators/apigee/index.js';
export { describeProvider } from './conformance/describe.js';
export type { ProviderUnderTest, SystemUnderTest, TestFramework, VendorAnswer } from './conformance/subject.js';
