import { once } from 'node:events';
import { ZodError } from 'zod';
import { KeyturnError } from '../../domain/errors.js';
import { describeForStdout, type MambuSimulator, startMambuSimulator } from '../../simulators/mambu/index.js';
import type { Commands, Pair } from '../definitions.js';
import type { Action } from '../run.js';

export const run: Action<'simulate'> = async ({ out, signal }, _, flags) => {
  const simulator = await start(flags);
  try {
    const description = describeForStdout(simulator);
    out.answer(description, JSON.stringify(description));
    if (!signal.aborted) await once(signal, 'abort');
  } finally {
    await simulator.close();
  }
  return {};
};

async function start({ port, controlPort, seed, rule }: Commands['simulate']['flags']): Promise<MambuSimulator> {
  try {
    return await startMambuSimulator({
      port,
      controlPort,
      tenant: Object.fromEntries((rule ?? []).map(([name, value]: Pair) => [name, valueOf(value)])),
      seed: seed?.map((id) => ({ id })),
    });
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

/** Numbers, true, false and null as JSON has them; anything else is text. */
function valueOf(text: string): unknown {
  return /^(?:-?\d+|true|false|null)$/.test(text) ? JSON.parse(text) : text;
}
