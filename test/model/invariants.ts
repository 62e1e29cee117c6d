/**
 * The invariants of the design, by their numbers there, each once: both drivers judge every run by them. They read what was seen from outside
 * (requests at the provider, commits of the record, what steps returned) and the provider's truth. Null: it held; else what broke it.
 * 18 (histories replay) is no matter of the model.
 */
import type { Opened } from '../../src/custody/custody.js';
import { currentOf, previousOf, type IntentFacts } from '../../src/domain/record.js';
import { isMaking } from './attempt.js';
import { query } from './events.js';
import { earliestRevokeMs, publicationsOf, type Publication } from './publications.js';
import { minute } from './scenario.js';
import { STRIKE_BUDGET } from './store.js';
import { firstRefusalMs, type Key } from './system.js';
import type { Arrival } from './trace.js';
import type { World } from './world.js';

type Invariant = (world: World, published: readonly Publication[]) => string | null;

const at = (world: World, ms: number): string => `+${(ms - (world.disk.commits[0]?.atMs ?? 0)) / 1000}s`;

/** Where the environment took away more time than the overlap has, or an outsider killed the key, nobody could have prevented it. */
function excused(world: World, key: Key | undefined, refusedMs: number): boolean {
  if (!key || key.byOutsider) return true;
  const endedByItself = key.endsAtMs !== null && refusedMs >= key.endsAtMs;
  if (!endedByItself) return false;
  return world.disk.commits.some((c) => c.after.record.capabilityLost !== null && c.atMs <= refusedMs);
}

const publishedKeyIsAccepted: Invariant = (world, published) => {
  for (const p of published) {
    if (!p.key) return `version ${p.version.version} was published with a value that the provider does not know`;
    const untilMs = p.toMs ?? world.now();
    const refusedMs = firstRefusalMs(p.key, p.fromMs, untilMs);
    if (refusedMs !== null && !excused(world, p.key, refusedMs))
      return `version ${p.version.version} is published and refused from ${at(world, refusedMs)} on`;
  }
  return null;
};

const noGap: Invariant = (world, published) => {
  for (const p of published) {
    if (p.toMs === null || !p.key || !p.successor) continue;
    const untilMs = Math.min(world.now(), p.toMs + p.successor.policy.refreshWithinMs);
    const refusedMs = firstRefusalMs(p.key, p.toMs, untilMs);
    if (refusedMs === null || refusedMs >= p.leakedMs || excused(world, p.key, refusedMs)) continue;
    return `who refreshes in time holds version ${p.version.version}, refused from ${at(world, refusedMs)} on`;
  }
  return null;
};

const publishedIsVerified: Invariant = (world, published) => {
  for (const { version, commit, value } of published) {
    if (version.operationId.startsWith('import/') || version.operationId.startsWith('rollback/')) continue;
    if (version.verifiedAtMs === null) continue;
    const proofs = world.trace.arrivals.filter(
      (a) => a.call.kind === 'list' && a.call.value === value && a.answer.status === 200 && a.atMs <= commit.atMs,
    );
    const stored = proofs.some(({ found }) =>
      Object.values(found?.shelf.versions ?? {}).some((s) => s.fields['apiKey']?.reveal() === value),
    );
    if (!stored) return `version ${version.version} counts as verified, and its stored value was never seen to work`;
  }
  return null;
};

/** Removals that reached the provider: which keys, and the record as it was. */
function removals(world: World) {
  return world.trace.arrivals.filter((a) => ['delete', 'suspend'].includes(a.call.kind) && a.answer.status === 204);
}

const currentIsNeverRevoked: Invariant = (world) => {
  const serialOf = (found: Opened, version: number | undefined): number | undefined =>
    world.system.keyOf(found.shelf.versions[String(version)]?.fields['apiKey']?.reveal() ?? '')?.serial;
  for (const { answer, atMs, found, currentWorks } of removals(world)) {
    if (!found) continue;
    const current = currentOf(found.record)?.version;
    if (answer.touched.includes(serialOf(found, current) ?? 0))
      return `the key of version ${current}, which is current, was removed at ${at(world, atMs)}`;
    const isOld = previousOf(found.record).some((v) => answer.touched.includes(serialOf(found, v.version) ?? 0));
    if (isOld && !currentWorks)
      return `an old key was removed at ${at(world, atMs)}, while the current one did not work`;
  }
  return null;
};

