/** For tests of your own: the strict simulators, a webhook sender that behaves like Mambu's, and the conformance kit of providers. */
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
export { describeProvider } from './conformance/describe.js';
export type { ProviderUnderTest, SystemUnderTest, TestFramework, VendorAnswer } from './conformance/subject.js';
