import type { KeysCompared } from '../../contract.js';
import { driftOf } from '../../domain/drift.js';
import { KeyturnError } from '../../domain/errors.js';
import { isOpen, type Finding } from '../../domain/reconcile.js';
import { hasSameKeys, isDealtWith, repaired } from '../../domain/repair.js';
import { whoseAreThey } from '../../domain/whose-keys.js';
import { compareNow, type Comparison, type WorkflowSeen } from '../comparison.js';
import { credentialOf } from '../credential.js';
import { deleteSuspect } from '../delete-suspect.js';
import { tellEntity } from '../entity.js';
import type { Output } from '../output.js';
import type { Calling } from '../provider-calls.js';
import { type Action, type Answer, asKeyturnError } from '../run.js';
import { type Session, withSession } from '../session.js';
import { table } from '../table.js';

const ATTENTION = 3;
const POLL_MS = 200;
/** For the workflow's own part, beside one call to the provider. */
const WORKFLOW_WITHIN_MS = 5_000;

export const run: Action<'reconcile'> = (context, [credentialId], flags) =>
  withSession(context, async (session) => {
    const { out } = context;
    const { config } = session;
    const calling: Calling = {
      config,
      credential: credentialOf(config, credentialId),
      vault: await session.vault(),
      out,
    };
    const { delete: keyId, dryRun = false } = flags;
    if (keyId !== undefined) return deleteSuspect(session, calling, keyId, dryRun, out);
    return dryRun ? compareOnly(session, calling, out) : compareAndRepair(session, calling, out);
  });

/** Reads, with a key that was accepted before; changes nothing. */
async function compareOnly(session: Session, calling: Calling, out: Output): Promise<Answer> {
  const { credentialId } = calling.credential;
  const comparison = await compareNow(calling, () => workflowSeen(session, credentialId), { provenOnly: true });
  if (comparison.record.operation !== null) {
    out.warn('a rotation is in progress: a key that it has just made may seem to be of others');
  }
  return answerOf(comparison, { dryRun: true, repairs: [] });
}

/**
 * Repairs what is ours by making it due in the record: the workflow removes and closes. Compared again afterwards: what is still open then
 * was not repaired.
 * @throws KeyturnError KT-CONFLICT while a rotation is in progress, or where one came between
 */
async function compareAndRepair(session: Session, calling: Calling, out: Output): Promise<Answer> {
  const { credential, vault } = calling;
  const { credentialId } = credential;
  const ask = (): Promise<WorkflowSeen> => workflowSeen(session, credentialId);
  const before = await compareNow(calling, ask, {}, (record) => {
    if (record.operation !== null) throw inProgress(credentialId, 'a rotation is in progress: nothing was compared');
  });
  const repairs = before.findings.filter(({ repair }) => repair !== null);
  if (repairs.length === 0) {
    const isBehind = before.findings.some(({ kind }) => kind === 'store-behind');
    // It may not have looked since: told to load, it stops with attention.
    if (isBehind) await tellEntity(session, out, (client) => client.adopt(credentialId, before.version));
    await tell(session, out, before);
    return answerOf(before, { dryRun: false, repairs });
  }
  const { record } = before;
  const changed = await vault.custody.update(credentialId, (opened) => {
    if (!hasSameKeys(record, opened.record)) throw inProgress(credentialId, 'the keys have changed meanwhile');
    const next = repaired(opened.record, repairs, Date.now(), credential.timing.propagationMs);
    return next === opened.record ? { unchanged: null } : { next: { record: next, shelf: opened.shelf }, value: null };
  });
  const current = changed.opened.record.versions.find(({ stage }) => stage === 'current');
  const heard = await tellEntity(session, out, (client) => client.adopt(credentialId, current?.version ?? 0));
  if (heard === 'told') await untilDealtWith(calling, repairs);
  const after = await compareNow(calling, ask, {});
  await tell(session, out, after);
  return answerOf(after, { dryRun: false, repairs });
}

function inProgress(credentialId: string, message: string): KeyturnError {
  return new KeyturnError('KT-CONFLICT', message, {
    hint: `\`keyturn status ${credentialId}\` shows what is at work; \`keyturn reconcile ${credentialId} --dry-run\` compares meanwhile.`,
  });
}