/** Where a key can be restored it is suspended first, and deleted when it has been missed by nobody for `observe`. */
function observedUntilMs(world: World, serial: number, since: Publication, removal: Arrival): number {
  const { propagationMs, observeMs } = world.scenario.timing;
  if (!world.scenario.restorable || observeMs === 0) return 0;
  const suspended = removals(world).find(
    (a) => a.call.kind === 'suspend' && a.order > since.commit.order && a.answer.touched.includes(serial),
  );
  return Math.min(suspended?.atMs ?? Number.POSITIVE_INFINITY, removal.atMs) + propagationMs + observeMs;
}

const neverBeforeRevokeAt: Invariant = (world, published) => {
  for (const removal of removals(world)) {
    const { answer, atMs, order } = removal;
    for (const serial of answer.touched) {
      // A value that was rolled back to is published once more: its last life counts.
      const old = published.findLast((p) => p.key?.serial === serial && p.commit.order < order);
      if (!old || old.leakedMs <= atMs) continue;
      const earliestMs = earliestRevokeMs(world, old);
      if (atMs < earliestMs)
        return `version ${old.version.version} was removed at ${at(world, atMs)}, its grace lasts until ${at(world, earliestMs)}`;
      if (removal.call.kind === 'delete' && atMs < observedUntilMs(world, serial, old, removal))
        return `version ${old.version.version} was deleted at ${at(world, atMs)}, while it could still be rolled back to`;
    }
  }
  return null;
};

/** As it was last written before this moment. */
function intentBefore(world: World, order: number, idempotencyKey: string | null): IntentFacts | undefined {
  return world.disk.commits
    .filter((c) => c.order < order)
    .findLast((c) => c.after.record.intents.some((i) => i.idempotencyKey === idempotencyKey))
    ?.after.record.intents.find((i) => i.idempotencyKey === idempotencyKey);
}

const noBlindWrite: Invariant = (world) => {
  const sends = new Map<string, number>();
  for (const { call, atMs, under, order } of world.trace.departures) {
    if (!isMaking(call.kind)) continue;
    const what = `${call.kind} at ${at(world, atMs)}`;
    const intent = intentBefore(world, order, call.idempotencyKey);
    if (!intent) return `${what} was sent without a durable intent`;
    const sent = (sends.get(intent.idempotencyKey) ?? 0) + 1;
    sends.set(intent.idempotencyKey, sent);
    if (sent > intent.sends) return `${what} was sent ${sent} times, the intent knows of ${intent.sends}`;
    const others =
      under?.record.intents.filter((i) => i.n !== intent.n && i.kind === 'rotate' && i.settled === 'unknown') ?? [];
    const denied = under?.record.intents.some((i) => i.kind === 'create-key' && i.settled === 'refused');
    if (call.kind === 'rotate' && others.length > 0 && !denied)
      return `${what} repeats a rotation in place whose outcome is unknown`;
  }
  return null;
};

const noOrphan: Invariant = (world) => {
  const taken = world.trace.arrivals
    .filter((a) => !['restore', 'equip'].includes(a.call.kind))
    .flatMap((a) => (['delete', 'suspend'].includes(a.call.kind) ? a.answer.touched : []));
  const foreign = world.system.keys.find((k) => k.by === 'others' && taken.includes(k.serial));
  if (foreign) return `${foreign.id} is somebody else's and was removed`;
  const opened = world.disk.opened;
  if (!opened || !isQuiet(world)) return null;
  const { record, shelf } = opened;
  if (record.debts.some((d) => d.keyId === 'unlisted')) return null;
  const ids = [
    ...Object.values(shelf.versions).map((s) => s.keyId),
    ...record.debts.map((d) => shelf.debts?.[d.keyId]?.reveal() ?? d.keyId),
  ];
  const orphan = world.system.listed(world.now()).find((k) => k.by === 'ours' && !ids.includes(k.id));
  return orphan ? `${orphan.id} lives, and nobody accounts for it` : null;
};

