/** Temporal: server, namespace, search attributes, who polls, and whether `apply` has been run. */
import { applyConfig } from '../../apply.js';
import type { KeyturnClient } from '../../client.js';
import type { Config } from '../../config.js';
import { searchAttributes } from '../../contract.js';
import type { Session } from '../session.js';
import { type Check, fail, failed, looked, ok, warn } from './check.js';

/** Values of temporal.api.enums.v1.TaskQueueType. */
const queueTypes = { workflow: 1, activity: 2 } as const;

export async function checkTemporal(session: Session, address: string): Promise<readonly Check[]> {
  let client: KeyturnClient;
  try {
    client = await session.client();
  } catch (error) {
    return [failed('temporal', error)];
  }
  const reached = ok('temporal', `namespace ${client.temporal.options.namespace} at ${address}`);
  const found = [
    looked('search-attributes', () => checkSearchAttributes(session.config, client)),
    looked('worker', () => checkPollers(client)),
    looked('apply', () => checkApplied(session, client)),
  ];
  return [reached, ...(await Promise.all(found)).flat()];
}

async function checkSearchAttributes(config: Config, { temporal }: KeyturnClient): Promise<readonly Check[]> {
  if (config.temporal.searchAttributes === 'off') return [ok('search-attributes', 'off in keyturn.yaml')];
  const { namespace } = temporal.options;
  const listed = await temporal.connection.operatorService.listSearchAttributes({ namespace }).catch(() => null);
  if (listed === null) {
    return [
      warn(
        'search-attributes',
        'cannot be listed here',
        'Grant the permission, or leave it: lists have fewer columns.',
      ),
    ];
  }
  const missing = Object.entries(searchAttributes).filter(([name]) => listed.customAttributes?.[name] === undefined);
  if (missing.length === 0) return [ok('search-attributes', 'all registered')];
  const flags = missing.map(([name, type]) => `--name ${name} --type ${type}`).join(' ');
  const mend = `\`temporal operator search-attribute create --namespace ${namespace} ${flags}\`, or leave it: they are not needed.`;
  return [warn('search-attributes', `missing: ${missing.map(([name]) => name).join(', ')}`, mend)];
}

async function checkPollers({ temporal, taskQueue }: KeyturnClient): Promise<readonly Check[]> {
  const { namespace } = temporal.options;
  const missing: string[] = [];
  for (const [name, taskQueueType] of Object.entries(queueTypes)) {
    const described = await temporal.workflowService.describeTaskQueue({
      namespace,
      taskQueue: { name: taskQueue },
      taskQueueType,
    });
    if ((described.pollers ?? []).length === 0) missing.push(name);
  }
  if (missing.length === 0) return [ok('worker', `a worker polls task queue ${taskQueue}`)];
  return [
    fail('worker', `nobody polls task queue ${taskQueue} (${missing.join(', ')})`, 'Start a worker: `keyturn worker`.'),
  ];
}

/** Also a Schedule that was deleted or edited by hand, and a workflow that was terminated. */
async function checkApplied(session: Session, client: KeyturnClient): Promise<readonly Check[]> {
  const { config } = session;
  const vault = await session.vault();
  const parts = { config, client, vault, warn: () => undefined };
  const changes = await applyConfig(parts, { dryRun: true, prune: false });
  if (changes.length === 0) return [ok('apply', 'Schedules and workflows are as keyturn.yaml says')];
  return changes.map((change) =>
    fail(
      'apply',
      `${change.credentialId}: ${change.do.replaceAll('-', ' ')} is still to be done`,
      'Run `keyturn apply`.',
    ),
  );
}
