import { type AppliedChange, applyConfig } from '../../apply.js';
import { ensureSearchAttributes } from '../../search-attributes.js';
import type { Action } from '../run.js';
import { withSession } from '../session.js';
import { table } from '../table.js';

const CHANGES_TO_MAKE = 3;

export const run: Action<'apply'> = async (context, _, { dryRun = false, prune = false }) =>
  withSession(context, async (session) => {
    const { out } = context;
    const { config } = session;
    const vault = await session.vault();
    // An empty store gets its identity first: the client compares with it.
    if (!dryRun) await vault.custody.installationId();
    const client = await session.client();
    if (!dryRun) {
      const { connection, options } = client.temporal;
      const mode = config.temporal.searchAttributes;
      await ensureSearchAttributes(connection, options.namespace, mode, (line) => out.say(line));
    }
    const parts = { config, client, vault, warn: (message: string) => out.warn(message) };
    const changes = await applyConfig(parts, { dryRun, prune });
    const exit = dryRun && changes.length > 0 ? CHANGES_TO_MAKE : 0;
    return { data: { dryRun, changes }, text: textOf(changes, dryRun), exit };
  });

const words: Record<AppliedChange['do'], string> = {
  'create-schedule': 'Schedule created',
  'update-schedule': 'Schedule updated',
  'delete-schedule': 'Schedule deleted',
  'pause-schedule': 'Schedule paused: not in keyturn.yaml',
  'unpause-schedule': 'Schedule resumed: back in keyturn.yaml',
  'start-workflow': 'workflow started',
  'pause-workflow': 'paused: not in keyturn.yaml',
  'resume-workflow': 'resumed: back in keyturn.yaml',
  'close-workflow': 'closed for good; the store keeps its record',
};

function textOf(changes: readonly AppliedChange[], dryRun: boolean): string {
  if (changes.length === 0) return 'no change';
  const rows = changes.map(({ credentialId, do: what, schedule, differs = [] }) => [
    credentialId,
    `${schedule === undefined ? '' : 'daily comparison: '}${words[what]}${differs.length > 0 ? ` (${differs.join(', ')})` : ''}`,
  ]);
  return table(['CREDENTIAL', dryRun ? 'WOULD BE' : 'DONE'], rows);
}