const staleCallsLose: Invariant = (world) => {
  for (const { call, atMs, under } of world.trace.departures) {
    if (!isMaking(call.kind)) continue;
    const intent = under?.record.intents.find((i) => i.idempotencyKey === call.idempotencyKey);
    const what = `${call.kind} left its worker at ${at(world, atMs)}`;
    if (!intent || !under) return `${what}, after its operation had ended`;
    if (intent.epoch !== under.record.epoch || intent.settled !== 'open') return `${what}, after recovery had begun`;
    if (atMs >= intent.sendBeforeMs) return `${what}, after sendBefore`;
    if (under.record.operation?.operationId !== intent.operationId) return `${what}, after its operation had ended`;
    if (under.record.operation.compensating) return `${what}, while the rotation was being taken back`;
  }
  return null;
};

const versionsOnlyGrow: Invariant = (world) => {
  for (const { before, after, atMs } of world.disk.commits) {
    if (after.record.highestVersion < before.record.highestVersion)
      return `the highest version shrank at ${at(world, atMs)}`;
    const [was, is] = [currentOf(before.record), currentOf(after.record)];
    if (!was || !is || was.version === is.version) continue;
    if (is.version < was.version) return `version ${is.version} became current after version ${was.version}`;
    if (before.record.destroyed.some((d) => d.fingerprint === is.fingerprint))
      return `version ${is.version} brings back a destroyed value`;
    const leakedOnes = before.record.versions.filter((v) => v.leaked && v.stage !== 'pending');
    if (leakedOnes.some((v) => v.fingerprint === is.fingerprint))
      return `version ${is.version} brings back a leaked value`;
  }
  return null;
};

const neverTorn: Invariant = (world, published) => {
  for (const { version, key, commit } of published) {
    const shelved = commit.after.shelf.versions[String(version.version)];
    if (key && shelved && shelved.keyId !== key.id)
      return `version ${version.version} has the value of ${key.id} under the id of ${shelved.keyId}`;
    if (version.secretKey !== 'ok') continue;
    const secret = shelved?.fields['secretKey']?.reveal() ?? '';
    const made = world.system.secrets.find((s) => s.value === secret);
    const isTaken = made && (made.endsAtMs === null || made.endsAtMs > commit.atMs || made.byOutsider);
    if (!isTaken) return `version ${version.version} was published with a secret key that the provider does not take`;
  }
  return null;
};

const canRotateAgain: Invariant = (world) => {
  if (!isQuiet(world)) return null;
  const { record, shelf } = world.disk.opened ?? {};
  const current = record && currentOf(record);
  const values = shelf?.versions[String(current?.version)]?.fields;
  if (!record || !current || record.capabilityLost) return null;
  const nowMs = world.now();
  const accepted = world.system.accepts(values?.['apiKey']?.reveal() ?? '', nowMs);
  if (accepted && world.disk.account.refused.includes(current.fingerprint))
    return `version ${current.version} works, and is shut out`;
  const secret = values?.['secretKey']?.reveal() ?? '';
  const endedByOutsider = world.system.secrets.some((s) => s.value === secret && s.byOutsider);
  const inPlace = world.scenario.capability.needsSecretKey && !endedByOutsider;
  const able = inPlace ? world.system.acceptsSecret(secret, nowMs) : accepted;
  return able ? null : `version ${current.version} cannot rotate any more, and nobody says so`;
};

const noPlaintext: Invariant = (world) => {
  const seen = JSON.stringify([world.lane, world.trace.results]);
  const { keyIdIsSecret } = world.scenario.capability;
  const values = [...world.system.keys, ...world.system.secrets].map((k) => k.value);
  const ids = keyIdIsSecret ? world.system.keys.map((k) => `"${k.id}"`) : [];
  const shown = [...values.map((v) => `"${v}"`), ...ids].find((v) => seen.includes(v));
  return shown === undefined ? null : `${shown} left custody`;
};

const strikesWithinBudget: Invariant = ({ system }) =>
  system.strikes <= STRIKE_BUDGET ? null : `${system.strikes} invalid-credential calls, the budget is ${STRIKE_BUDGET}`;

