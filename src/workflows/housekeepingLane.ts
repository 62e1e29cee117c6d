/** The lane that writes accepted notes, ends the lives of replaced versions and pays debts. */
import { workflowInfo } from '@temporalio/workflow';
import { parkDelayMs } from '../domain/decisions.js';
import { previousOf, type RecordView } from '../domain/record.js';
import { retireDueMs } from '../domain/retirement.js';
import { once, repeatable } from './activities.js';
import type { Entity } from './entity.js';
import { detailsOf } from './failures.js';

interface Job {
  readonly dueMs: number;
  readonly what: string;
  /** Null: there is no record to have a view of. */
  run(): Promise<RecordView | null>;
}

export async function housekeepingLane(entity: Entity): Promise<void> {
  const { lane } = entity;
  let failures = 0;
  let notBeforeMs = 0;
  const leavesNotes = (): boolean => lane.notes.length === 0 || lane.view === null || failures > 0;
  while (!entity.stopping() || (lane.closing && !leavesNotes())) {
    const next = nextJob(entity);
    if (notBeforeMs > Date.now()) {
      // With a timer of its own: whatever is due by then may have come up, or come back, meanwhile.
      await entity.wait(() => entity.stopping(), notBeforeMs, next?.what ?? 'next attempt');
      continue;
    }
    const dueMs = next?.dueMs ?? Number.POSITIVE_INFINITY;
    if (dueMs > Date.now()) {
      const changed = (): boolean => nextJob(entity)?.dueMs !== next?.dueMs;
      await entity.wait(() => entity.stopping() || changed(), dueMs, next?.what ?? 'nothing');
      continue;
    }
    if (!next) continue;
    try {
      entity.see(await next.run());
      failures = 0;
      notBeforeMs = 0;
    } catch (error) {
      const { kind, code, message, retryAfterMs } = detailsOf(error);
      failures += 1;
      notBeforeMs = Date.now() + parkDelayMs(failures + (kind === 'transient' ? 0 : 4), retryAfterMs);
      if (kind === 'trouble') entity.inTrouble({ code, message });
      else if (code === 'KT-CONFLICT') lane.reload = true;
    }
  }
}

function nextJob(entity: Entity): Job | null {
  const { lane } = entity;
  const { view } = lane;
  if (lane.notes.length > 0 && view) return { dueMs: 0, what: 'write notes', run: () => writeNotes(entity) };
  if (!view || lane.trouble) return null;
  // The first attempt at what leaked is the rotation's own.
  const others = previousOf(view).filter(
    (v) => !(v.leaked && v.retirement?.attempts === 0 && lane.active?.step === 'publish'),
  );
  const jobs: Job[] = others.map((v) => ({
    dueMs: retireDueMs(v, lane.skewMs),
    what: `end of version ${v.version}`,
    run: () => repeatable(`retire version ${v.version}`).retire({ ...entity.believed(), version: v.version }),
  }));
  const completesAtMs = view.operation === null ? (view.capabilityLost?.retryAtMs ?? null) : null;
  if (completesAtMs !== null) {
    const run = (): Promise<RecordView> => once('make the missing secret key').completeKey(entity.believed());
    jobs.push({ dueMs: completesAtMs, what: 'the missing secret key', run });
  }
  for (const debt of view.debts) {
    if (debt.kind !== 'orphan') continue;
    jobs.push({
      dueMs: debt.nextAttemptAtMs ?? 0,
      what: `remove key ${debt.keyId}`,
      run: () => repeatable(`remove key ${debt.keyId}`).settleDebt({ ...entity.believed(), keyId: debt.keyId }),
    });
  }
  return jobs.sort((a, b) => a.dueMs - b.dueMs)[0] ?? null;
}

async function writeNotes(entity: Entity): Promise<RecordView | null> {
  const { lane } = entity;
  const notes = [...lane.notes];
  const { runId, runStartTime } = workflowInfo();
  lane.batches = (lane.batches ?? 0) + 1;
  const batch = { runStartedAtMs: runStartTime.getTime(), runId, n: lane.batches };
  const view = await repeatable('write what was accepted').note({ ...entity.believed(), notes, batch });
  lane.notes.splice(0, notes.length);
  return view;
}
