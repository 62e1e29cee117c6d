import type { Config } from '../../config.js';
import { type Check, failed, looked, ok } from '../doctor/check.js';
import { checkCredential } from '../doctor/credentials.js';
import { checkConfig, checkKeyFile, checkNode, checkSecrets, checkStore } from '../doctor/local.js';
import { checkTemporal } from '../doctor/temporal.js';
import { checkWebhooks } from '../doctor/webhooks.js';
import { temporalTarget } from '../../temporal.js';
import type { Output } from '../output.js';
import type { Action, Context } from '../run.js';
import { withSession } from '../session.js';

export const run: Action<'doctor'> = async (context) => {
  const { out } = context;
  const checks = [checkNode(process.versions.node), ...(await checkAll(context))];
  const count = (status: Check['status']): number => checks.filter((check) => check.status === status).length;
  const summary = { ok: count('ok'), warnings: count('warn'), failures: count('fail') };
  return {
    data: { healthy: summary.failures === 0, ...summary, checks },
    text: [
      ...checks.map((check) => lineOf(check, out)),
      '',
      `${summary.ok} ok, ${summary.warnings} warning(s), ${summary.failures} failure(s)`,
    ].join('\n'),
    exit: summary.failures === 0 ? 0 : 1,
  };
};

/** Without a configuration there is nothing else to look at. */
async function checkAll(context: Context): Promise<readonly Check[]> {
  let config: Config;
  try {
    config = await context.config();
  } catch (error) {
    return [failed('config', error)];
  }
  return withSession({ ...context, config: async () => config }, async (session) => {
    const local = [...checkConfig(config), ...(await checkSecrets(config)), ...(await checkKeyFile(config))];
    const store = await checkStore(session);
    const isOpen = store.every(({ status }) => status !== 'fail');
    const { address } = temporalTarget(config, context.globals);
    const temporal = await checkTemporal(session, address);
    const credentials = isOpen ? await checkCredentials(context, config, await session.vault()) : [];
    return [
      ...local,
      ...store,
      ...temporal,
      ...credentials,
      ...(await looked('webhooks', () => checkWebhooks(config))),
    ];
  });
}

async function checkCredentials(
  { out }: Context,
  config: Config,
  vault: Parameters<typeof checkCredential>[0]['vault'],
): Promise<readonly Check[]> {
  const found: Check[] = config.credentials.size === 0 ? [ok('credentials', 'keyturn.yaml has none yet')] : [];
  for (const credential of config.credentials.values()) {
    found.push(...(await checkCredential({ config, credential, vault, out })));
  }
  return found;
}

const colours = { ok: 'green', warn: 'yellow', fail: 'red' } as const;

function lineOf({ check, status, message, mend }: Check, out: Output): string {
  const line = `${out.style(colours[status], status.padEnd(4))}  ${check}: ${message}`;
  return mend === undefined ? line : `${line}\n      → ${mend}`;
}
