/** For tests of your own: the strict Mambu simulator, and a webhook sender that behaves like Mambu's. */
export {
  sendWebhook,
  startMambuSimulator,
  type MambuSimulator,
  type MambuSimulatorOptions,
} from '../simulators/mambu/index.js';
