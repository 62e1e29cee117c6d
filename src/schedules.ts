/** One Temporal Schedule per credential that has one in keyturn.yaml: what it should be, what it is, and the way from here to there. */
import {
  ScheduleAlreadyRunning,
  ScheduleNotFoundError,
  type ScheduleDescription,
  type ScheduleHandle,
} from '@temporalio/client';
import type { KeyturnClient } from './client.js';
import type { Config, CredentialConfig } from './config.js';
import { scheduleId } from './contract.js';
import { KeyturnError } from './domain/errors.js';
import { desiredSchedule, differences, type DesiredSchedule, type SchedulePart } from './schedule-spec.js';

export type ScheduleChange =
  | { readonly do: 'create'; readonly credentialId: string; readonly desired: DesiredSchedule }
  | {
      readonly do: 'update';
      readonly credentialId: string;
      readonly desired: DesiredSchedule;
      readonly differs: readonly SchedulePart[];
    }
  /** The credential has no `schedule` any more, or is closed for good. */
  | { readonly do: 'delete'; readonly credentialId: string }
  /** The credential is gone from keyturn.yaml, or back. */
  | { readonly do: 'pause' | 'unpause'; readonly credentialId: string };

/** Tells a Schedule that `apply` paused from one that an operator paused; the note that stood there before follows it. */
const GONE_NOTE = 'paused by keyturn apply: not in keyturn.yaml';

export interface ReconcileOptions {
  /** Only says what would change. */
  readonly dryRun: boolean;
  /** Credentials that are known to be gone from the configuration; Temporal's own list may be a second late. */
  readonly gone?: readonly string[];
  /** Deletes the Schedules of those that are gone; else they are paused. */
  readonly prune?: boolean;
}

/**
 * Brings the Schedules of this installation in line with the configuration. All is looked at before anything is changed; an existing
 * Schedule keeps its paused state and note. Those of other installations are not touched.
 * @throws KeyturnError KT-CONFLICT when a Schedule of another installation, or of nobody, has the id
 */
export async function reconcileSchedules(
  client: KeyturnClient,
  config: Config,
  installationId: string,
  { dryRun, gone = [], prune = false }: ReconcileOptions,
): Promise<readonly ScheduleChange[]> {
  const queue = config.temporal.taskQueue;
  const wanted = async ({ credentialId, schedule }: CredentialConfig): Promise<readonly ScheduleChange[]> => {
    const found = await described(client, credentialId);
    if (schedule === null)
      return found !== null && isOwn(found, installationId) ? [{ do: 'delete', credentialId }] : [];
    if (found === null)
      return [{ do: 'create', credentialId, desired: desiredSchedule(credentialId, schedule, queue) }];
    refuseForeign(found, credentialId, installationId);
    return changesOf(found, desiredSchedule(credentialId, schedule, queue), credentialId);
  };
  const unwanted = async (credentialId: string): Promise<readonly ScheduleChange[]> => {
    const found = await described(client, credentialId);
    if (found === null || !isOwn(found, installationId)) return [];
    if (prune) return [{ do: 'delete', credentialId }];
    return found.state.paused ? [] : [{ do: 'pause', credentialId }];
  };
  const known = new Set([...gone, ...(await ownSchedules(client, installationId))]);
  const unknown = [...known].filter((credentialId) => !config.credentials.has(credentialId));
  const looked = await Promise.all([...[...config.credentials.values()].map(wanted), ...unknown.map(unwanted)]);
  const changes = looked.flat();
  if (dryRun) return changes;
  for (const change of changes) {
    await client.asked(change.credentialId, () => perform(client, installationId, change));
  }
  return changes;
}

function changesOf(
  found: ScheduleDescription,
  desired: DesiredSchedule,
  credentialId: string,
): readonly ScheduleChange[] {
  const differs = differences(found, desired);
  const isBack = found.state.paused && found.state.note?.startsWith(GONE_NOTE) === true;
  return [
    ...(differs.length > 0 ? [{ do: 'update', credentialId, desired, differs } as const] : []),
    ...(isBack ? [{ do: 'unpause', credentialId } as const] : []),
  ];
}

