import { activityInfo, getClient } from '@temporalio/activity';
import {
  TASK_QUEUE,
  credentialWorkflowId,
  signalNames,
  workflowNames,
  type KeysCompared,
  type ReconciledCredential,
} from '../contract.js';
import { provenOnly } from '../custody/proven-only.js';
import { driftOf } from '../domain/drift.js';
import { KeyturnError } from '../domain/errors.js';
import { repointing } from '../domain/identity.js';
import { iso } from '../domain/instant.js';
import { findingsOf, type Finding } from '../domain/reconcile.js';
import { currentOf } from '../domain/record.js';
import { hasSameKeys } from '../domain/repair.js';
import { look } from '../providers/look.js';
import { Engine, isProviderFailure, type Working } from './engine.js';
import { describe } from './failures.js';

/**
 * The daily dry run of `keyturn reconcile`: what the provider lists against the record, with a key that was accepted before, so that it
 * risks no strike. The entity is told, and started where it does not run. What cannot be compared today is compared tomorrow.
 */
export async function compareKeys(
  engine: Engine,
  { credentialId }: { credentialId: string },
): Promise<ReconciledCredential> {
  const { credentials } = await engine.deps.config();
  if (!credentials.has(credentialId))
    throw new KeyturnError('KT-UNKNOWN-CREDENTIAL', `credential ${credentialId} is not in the configuration`);
  const careful = new Engine({ ...engine.deps, lockout: provenOnly(engine.deps.lockout) });
  const none = (because: string): ReconciledCredential => ({
    credentialId,
    checkedAt: null,
    notComparedBecause: because,
    findings: [],
  });
  if (!(await engine.deps.custody.read(credentialId))) return none('no key has been imported');
  const w = await careful.open({ credentialId, seq: 0, installationId: null });
  const { record } = w.opened;
  if (record.operation !== null) return none('a rotation is in progress');
  const repointed = repointing(record, w.provider.identity(w.config.settings));
  if (repointed !== null) return none(repointed);
  const findings = await compared(careful, w);
  const nowMs = engine.now();
  const drift = findings && driftOf(findings, nowMs);
  if (!drift) return none(findings?.find(({ kind }) => kind === 'not-compared')?.message ?? 'keys cannot be listed');
  const after = await engine.deps.custody.read(credentialId);
  if (!after || !hasSameKeys(record, after.record)) return none('the keys have changed meanwhile');
  await tell(credentialId, { installationId: record.installationId, recordSeq: after.record.seq, drift });
  return { credentialId, checkedAt: iso(nowMs), notComparedBecause: null, findings: drift.findings };
}

/** Null: the provider does not permit to list. */
async function compared(engine: Engine, w: Working): Promise<readonly Finding[] | null> {
  const { record } = w.opened;
  const current = currentOf(record);
  if (!current) return null;
  try {
    const operationId = `reconcile/${w.credentialId}`;
    const context = await engine.context(w, engine.values(w.opened, current.version), operationId);
    const shown = (keyId: string): Promise<string> => engine.publicId(w, keyId);
    const sighting = await look({ provider: w.provider, context, shown });
    const { skewMs, settleMs } = w.config.timing;
    return findingsOf({ record, sighting, repointed: null, workflow: null, skewMs, settleMs, nowMs: engine.now() });
  } catch (error) {
    if (isProviderFailure(error, 'forbidden', 'rejected') || describe(error).code === 'KT-NOT-IMPORTED') return null;
    throw error;
  }
}

async function tell(credentialId: string, compared: KeysCompared): Promise<void> {
  await getClient().workflow.signalWithStart(workflowNames.credential, {
    workflowId: credentialWorkflowId(credentialId),
    taskQueue: activityInfo().taskQueue ?? TASK_QUEUE,
    args: [{ credentialId }],
    staticSummary: `credential ${credentialId}`,
    workflowIdConflictPolicy: 'USE_EXISTING',
    signal: signalNames.keysCompared,
    signalArgs: [compared],
  });
}
