import { once } from 'node:events';
import { ZodError } from 'zod';
import { KeyturnError } from '../../domain/errors.js';
import { describeApigeeForStdout, startApigeeSimulator } from '../../simulators/apigee/index.js';
import { describeForStdout, startMambuSimulator } from '../../simulators/mambu/index.js';
import type { Commands, Pair } from '../definitions.js';
import type { Action } from '../run.js';

interface Running {
  readonly description: object;
  close(): Promise<void>;
}

type Flags = Commands['simulate']['flags'];

export const run: Action<'simulate'> = async ({ out, signal }, [provider], flags) => {
  const simulator = await started(provider === 'apigee' ? apigee : mambu, flags);
  try {
    out.answer(simulator.description, JSON.stringify(simulator.description));
    if (!signal.aborted) await once(signal, 'abort');
  } finally {
    await simulator.close();
  }
  return {};
};

async function mambu({ port, controlPort, seed, rule }: Flags): Promise<Running> {
  const tenant = rulesOf(rule);
  const simulator = await startMambuSimulator({ port, controlPort, tenant, seed: seed?.map((id) => ({ id })) });
  return { description: describeForStdout(simulator), close: () => simulator.close() };
}

async function apigee({ port, controlPort, seed, rule }: Flags): Promise<Running> {
  if (seed !== undefined && seed.length > 1) {
    throw new KeyturnError('KT-USAGE', '--seed: one app; more can be added over the control API');
  }
  const simulator = await startApigeeSimulator({ port, controlPort, rules: rulesOf(rule), seed: { app: seed?.[0] } });
  return { description: describeApigeeForStdout(simulator), close: () => simulator.close() };
}

async function started(start: (flags: Flags) => Promise<Running>, flags: Flags): Promise<Running> {
  try {
    return await start(flags);
  } catch (error) {
    if (error instanceof ZodError) {
      const wrong = error.issues.map(({ path, message }) => [...path.map(String), message].join(': '));
      throw new KeyturnError('KT-USAGE', `--rule: ${wrong.join('; ')}`);
    }
    if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') {
      throw new KeyturnError('KT-USAGE', 'the port is in use', { hint: 'Name another one, or none for any free one.' });
    }
    throw error;
  }
}

const rulesOf = (rules: readonly Pair[] = []) =>
  Object.fromEntries(rules.map(([name, value]) => [name, valueOf(value)]));

/** Numbers, true, false and null as JSON has them; anything else is text. */
function valueOf(text: string): unknown {
  return /^(?:-?\d+|true|false|null)$/.test(text) ? JSON.parse(text) : text;
}
