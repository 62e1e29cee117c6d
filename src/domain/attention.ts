/** What an operator has to look at, derived from the facts: it appears and clears with them and is never stored. */
import { standing } from './drift.js';
import type { ErrorCode } from './errors.js';
import { shellWord } from './foreignText.js';
import { iso } from './instant.js';
import type { LaneState } from './lane.js';
import { currentOf, previousOf } from './record.js';
import { providerEndMs, revokeAtMs, waitingFor } from './retirement.js';
import type { Attention, StateError } from './state.js';
import { lastEffect } from './view.js';

/** These make the status `needs-operator`; all others are notices. */
const serious: ReadonlySet<string> = new Set<ErrorCode>([
  'KT-CAPABILITY-LOST',
  'KT-CREDENTIAL-REFUSED',
  'KT-CONSUMER-GONE',
  'KT-KEY-FILE',
  'KT-KEY-MISSING',
  'KT-LOCKOUT-BUDGET',
  'KT-LOCKED-OUT',
  'KT-OUTCOME-UNKNOWN',
  'KT-REPOINTED',
  'KT-SCOPE-DIFFERS',
  'KT-STORE-BEHIND',
  'KT-STORE-CORRUPT',
  'KT-STORE-FOREIGN',
  'KT-SUSPECTED-ORPHAN',
  'KT-UNVERIFIED',
  'KT-WRONG-TENANT',
]);

const notSentAgain: ReadonlySet<string> = new Set<ErrorCode>(['KT-CREDENTIAL-REFUSED', 'KT-LOCKOUT-BUDGET']);

/** What keeps it from being removed: a key that was refused once and waits for a reset, or anything else. */
const mendDebt = (id: string, lastError: StateError | null): string =>
  lastError !== null && notSentAgain.has(lastError.code) ? `keyturn lockout ${id}` : `keyturn reconcile ${id}`;

export function needsOperator(attention: readonly Attention[]): boolean {
  return attention.some((a) => serious.has(a.code));
}

export function attentionOf(lane: LaneState, nowMs: number): readonly Attention[] {
  const id = lane.credentialId;
  const found: Attention[] = [];
  const raise = (
    code: ErrorCode,
    sinceMs: number,
    message: string,
    command: string,
    deadlineMs?: number | null,
  ): void => {
    found.push({ code, since: iso(sinceMs), message, ...(deadlineMs ? { deadline: iso(deadlineMs) } : {}), command });
  };
  if (lane.trouble) {
    const { code, sinceMs, message } = lane.trouble;
    raise(
      code as ErrorCode,
      sinceMs,
      message,
      code === 'KT-STORE-BEHIND' ? `keyturn reconcile ${id}` : 'keyturn doctor',
    );
  }
  const view = lane.view;
  if (lane.notImportedSinceMs && !(view && currentOf(view))) {
    const message = 'a rotation was asked for, and no key has been imported';
    raise('KT-NOT-IMPORTED', lane.notImportedSinceMs, message, `keyturn import ${id}`);
  }
  if (!view) return found;
  if (lane.repointed)
    raise('KT-REPOINTED', currentOf(view)?.publishedAtMs ?? nowMs, lane.repointed, `keyturn import ${id} --replace`);
  const current = currentOf(view);
  const lost = view.capabilityLost;
  const isTried = lost !== null && (lost.retryAtMs === null || lost.attempts > 0);
  if (lost && isTried)
    raise('KT-CAPABILITY-LOST', lost.sinceMs, lost.message, `keyturn import ${id} --replace`, lost.deadlineMs);
  const last = lastEffect(view);
  if (
    last?.outcome === 'needs-operator' &&
    !lost &&
    last.error &&
    current &&
    (current.publishedAtMs ?? 0) < last.endedAtMs
  ) {
    raise(last.error.code as ErrorCode, last.endedAtMs, last.error.message, `keyturn reconcile ${id}`);
  }
  for (const { code, sinceMs, message, command } of standing(view)) {
    if (!found.some((a) => a.code === code)) raise(code, sinceMs, message, command);
  }
  if (current && current.verifiedAtMs === null && !current.operationId.startsWith('import/')) {
    raise(
      'KT-UNVERIFIED',
      current.publishedAtMs ?? nowMs,
      `version ${current.version} was published without having been seen to work`,
      `keyturn rotate ${id}`,
    );
  }
  if (current?.leaked && !lane.active) {
    raise(
      'KT-LEAKED',
      current.publishedAtMs ?? nowMs,
      `version ${current.version} is current and has leaked`,
      `keyturn rotate ${id} --reason compromise`,
    );
  }
  const { active } = lane;
  if (active && active.waitingFor.length > 0) {
    raise(
      'KT-APPROVAL-NEEDED',
      active.stepStartedAtMs,
      `the rotation waits for ${active.waitingFor.join(', ')}`,
      `keyturn status ${id}`,
    );
  }
  for (const debt of view.debts) {
    if (debt.kind === 'suspected-orphan') {
      raise(
        'KT-SUSPECTED-ORPHAN',
        debt.sinceMs,
        `key ${debt.keyId} at the provider may be ours`,
        `keyturn reconcile ${id} --delete ${shellWord(debt.keyId)}`,
      );
    } else {
      raise(
        'KT-DEBT',
        debt.sinceMs,
        `key ${debt.keyId} could not be removed yet (${debt.lastError?.message ?? 'not tried'})`,
        mendDebt(id, debt.lastError),
      );
    }
  }
  for (const old of previousOf(view)) {
    const r = old.retirement;
    if (r?.state === 'debt') {
      raise(
        'KT-DEBT',
        revokeAtMs(r),
        `version ${old.version} could not be revoked yet (${r.lastError?.message ?? 'not tried'})`,
        mendDebt(id, r.lastError),
      );
    }
    const waiting = r ? waitingFor(r, nowMs) : [];
    const endMs = providerEndMs(old);
    if (r && waiting.length > 0 && endMs !== null && endMs < revokeAtMs(r)) {
      raise(
        'KT-DIES-EARLY',
        r.supersededAtMs,
        `version ${old.version} dies before ${waiting.join(', ')}`,
        `keyturn ack ${id} --consumer NAME --version ${r.supersededBy}`,
        endMs,
      );
    }
  }
  if (view.lockout && view.lockout.used >= view.lockout.limit) {
    raise(
      'KT-LOCKOUT-BUDGET',
      view.lockout.asOfMs,
      `${view.lockout.used} of ${view.lockout.limit} invalid-credential calls are spent`,
      `keyturn lockout ${id}`,
    );
  }
  if (view.lostProofs) raise('KT-PROOF-LOST', view.lostProofs.sinceMs, view.lostProofs.message, `keyturn doctor`);
  if (view.paused && lane.queue.length > 0) {
    raise(
      'KT-PAUSED',
      view.paused.sinceMs,
      `paused with ${lane.queue.length} request(s) that should not wait`,
      `keyturn resume ${id}`,
    );
  }
  if (lane.policy === null && !lane.trouble) {
    raise(
      'KT-NOT-IN-CONFIG',
      current?.publishedAtMs ?? nowMs,
      'this credential is not in the configuration any more',
      'keyturn apply --prune',
    );
  }
  return found;
}
