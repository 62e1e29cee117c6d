/** Temporal Schedules: the rotations that keyturn.yaml asks for, and a daily comparison. What they should be, what they are, the way from here to there. */
import {
  ScheduleAlreadyRunning,
  ScheduleNotFoundError,
  type ScheduleDescription,
  type ScheduleHandle,
} from '@temporalio/client';
import type { KeyturnClient } from './client.js';
import type { Config } from './config.js';
import { reconcileScheduleId, scheduleId } from './contract.js';
import { KeyturnError } from './domain/errors.js';
import {
  desiredReconcileSchedule,
  desiredSchedule,
  differences,
  type DesiredSchedule,
  type SchedulePart,
} from './schedule-spec.js';

interface Which {
  readonly credentialId: string;
  /** Absent: its rotations. */
  readonly schedule?: 'reconcile';
}

export type ScheduleChange = Which &
  (
    | { readonly do: 'create'; readonly desired: DesiredSchedule }
    | { readonly do: 'update'; readonly desired: DesiredSchedule; readonly differs: readonly SchedulePart[] }
    /** The configuration wants none any more, or the credential is closed for good. */
    | { readonly do: 'delete' }
    /** The credential is gone from keyturn.yaml, or back. */
    | { readonly do: 'pause' | 'unpause' }
  );

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
  const wanted = async (which: Which, desired: DesiredSchedule | null): Promise<readonly ScheduleChange[]> => {
    const found = await described(client, which);
    if (desired === null) return found !== null && isOwn(found, installationId) ? [{ ...which, do: 'delete' }] : [];
    if (found === null) return [{ ...which, do: 'create', desired }];
    refuseForeign(found, which, installationId);
    return changesOf(found, desired, which);
  };
  const unwanted = async (which: Which): Promise<readonly ScheduleChange[]> => {
    const found = await described(client, which);
    if (found === null || !isOwn(found, installationId)) return [];
    if (prune) return [{ ...which, do: 'delete' }];
    return found.state.paused ? [] : [{ ...which, do: 'pause' }];
  };
  const known = new Set([...gone, ...(await ownSchedules(client, installationId))]);
  const unknown = [...known].filter((credentialId) => !config.credentials.has(credentialId));
  const looked = await Promise.all([
    ...[...config.credentials.values()].flatMap(({ credentialId, schedule, reconcile }) => [
      wanted({ credentialId }, schedule && desiredSchedule(credentialId, schedule, queue)),
      wanted(comparisonOf(credentialId), reconcile === false ? null : desiredReconcileSchedule(credentialId, queue)),
    ]),
    ...unknown.flatMap((credentialId) => [unwanted({ credentialId }), unwanted(comparisonOf(credentialId))]),
  ]);
  const changes = looked.flat();
  if (dryRun) return changes;
  for (const change of changes) {
    await client.asked(change.credentialId, () => perform(client, installationId, change));
  }
  return changes;
}

const comparisonOf = (credentialId: string): Which => ({ credentialId, schedule: 'reconcile' });

const idOf = ({ credentialId, schedule }: Which): string =>
  schedule === undefined ? scheduleId(credentialId) : reconcileScheduleId(credentialId);

function changesOf(found: ScheduleDescription, desired: DesiredSchedule, which: Which): readonly ScheduleChange[] {
  const differs = differences(found, desired);
  const isBack = found.state.paused && found.state.note?.startsWith(GONE_NOTE) === true;
  return [
    ...(differs.length > 0 ? [{ ...which, do: 'update', desired, differs } as const] : []),
    ...(isBack ? [{ ...which, do: 'unpause' } as const] : []),
  ];
}

async function perform(client: KeyturnClient, installationId: string, change: ScheduleChange): Promise<void> {
  const handle = handleOf(client, change);
  switch (change.do) {
    case 'create':
      return create(client, installationId, change, change.desired);
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
  { credentialId, desired }: Which & { readonly desired: DesiredSchedule },
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
  which: Which,
  desired: DesiredSchedule,
): Promise<void> {
  const { credentialId } = which;
  try {
    await client.temporal.schedule.create({
      ...desired,
      scheduleId: idOf(which),
      memo: { installationId, credentialId },
    });
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw refusal(error, credentialId);
    throw new KeyturnError('KT-CONFLICT', `the Schedule ${idOf(which)} was made by somebody else just now`);
  }
}

function refuseForeign(found: ScheduleDescription, which: Which, installationId: string): void {
  if (isOwn(found, installationId)) return;
  const owner = found.memo?.installationId;
  const whose = typeof owner === 'string' ? `installation ${owner}` : 'nobody that keyturn knows';
  throw new KeyturnError(
    'KT-CONFLICT',
    `the Schedule ${idOf(which)} belongs to ${whose}, this is installation ${installationId}: nothing was changed`,
    { hint: 'Give the credential another id, use another namespace, or delete that Schedule if it is a leftover.' },
  );
}

function isOwn({ memo }: Pick<ScheduleDescription, 'memo'>, installationId: string): boolean {
  return memo?.installationId === installationId;
}

/** Credentials that have any. */
async function ownSchedules(client: KeyturnClient, installationId: string): Promise<readonly string[]> {
  const prefix = scheduleId('');
  return client.asked('all credentials', async () => {
    const ids: string[] = [];
    for await (const { scheduleId: id, memo } of client.temporal.schedule.list()) {
      if (!id.startsWith(prefix) || memo?.installationId !== installationId) continue;
      ids.push(id.slice(prefix.length).replace(/\/reconcile$/, ''));
    }
    return ids;
  });
}

async function described(client: KeyturnClient, which: Which): Promise<ScheduleDescription | null> {
  try {
    return await client.asked(which.credentialId, () => handleOf(client, which).describe());
  } catch (error) {
    if (error instanceof ScheduleNotFoundError) return null;
    throw error;
  }
}

function handleOf(client: KeyturnClient, which: Which): ScheduleHandle {
  return client.temporal.schedule.getHandle(idOf(which));
}

/** A time zone that is known here need not be known to Temporal's server. The message quotes nothing but the Schedule. */
function refusal(error: unknown, credentialId: string): unknown {
  if (!(error instanceof TypeError)) return error;
  return new KeyturnError('KT-CONFIG', `Temporal does not take the schedule of ${credentialId}: ${error.message}`);
}
