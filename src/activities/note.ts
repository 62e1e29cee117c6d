import { driftAfter } from '../domain/drift.js';
import type { Note } from '../domain/lane.js';
import {
  currentOf,
  type CredentialRecord,
  type NoteBatch,
  type RecordView,
  type RotationFacts,
} from '../domain/record.js';
import { remember } from '../domain/seen.js';
import { acknowledged, dropWaiting, keepWaiting, markLeaked, setPaused } from '../domain/transitions.js';
import { rollBack, rollbackRefusal } from '../domain/rollback.js';
import type { Believed, StepInput } from './api.js';
import type { Engine } from './engine.js';
import { stop } from './failures.js';

/** Writes what handlers have accepted: acknowledgements, pause and resume, leaks, request ids. */
export async function note(
  engine: Engine,
  { batch, notes, ...believed }: Believed & { readonly notes: readonly Note[]; readonly batch?: NoteBatch },
): Promise<RecordView | null> {
  if (!(await engine.read(believed))) return null;
  const opened = await engine.change(believed.credentialId, (record) => {
    if (isOvertaken(record, batch)) return record;
    const noted = notes.reduce(written, record);
    return batch === undefined ? noted : { ...noted, noted: batch };
  });
  return engine.viewWithout(believed.credentialId, opened.record);
}

/** It was written already, or a newer one was: a pause that slept until somebody had resumed would pause again. */
function isOvertaken({ noted }: CredentialRecord, batch: NoteBatch | undefined): boolean {
  if (noted === undefined || batch === undefined) return false;
  if (batch.runId === noted.runId) return batch.n <= noted.n;
  return batch.runStartedAtMs < noted.runStartedAtMs;
}

function written(record: CredentialRecord, n: Note): CredentialRecord {
  switch (n.kind) {
    case 'acknowledge':
      return acknowledged(record, n.consumer, n.version, n.atMs);
    case 'pause':
      return record.paused ? record : setPaused(record, { sinceMs: n.atMs, by: n.by, reason: n.reason });
    case 'resume':
      return setPaused(record, null);
    case 'leaked':
      return markLeaked(record, n.versions);
    case 'compared':
      return { ...record, drift: driftAfter(record.drift, n.drift) };
    case 'waiting':
      return keepWaiting(record, n.request);
    case 'seen':
      return dropWaiting({ ...record, seen: remember(record.seen, n.requestId, n.atMs, n.joined) }, n.requestId);
    default:
      return n satisfies never;
  }
}

/** Republishes the value of an older version as a new one. */
export async function rollback(
  engine: Engine,
  input: StepInput & { readonly toVersion: number; readonly requestId: string },
): Promise<RecordView> {
  const w = await engine.open(input);
  const nowMs = engine.now();
  const { policy } = w.config;
  const target = w.opened.record.versions.find((v) => v.version === input.toVersion);
  const graced = w.strategy.providerGraceMs !== null;
  const refusalOf = (record: CredentialRecord): string | null =>
    rollbackRefusal(record, input.toVersion, policy, graced, w.strategy.restorable, nowMs);
  if (target?.retirement?.state === 'held' && w.provider.restore && refusalOf(w.opened.record) === null) {
    const current = currentOf(w.opened.record);
    if (current) {
      const fence = engine.fence(w.credentialId, (now) => refusalOf(now) === null);
      const context = await engine.context(w, engine.values(w.opened, current.version), input.operationId, fence);
      await w.provider.restore(context, engine.values(w.opened, input.toVersion).keyId);
    }
  }
  const rotation: Omit<RotationFacts, 'version'> = {
    operationId: input.operationId,
    requestId: input.requestId,
    reason: 'rollback',
    source: 'operator',
    outcome: 'rotated',
    startedAtMs: nowMs,
    endedAtMs: nowMs,
    steps: [],
    error: null,
  };
  const { opened } = await engine.deps.custody.update(w.credentialId, ({ record, shelf }) => {
    if (record.history.some((h) => h.operationId === input.operationId)) return { unchanged: null };
    const refusal = refusalOf(record);
    if (refusal !== null) throw stop('failed', 'KT-ROLLBACK-REFUSED', refusal);
    const t = rollBack(record, input.toVersion, policy, rotation);
    if (t.kind !== 'next') throw stop('failed', 'KT-ROLLBACK-REFUSED', t.kind === 'lost' ? t.because : 'nothing to do');
    const values = shelf.versions[String(input.toVersion)];
    if (!values) throw stop('trouble', 'KT-STORE-CORRUPT', `the values of version ${input.toVersion} are missing`);
    const versions = { ...shelf.versions, [t.record.highestVersion]: values };
    return { next: { record: t.record, shelf: { ...shelf, versions } }, value: null };
  });
  return engine.view(w.config, opened.record);
}
