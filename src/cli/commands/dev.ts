import { join } from 'node:path';
import type { Config } from '../../config.js';
import { searchAttributes } from '../../contract.js';
import { ensureTemporalBinary } from '../../dev/temporal-binary.js';
import { startTemporalServer, type TemporalServer } from '../../dev/temporal-server.js';
import { KeyturnError } from '../../domain/errors.js';
import { DEFAULT_ADDRESS, isTemporalConfigured } from '../../temporal.js';
import type { Action, Context } from '../run.js';
import { openHost, runServices, serverService, targetOf, workerService } from '../services.js';
import { applyConfig } from '../../apply.js';

const PORT = Number(DEFAULT_ADDRESS.split(':')[1]);

/** Everything in one process; Temporal's data and everything else under `.keyturn/` beside the configuration. */
export const run: Action<'dev'> = async (context) => {
  const config = await context.config();
  const temporal = isConfigured(context, config) ? null : await ownTemporal(context, config);
  try {
    const host = await openHost(
      context,
      config,
      temporal
        ? { connection: { address: temporal.address }, address: temporal.address, namespace: temporal.namespace }
        : targetOf(context, config),
    );
    try {
      const services = [await workerService(host), await serverService(host, { besideWorker: true })];
      const { client, vault } = host;
      await applyConfig(
        { config, client, vault, warn: (message) => context.out.warn(message) },
        { dryRun: false, prune: false },
      );
      if (temporal) context.out.say(`Temporal at ${temporal.address}, UI ${temporal.uiUrl ?? 'off'}`);
      await runServices(context, services);
    } finally {
      await host.close();
    }
  } finally {
    await temporal?.stop();
  }
  return {};
};

function isConfigured({ globals }: Context, config: Config): boolean {
  return globals.address !== undefined || isTemporalConfigured(config);
}

/** On the default port, so that every other command finds it without being told. */
async function ownTemporal(context: Context, config: Config): Promise<TemporalServer> {
  const { path: binary } = await ensureTemporalBinary({ log: (line) => context.out.say(line) });
  const namespace = context.globals.namespace ?? config.temporal.namespace ?? 'default';
  try {
    return await startTemporalServer({
      binary,
      namespace,
      searchAttributes,
      port: PORT,
      ui: PORT + 1000,
      dbFilename: join(config.directory, '.keyturn', 'temporal.db'),
    });
  } catch (error) {
    throw new KeyturnError(
      'KT-TEMPORAL-UNREACHABLE',
      error instanceof Error ? error.message : 'the Temporal dev server did not start',
      {
        hint: `If another Temporal already listens on ${DEFAULT_ADDRESS}, name it: \`temporal.address\` in keyturn.yaml.`,
      },
    );
  }
}
