import { z } from 'zod';
import { actionsOf, type ControlAction, controlHandler } from '../shared/control.js';
import { changeRules } from '../shared/rules.js';
import { describeForStdout } from './describe.js';
import { tenantRulesSchema } from './rules.js';
import type { MambuSimulator } from './simulator.js';

const consumerId = z.string().min(1);
const seconds = z.int().min(0).max(100_000_000);
const seed = z.strictObject({
  id: z.string().min(1).optional(),
  name: z.string().min(1).optional(),
  permissions: z.array(z.string()).optional(),
  expirationTime: seconds.optional(),
});
const user = z.strictObject({ username: z.string(), password: z.string(), permissions: z.array(z.string()) });

const action = actionsOf<MambuSimulator>();

/** POST /admin/NAME with a JSON object: the UI actions of `AdminActions`. */
export const mambuAdminActions: Readonly<Record<string, ControlAction<MambuSimulator>>> = {
  'add-consumer': action(seed, (simulator, asked) => simulator.addConsumer(asked)),
  'delete-consumer': action(z.strictObject({ consumerId }), (simulator, asked) =>
    simulator.deleteConsumer(asked.consumerId),
  ),
  'set-permissions': action(z.strictObject({ consumerId, permissions: z.array(z.string()) }), (simulator, asked) =>
    simulator.setPermissions(asked.consumerId, asked.permissions),
  ),
  'create-key': action(z.strictObject({ consumerId, expirationTime: seconds.optional() }), (simulator, asked) =>
    simulator.createKey(asked.consumerId, asked.expirationTime),
  ),
  'delete-key': action(z.strictObject({ keyId: z.string() }), (simulator, { keyId }) => simulator.deleteKey(keyId)),
  'regenerate-secret': action(z.strictObject({ consumerId }), (simulator, asked) =>
    simulator.regenerateSecret(asked.consumerId),
  ),
  'set-user': action(user, (simulator, asked) => simulator.setUser(asked)),
  'unblock-ip': (simulator) => simulator.unblockIp(),
  'set-grace': action(z.strictObject({ graceMs: z.int().min(0) }), (simulator, { graceMs }) =>
    simulator.setGrace(graceMs),
  ),
  'set-automatic-expiry': action(z.strictObject({ seconds: seconds.nullable() }), (simulator, asked) =>
    simulator.setAutomaticExpiry(asked.seconds),
  ),
  'clone-sandbox': async (simulator) => describeForStdout(await simulator.cloneSandbox()),
};

export const mambuControlHandler = (simulator: () => MambuSimulator) =>
  controlHandler({
    simulator,
    describe: describeForStdout,
    changeRules: ({ rules }, changes) => changeRules(tenantRulesSchema, rules, changes),
    adminActions: mambuAdminActions,
  });
