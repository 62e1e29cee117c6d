import type { ReconciledCredential } from '../contract.js';
import { provenOnly } from '../custody/proven-only.js';
import { driftOf } from '../domain/drift.js';
import { KeyturnError } from '../domain/errors.js';
import { repointing } from '../domain/identity.js';
import { iso } from '../domain/instant.js';
import { findingsOf, type Finding } from '../domain/reconcile.js';
import { currentOf } from '../domain/record.js';
import { hasSameKeys } from '../domain/repair.js';
import { look } from '../providers/look.js';
import { Engine, type Working } from './engine.js';
import { describe } from './failures.js';
import { tellEntity } from './tellEntity.js';

/**
 * The daily dry run of `keyturn reconcile`: what the provider lists against the record, with a key that was accepted before, so that it
 * risks no strike. The entity is told, and started where it does not run; also where only the store could be looked at, so that it notices one
 * that is older than what it has seen. What cannot be compared today is compared tomorrow.
 */
export async function compareKeys(
  engine: Engine,
  { credentialId }: { credentialId: string },
): Promise<ReconciledCredential> {
  const { credentials } = await engine.deps.config();
  if (!credentials.has(credentialId))
    throw new KeyturnError('KT-UNKNOWN-CREDENTIAL', `credential ${credentialId} is not in the configuration`);
  if (!(await engine.deps.custody.read(credentialId))) return none(credentialId, 'no key has been imported');
  const careful = new Engine({ ...engine.deps, lockout: provenOnly(engine.deps.lockout) });
  const w = await careful.open({ credentialId, seq: 0, installationId: null });
  const { record } = w.opened;
  if (record.operation !== null) return none(credentialId, 'a rotation is in progress');
  const findings = await compared(careful, w);
  const nowMs = engine.now();
  const drift = typeof findings === 'string' ? null : driftOf(findings, nowMs);
  const after = await engine.deps.custody.read(credentialId);
  if (!after || !hasSameKeys(record, after.record)) return none(credentialId, 'the keys have changed meanwhile');
  const { installationId } = record;
  await tellEntity(credentialId, 'keysCompared', { installationId, recordSeq: after.record.seq, drift });
  if (drift) return { credentialId, checkedAt: iso(nowMs), notComparedBecause: null, findings: drift.findings };
  return none(
    credentialId,
    typeof findings === 'string' ? findings : (findings[0]?.message ?? 'the provider was not asked'),
  );
}

const none = (credentialId: string, because: string): ReconciledCredential => ({
  credentialId,
  checkedAt: null,
  notComparedBecause: because,
  findings: [],
});

/** The findings, or why there can be none. */
async function compared(engine: Engine, w: Working): Promise<readonly Finding[] | string> {
  const { record } = w.opened;
  const repointed = repointing(record, w.provider.identity(w.config.settings));
  if (repointed !== null) return repointed;
  const current = currentOf(record);
  if (!current) return 'there is no current key';
  try {
    const operationId = `reconcile/${w.credentialId}`;
    const context = await engine.context(w, engine.values(w.opened, current.version), operationId);
    const shown = (keyId: string): Promise<string> => engine.publicId(w, keyId);
    const sighting = await look({ provider: w.provider, context, shown });
    const { skewMs, settleMs } = w.config.timing;
    return findingsOf({ record, sighting, repointed, workflow: null, skewMs, settleMs, nowMs: engine.now() });
  } catch (error) {
    const { kind, message } = describe(error);
    if (kind === 'failed') return message;
    throw error;
  }
}
