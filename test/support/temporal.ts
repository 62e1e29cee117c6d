import { inject, onTestFinished } from 'vitest';
import { searchAttributes } from '../../src/contract.js';
import { startTemporalServer, type TemporalServer, type TemporalServerOptions } from '../../src/dev/temporal-server.js';
import type { ProvidedTemporal } from './global-setup.js';

/**
 * The Temporal server that all test files share, with keyturn's search attributes. Use your own task queue and
 * credential ids on it: other files work on it at the same time.
 */
export function sharedServer(): ProvidedTemporal {
  return inject('temporal');
}

/**
 * A Temporal server for one test alone, stopped when that test ends: for tests that kill it, count what is in it or look
 * into its database. Outside of a test (in beforeAll) pass `keep: true` and stop it yourself.
 */
export async function ownServer(
  options: Omit<TemporalServerOptions, 'binary'> & { keep?: boolean } = {},
): Promise<TemporalServer> {
  const { keep, ...serverOptions } = options;
  const server = await startTemporalServer({ searchAttributes, ...serverOptions, binary: inject('temporal').binary });
  if (!keep) onTestFinished(() => server.stop());
  return server;
}
