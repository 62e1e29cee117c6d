/** Brings Temporal in line with keyturn.yaml: Schedules, the workflows of credentials, and what became of those that are gone from the file. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { KeyturnClient, RunningEntity } from './client.js';
import { knownInstallationId, providers, type Vault } from './compose.js';
import type { Config } from './config.js';
import { KeyturnError } from './domain/errors.js';
import { iso } from './domain/instant.js';
import { previousOf, type CredentialRecord, type ProviderIdentity } from './domain/record.js';
import { revokeAtMs } from './domain/retirement.js';
import { reconcileSchedules, type ScheduleChange } from './schedules.js';

export interface ApplyParts {
  readonly config: Config;
  readonly client: KeyturnClient;
  readonly vault: Pick<Vault, 'custody' | 'store'>;
  readonly warn: (message: string) => void;
}

export interface ApplyOptions {
  readonly dryRun: boolean;
  /** Closes what is gone from the configuration for good. */
  readonly prune: boolean;
}

export interface AppliedChange {
  readonly do: `${ScheduleChange['do']}-schedule` | `${'start' | 'pause' | 'resume' | 'close'}-workflow`;
  readonly credentialId: string;
  /** Of a Schedule: that of the daily comparison, and not that of rotations. */
  readonly schedule?: 'reconcile';
  /** For `update-schedule`: what was different. */
  readonly differs?: readonly string[];
}

/** By these words a pause of `apply` is told from an operator's. */
const GONE = { by: 'keyturn apply', reason: 'not-in-config' } as const;

type Records = ReadonlyMap<string, CredentialRecord>;
type Entities = ReadonlyMap<string, RunningEntity | null>;

/**
 * Looks at everything first and refuses before anything is changed.
 * @returns what was, or with `dryRun` would be, changed; empty the second time
 * @throws KeyturnError KT-REPOINTED; KT-CONFLICT for what belongs to another installation, or lives and cannot be pruned
 */
export async function applyConfig(parts: ApplyParts, options: ApplyOptions): Promise<readonly AppliedChange[]> {
  const { config, client, vault } = parts;
  const records = await recordsOf(vault);
  const gone = [...records.keys()].filter((credentialId) => !config.credentials.has(credentialId));
  refuseRepointed(config, records);
  if (options.prune) refuseLiving(gone, records);
  const installationId = await installationIdOf(vault, options.dryRun);
  const entities = await entitiesOf(client, [...config.credentials.keys(), ...gone], installationId);

  const schedules = await reconcileSchedules(client, config, installationId, { ...options, gone });
  const workflows = workflowChanges(config, records, entities, options.prune);
  if (options.dryRun) return [...schedules.map(asApplied), ...workflows];
  const started = workflows.filter((change) => change.do === 'start-workflow');
  for (const { credentialId } of started) await client.ensureStarted(credentialId, installationId);
  const settled = await tellAndSettle(
    parts,
    workflows.filter((change) => change.do !== 'start-workflow'),
    entities,
  );
  return [...schedules.map(asApplied), ...started, ...settled];
}

async function recordsOf({ custody }: ApplyParts['vault']): Promise<Records> {
  const records = new Map<string, CredentialRecord>();
  for (const credentialId of await custody.list()) {
    const opened = await custody.read(credentialId);
    if (opened) records.set(credentialId, opened.record);
  }
  return records;
}

/** A dry run on an empty store does not give it its identity: nothing there can be of this installation. */
async function installationIdOf(vault: ApplyParts['vault'], dryRun: boolean): Promise<string> {
  return dryRun ? ((await knownInstallationId(vault)) ?? 'to be made') : vault.custody.installationId();
}

/** Old keys are revoked where the configuration says: it must not move away from under them. */
function refuseRepointed(config: Config, records: Records): void {
  for (const [credentialId, { provider, settings }] of config.credentials) {
    const record = records.get(credentialId);
    if (record === undefined || living(record) === null) continue;
    const wanted = providers()(provider).identity(settings);
    const other = [...record.versions, ...record.debts].find(({ identity }) => !isSame(identity, wanted));
    if (other === undefined) continue;
    throw new KeyturnError(
      'KT-REPOINTED',
      `${credentialId} is ${place(other.identity)} while ${living(record)}; keyturn.yaml now says ${place(wanted)}: nothing was changed`,
    );
  }
}

function isSame(a: ProviderIdentity, b: ProviderIdentity): boolean {
  return a.provider === b.provider && a.baseUrl === b.baseUrl && a.account === b.account;
}

const place = ({ account, baseUrl }: ProviderIdentity): string => `${account} at ${baseUrl}`;

function refuseLiving(gone: readonly string[], records: Records): void {
  for (const credentialId of gone) {
    const record = records.get(credentialId);
    const what = record === undefined ? null : living(record);
    if (what === null) continue;
    throw new KeyturnError('KT-CONFLICT', `${credentialId} cannot be closed while ${what}: nothing was changed`, {
      hint: `Put it back into keyturn.yaml until its old keys are gone: \`keyturn status ${credentialId}\` says when.`,
    });
  }
}

/** What is not finished at the provider, in words; null when nothing is. */
function living({ operation, debts, ...record }: CredentialRecord): string | null {
  if (operation !== null) return 'a rotation is in progress';
  const [old] = previousOf(record);
  if (old?.retirement)
    return `version ${old.version} is ${old.retirement.state} (revoked at ${iso(revokeAtMs(old.retirement))})`;
  const [debt] = debts;
  return debt === undefined ? null : `there is a debt (${debt.kind}, key ${debt.keyId})`;
}