async function untilDealtWith({ credential, vault }: Calling, repairs: readonly Finding[]): Promise<void> {
  const deadlineMs = Date.now() + credential.timing.httpTimeoutMs + WORKFLOW_WITHIN_MS;
  while (Date.now() < deadlineMs) {
    const opened = await vault.custody.read(credential.credentialId);
    if (opened && isDealtWith(opened.record, repairs, Date.now())) return;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** So that `status` shows what was found, and no longer what was found before. */
async function tell(session: Session, out: Output, { record, findings, nowMs }: Comparison): Promise<void> {
  const drift = driftOf(findings, nowMs);
  if (!drift) return;
  const { installationId, seq: recordSeq, credentialId } = record;
  const compared: KeysCompared = { installationId, recordSeq, drift };
  await tellEntity(session, out, (client) => client.keysCompared(credentialId, compared));
}

async function workflowSeen(session: Session, credentialId: string): Promise<WorkflowSeen> {
  try {
    const state = await (await session.client()).state(credentialId);
    return {
      state: state.status,
      version: state.current?.version ?? null,
      keyId: state.current?.keyId ?? null,
      seq: state.recordSeq,
    };
  } catch (error) {
    const state = asKeyturnError(error).code === 'KT-NOT-RUNNING' ? 'not running' : 'not reached';
    return { state, version: null, keyId: null, seq: null };
  }
}

interface Did {
  readonly dryRun: boolean;
  readonly repairs: readonly Finding[];
}

function answerOf(comparison: Comparison, { dryRun, repairs }: Did): Answer {
  const { record, workflow, findings, sighting, version, cannotSee } = comparison;
  const { credentialId } = record;
  const keys = whoseAreThey(record, sighting.keys ?? []);
  const open = findings.filter(isOpen);
  const done = repairs.filter((r) => !open.some((f) => f.kind === r.kind && f.keyId === r.keyId));
  const data = {
    credentialId,
    version,
    dryRun,
    workflow,
    listed: sighting.keys !== null,
    keys,
    findings,
    repaired: done,
    cannotSee,
  };
  const text = [
    table(
      ['KEY', 'IS', 'VERSION', 'LISTED'],
      keys.map(({ keyId, is, version: of, listed }) => [
        keyId,
        is,
        of === null ? '-' : String(of),
        sighting.keys === null ? '?' : listed ? 'yes' : 'no',
      ]),
    ),
    `workflow: ${workflow.version === null ? workflow.state : `version ${workflow.version}`}; store: version ${version}`,
    ...(workflow.state === 'not running' ? [`The workflow does not run: \`keyturn apply\` starts it.`] : []),
    ...done.map(({ message }) => `repaired: ${message}`),
    ...findings.filter(({ kind }) => kind !== 'foreign').map((f) => findingText(f, dryRun)),
    ...cannotSee.map((what) => `cannot be seen: ${what}`),
    verdict(open, dryRun),
  ].join('\n');
  return { data, text, ...(open.length > 0 ? { exit: ATTENTION } : {}) };
}

function findingText({ code, kind, message, means, next, repair }: Finding, dryRun: boolean): string {
  const isLeft = repair !== null && !dryRun;
  return [
    `${code ?? kind} ${message}`,
    `  ${means}`,
    ...(isLeft ? ['  not repaired yet: the workflow has not done it, or could not'] : []),
    ...(next === null ? [] : [`  next: ${next}`]),
  ].join('\n');
}

function verdict(open: readonly Finding[], dryRun: boolean): string {
  if (open.length === 0) return dryRun ? 'Nothing differs. Nothing was changed.' : 'Nothing is left to repair.';
  const needs = open.filter(({ needsOperator }) => needsOperator).length;
  const repairs = open.length - needs;
  const parts = [
    ...(needs > 0 ? [`${needs} finding(s) need somebody`] : []),
    ...(repairs > 0 ? [`${repairs} ${dryRun ? 'would be repaired' : 'not repaired'}`] : []),
  ];
  return `${parts.join(', ')}.${dryRun ? ' Nothing was changed.' : ''}`;
}