async function perform(client: KeyturnClient, installationId: string, change: ScheduleChange): Promise<void> {
  const { credentialId } = change;
  const handle = handleOf(client, credentialId);
  switch (change.do) {
    case 'create':
      return create(client, installationId, credentialId, change.desired);
    case 'update':
      return update(handle, change);
    case 'delete':
      return handle.delete();
    case 'pause': {
      const { note = '' } = (await handle.describe()).state;
      return handle.pause(note === '' ? GONE_NOTE : `${GONE_NOTE}; ${note}`);
    }
    case 'unpause': {
      const { note = '' } = (await handle.describe()).state;
      return handle.unpause(note.slice(`${GONE_NOTE}; `.length) || 'unpaused by keyturn apply');
    }
    default:
      return change satisfies never;
  }
}

async function update(
  handle: ScheduleHandle,
  { credentialId, desired }: { readonly credentialId: string; readonly desired: DesiredSchedule },
): Promise<void> {
  try {
    await handle.update(({ state: { paused, note, remainingActions } }) => ({
      ...desired,
      state: {
        paused,
        ...(note === undefined ? {} : { note }),
        ...(remainingActions === undefined ? {} : { remainingActions }),
      },
    }));
  } catch (error) {
    throw refusal(error, credentialId);
  }
}

async function create(
  client: KeyturnClient,
  installationId: string,
  credentialId: string,
  desired: DesiredSchedule,
): Promise<void> {
  try {
    await client.temporal.schedule.create({
      ...desired,
      scheduleId: scheduleId(credentialId),
      memo: { installationId, credentialId },
    });
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw refusal(error, credentialId);
    throw new KeyturnError(
      'KT-CONFLICT',
      `the Schedule ${scheduleId(credentialId)} was made by somebody else just now`,
    );
  }
}

function refuseForeign(found: ScheduleDescription, credentialId: string, installationId: string): void {
  if (isOwn(found, installationId)) return;
  const owner = found.memo?.installationId;
  const whose = typeof owner === 'string' ? `installation ${owner}` : 'nobody that keyturn knows';
  throw new KeyturnError(
    'KT-CONFLICT',
    `the Schedule ${scheduleId(credentialId)} belongs to ${whose}, this is installation ${installationId}: nothing was changed`,
    { hint: 'Give the credential another id, use another namespace, or delete that Schedule if it is a leftover.' },
  );
}

function isOwn({ memo }: Pick<ScheduleDescription, 'memo'>, installationId: string): boolean {
  return memo?.installationId === installationId;
}

async function ownSchedules(client: KeyturnClient, installationId: string): Promise<readonly string[]> {
  const prefix = scheduleId('');
  return client.asked('all credentials', async () => {
    const ids: string[] = [];
    for await (const { scheduleId: id, memo } of client.temporal.schedule.list()) {
      if (id.startsWith(prefix) && memo?.installationId === installationId) ids.push(id.slice(prefix.length));
    }
    return ids;
  });
}

async function described(client: KeyturnClient, credentialId: string): Promise<ScheduleDescription | null> {
  try {
    return await client.asked(credentialId, () => handleOf(client, credentialId).describe());
  } catch (error) {
    if (error instanceof ScheduleNotFoundError) return null;
    throw error;
  }
}

function handleOf(client: KeyturnClient, credentialId: string): ScheduleHandle {
  return client.temporal.schedule.getHandle(scheduleId(credentialId));
}

/** A time zone that is known here need not be known to Temporal's server. The message quotes nothing but the Schedule. */
function refusal(error: unknown, credentialId: string): unknown {
  if (!(error instanceof TypeError)) return error;
  return new KeyturnError('KT-CONFIG', `Temporal does not take the schedule of ${credentialId}: ${error.message}`);
}
