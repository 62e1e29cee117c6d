import { z } from 'zod';
import { type ControlAction, controlHandler } from '../shared/control.js';
import { describeForStdout } from './describe.js';
import { parseFaults } from '../shared/faults.js';
import { changeRules } from './rules.js';
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

type Action = ControlAction<MambuSimulator>;

/** POST /admin/NAME with a JSON object: the UI actions of `AdminActions`. */
const adminActions: Readonly<Record<string, Action>> = {
  'add-consumer': (simulator, body) => simulator.addConsumer(seed.parse(body)),
  'delete-consumer': (simulator, body) =>
    simulator.deleteConsumer(z.strictObject({ consumerId }).parse(body).consumerId),
  'set-permissions': (simulator, body) => {
    const asked = z.strictObject({ consumerId, permissions: z.array(z.string()) }).parse(body);
    return simulator.setPermissions(asked.consumerId, asked.permissions);
  },
  'create-key': (simulator, body) => {
    const asked = z.strictObject({ consumerId, expirationTime: seconds.optional() }).parse(body);
    return simulator.createKey(asked.consumerId, asked.expirationTime);
  },
  'delete-key': (simulator, body) => simulator.deleteKey(z.strictObject({ keyId: z.string() }).parse(body).keyId),
  'regenerate-secret': (simulator, body) =>
    simulator.regenerateSecret(z.strictObject({ consumerId }).parse(body).consumerId),
  'set-user': (simulator, body) => simulator.setUser(user.parse(body)),
  'unblock-ip': (simulator) => simulator.unblockIp(),
  'set-grace': (simulator, body) => simulator.setGrace(z.strictObject({ graceMs: z.int().min(0) }).parse(body).graceMs),
  'set-automatic-expiry': (simulator, body) =>
    simulator.setAutomaticExpiry(z.strictObject({ seconds: seconds.nullable() }).parse(body).seconds),
  'clone-sandbox': async (simulator) => describeForStdout(await simulator.cloneSandbox()),
};

/** The control API: for tests in another process, never for a client of the tenant. */
const endpoints: Readonly<Record<string, Action>> = {
  'GET /': (simulator) => describeForStdout(simulator),
  'GET /oracle': (simulator, _body, query) => simulator.oracle({ values: query.get('values') === '1' }),
  'POST /faults': (simulator, body) => {
    const faults = parseFaults(body);
    for (const fault of faults) simulator.faults.add(fault);
    return { added: faults.length };
  },
  'DELETE /faults': (simulator) => simulator.faults.clear(),
  'POST /clock': (simulator, body) => {
    simulator.clock.advance(z.strictObject({ advanceMs: z.number().min(0) }).parse(body).advanceMs);
    return { now: simulator.clock.now() };
  },
  'POST /reset': (simulator) => {
    simulator.reset();
    return describeForStdout(simulator);
  },
  'GET /rules': ({ rules }) => rules,
  'PUT /rules': ({ rules }, body) => changeRules(rules, body),
};

export const mambuControlHandler = (simulator: () => MambuSimulator) =>
  controlHandler(simulator, endpoints, adminActions);