async function entitiesOf(client: KeyturnClient, ids: readonly string[], installationId: string): Promise<Entities> {
  const found = await Promise.all(ids.map(async (id) => [id, await client.entity(id)] as const));
  for (const [credentialId, entity] of found) {
    if (entity === null) continue;
    const isForeign = entity.installationId !== null && entity.installationId !== installationId;
    if (!isForeign && entity.taskQueue === client.taskQueue) continue;
    throw new KeyturnError(
      'KT-CONFLICT',
      isForeign
        ? `the workflow credential/${credentialId} belongs to installation ${entity.installationId}, this is ${installationId}: nothing was changed`
        : `the workflow credential/${credentialId} runs on task queue ${entity.taskQueue}, keyturn.yaml says ${client.taskQueue}: nothing was changed`,
      {
        hint: 'Use another namespace or credential id; or, if it is a leftover, cancel that workflow in Temporal first.',
      },
    );
  }
  return new Map(found);
}

function workflowChanges(
  config: Config,
  records: Records,
  entities: Entities,
  prune: boolean,
): readonly AppliedChange[] {
  return [...entities].flatMap(([credentialId, entity]): readonly AppliedChange[] => {
    const paused = records.get(credentialId)?.paused ?? null;
    if (config.credentials.has(credentialId)) {
      const isBack = paused?.by === GONE.by && paused.reason === GONE.reason;
      return [
        ...(entity === null ? [{ do: 'start-workflow', credentialId } as const] : []),
        ...(isBack ? [{ do: 'resume-workflow', credentialId } as const] : []),
      ];
    }
    if (entity === null) return [];
    if (prune) return [{ do: 'close-workflow', credentialId }];
    return paused === null ? [{ do: 'pause-workflow', credentialId }] : [];
  });
}

/**
 * Updates are answered by a worker. Where none runs the rest of `apply` holds, and the next one makes up for it.
 * @returns the changes that were made
 */
async function tellAndSettle(
  parts: ApplyParts,
  changes: readonly AppliedChange[],
  entities: Entities,
): Promise<readonly AppliedChange[]> {
  const { client, warn } = parts;
  const running = [...entities].flatMap(([credentialId, entity]) => (entity === null ? [] : [credentialId]));
  const ids = [...new Set([...running, ...changes.map(({ credentialId }) => credentialId)])];
  if (ids.length === 0) return changes;
  const unheard = (await client.hasWorker()) ? await unheardBy(parts, ids, changes) : ids;
  if (unheard.length === 0) return changes;
  warn(
    `no worker answers: ${unheard.join(', ')} hear of the configuration when \`keyturn apply\` is run with a worker`,
  );
  return changes.filter(({ credentialId }) => !unheard.includes(credentialId));
}

async function unheardBy(
  parts: ApplyParts,
  ids: readonly string[],
  changes: readonly AppliedChange[],
): Promise<readonly string[]> {
  const told = await Promise.all(
    ids.map(async (credentialId) => {
      try {
        await parts.client.policyChanged(credentialId);
        for (const change of changes) if (change.credentialId === credentialId) await settle(parts, change);
        return [];
      } catch (error) {
        if (error instanceof KeyturnError && error.code === 'KT-NO-WORKER') return [credentialId];
        throw error;
      }
    }),
  );
  return told.flat();
}

async function settle({ client, vault: { custody }, warn }: ApplyParts, change: AppliedChange): Promise<void> {
  const { credentialId } = change;
  const isPaused = async (): Promise<boolean> => ((await custody.read(credentialId))?.record.paused ?? null) !== null;
  switch (change.do) {
    case 'pause-workflow':
      if (!(await eventually(() => knowsItIsGone(client, credentialId)))) {
        warn(`${credentialId} is still in the keyturn.yaml of its worker`);
      }
      await client.pause(credentialId, GONE);
      if (!(await eventually(isPaused))) warn(`${credentialId} is paused, but the store does not know it yet`);
      return;
    case 'resume-workflow':
      await client.resume(credentialId, { by: GONE.by });
      if (!(await eventually(async () => !(await isPaused())))) {
        warn(`${credentialId} is resumed, but the store does not know it yet`);
      }
      return;
    case 'close-workflow':
      await client.closeEntity(credentialId);
      if (!(await eventually(async () => (await client.entity(credentialId)) === null))) {
        warn(`the workflow of ${credentialId} has not closed yet: it finishes what it has in hand first`);
      }
      return;
    default:
      throw new KeyturnError('KT-INTERNAL', `nothing to settle for ${change.do}`);
  }
}

async function knowsItIsGone(client: KeyturnClient, credentialId: string): Promise<boolean> {
  const { attention } = await client.state(credentialId);
  return attention.some(({ code }) => code === 'KT-NOT-IN-CONFIG');
}

const SETTLED_WITHIN_MS = 10_000;

async function eventually(holds: () => Promise<boolean>): Promise<boolean> {
  const deadlineMs = Date.now() + SETTLED_WITHIN_MS;
  while (!(await holds())) {
    if (Date.now() >= deadlineMs) return false;
    await sleep(100);
  }
  return true;
}

function asApplied(change: ScheduleChange): AppliedChange {
  const { credentialId, schedule } = change;
  return {
    do: `${change.do}-schedule`,
    credentialId,
    ...(schedule === undefined ? {} : { schedule }),
    ...(change.do === 'update' ? { differs: change.differs } : {}),
  };
}
