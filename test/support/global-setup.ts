import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { TestProject } from 'vitest/node';
import { searchAttributes } from '../../src/contract.js';
import { ensureTemporalBinary } from '../../src/dev/temporal-binary.js';
import { startTemporalServer } from '../../src/dev/temporal-server.js';

/** What the global setup hands to the tests; read it through test/support/temporal.ts. */
export interface ProvidedTemporal {
  readonly binary: string;
  readonly address: string;
  readonly namespace: string;
}

declare module 'vitest' {
  interface ProvidedContext {
    temporal: ProvidedTemporal;
  }
}

interface Shared {
  readonly temporal: ProvidedTemporal;
  stop(): Promise<void>;
}

/** Each project loads this file anew in the one main process of vitest: the server they share hangs on a symbol. */
const key = Symbol.for('keyturn.test.shared-temporal');
const holder = globalThis as { [key]?: { users: number; shared: Promise<Shared> } };

/**
 * Builds the product and starts the one Temporal server that the tests share. Ambient TEMPORAL_* variables are ignored;
 * KEYTURN_TEST_TEMPORAL_ADDRESS, set on purpose, replaces that server.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const state = (holder[key] ??= { users: 0, shared: start() });
  state.users += 1;
  const shared = await state.shared;
  project.provide('temporal', shared.temporal);
  return async () => {
    state.users -= 1;
    if (state.users > 0) return;
    delete holder[key];
    await shared.stop();
  };
}

async function start(): Promise<Shared> {
  await build();
  const { path: binary } = await ensureTemporalBinary({ log: (line) => process.stderr.write(`${line}\n`) });
  const namespace = 'default';
  const replacement = process.env['KEYTURN_TEST_TEMPORAL_ADDRESS'];
  if (replacement) return { temporal: { binary, address: replacement, namespace }, stop: async () => undefined };
  const server = await startTemporalServer({ binary, namespace, searchAttributes });
  return { temporal: { binary, address: server.address, namespace }, stop: server.stop };
}

/** KEYTURN_TEST_WITHOUT_BUILD=1 takes dist as it is: for work on tests while the tree does not compile. */
async function build(): Promise<void> {
  if (process.env['KEYTURN_TEST_WITHOUT_BUILD'] === '1') return;
  const script = fileURLToPath(new URL('../../scripts/build.mjs', import.meta.url));
  await promisify(execFile)(process.execPath, [script]).catch((error: unknown) => {
    const output = error instanceof Error && 'stderr' in error ? String(error.stderr) : String(error);
    throw new Error(`the build failed (KEYTURN_TEST_WITHOUT_BUILD=1 tests without building):\n${output}`);
  });
}