const oneDeliveryOneRotation: Invariant = (world) => {
  const served = new Map<string, number>();
  const opened = world.disk.opened;
  for (const h of opened?.record.history ?? [])
    if (h.outcome.startsWith('rotated')) served.set(h.requestId, (served.get(h.requestId) ?? 0) + 1);
  const twice = [...served].find(([, n]) => n > 1);
  if (twice) return `request ${twice[0]} was served ${twice[1]} times`;
  if (!isQuiet(world) || world.lane.trouble) return null;
  const waits = world.lane.queue.map((q) => q.request.requestId);
  const known = new Set([
    ...waits,
    ...world.lane.answered.map((a) => a.requestId),
    ...(opened?.record.history ?? []).map((h) => h.requestId),
  ]);
  // A request that joined, or that an earlier run has answered, is only remembered.
  const lost = world.trace.requests.find(
    ({ request }) => !known.has(request.requestId) && !world.remembers(request.requestId),
  );
  return lost ? `request ${lost.request.requestId} was accepted and forgotten` : null;
};

const queryAnswers: Invariant = (world) => {
  if (world.stuck !== null) return world.stuck;
  const state = query(world);
  return typeof state === 'object' && state !== null ? null : 'the query has no answer';
};

const scopeIsEqual: Invariant = (_, published) => {
  for (const { version, key, successor } of published) {
    if (!successor?.key || !key || successor.version.operationId.startsWith('rollback/')) continue;
    const missing = key.scope.filter((s) => !successor.key?.scope.includes(s));
    if (missing.length > 0) return `the version after ${version.version} lacks ${missing.join(', ')}`;
  }
  return null;
};

const everythingEnds: Invariant = (world) => {
  if (world.trace.defects.length > 0) return `a step threw what it should not: ${world.trace.defects[0]}`;
  const { lane, disk } = world;
  if (lane.trouble) return null;
  const nowMs = world.now();
  const { record } = disk.opened ?? {};
  if (!record) return 'the record is gone';
  if (lane.active && nowMs - lane.active.startedAtMs > 60 * minute && !lane.active.parked)
    return `operation ${lane.active.operationId} goes on without an end, in ${lane.active.step}`;
  if (!isQuiet(world)) return null;
  if (record.operation) return `operation ${record.operation.operationId} is open, and nobody works on it`;
  const debt = record.debts.find((d) => d.kind === 'orphan');
  if (debt) return `the debt for ${debt.keyId} is not paid`;
  const old = previousOf(record).find((v) => v.retirement);
  return old ? `version ${old.version} does not end: ${old.retirement?.state}` : null;
};

/** Nothing is left to do: what is not settled now never will be. */
function isQuiet(world: World): boolean {
  return world.idle && world.lane.active === null && world.lane.trouble === null;
}

export const invariants = {
  '1 the published key is accepted': publishedKeyIsAccepted,
  '2 no gap within refreshWithin': noGap,
  '3 published is verified from the store': publishedIsVerified,
  '4 the current key is never revoked': currentIsNeverRevoked,
  '5 never revoked before revokeAt': neverBeforeRevokeAt,
  '6 no blind write, an intent first': noBlindWrite,
  '7 no orphan, no foreign key touched': noOrphan,
  '8 stale calls lose': staleCallsLose,
  '9 versions only grow': versionsOnlyGrow,
  '10 never torn': neverTorn,
  '11 able to rotate again, or said': canRotateAgain,
  '12 no plaintext outside custody': noPlaintext,
  '13 strikes within the budget': strikesWithinBudget,
  '14 one delivery, one rotation': oneDeliveryOneRotation,
  '15 the query answers': queryAnswers,
  '16 equal scope': scopeIsEqual,
  '17 everything ends': everythingEnds,
} as const satisfies Record<string, Invariant>;

export type InvariantName = keyof typeof invariants;

export interface Violation {
  /** All that broke, in the order of the numbers, with what broke the first. */
  readonly invariants: readonly InvariantName[];
  readonly what: string;
}

/** Null: all of them held. */
export function judge(world: World): Violation | null {
  const published = publicationsOf(world);
  const names = Object.keys(invariants) as InvariantName[];
  const broken = names.flatMap((name) => {
    const what = invariants[name](world, published);
    return what === null ? [] : [{ name, what }];
  });
  const [first] = broken;
  return first ? { invariants: broken.map((b) => b.name), what: first.what } : null;
}
