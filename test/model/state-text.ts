/**
 * A state as text: equal texts mean that the same things can happen from here on. Instants are relative to now, random ids are numbered in the
 * order in which they appear; what only an operator's eye needs, and instants that nothing waits for any more, are left out.
 */
import type { Opened } from '../../src/custody/custody.js';
import type { CredentialRecord, VersionFacts } from '../../src/domain/record.js';
import type { System } from './system.js';
import type { World } from './world.js';

interface Queued {
  readonly atMs: number;
  readonly what: string;
}

export function stateText(world: World, queue: readonly Queued[]): string {
  const { disk, lane } = world;
  const text = JSON.stringify([
    disk.opened && [recordState(disk.opened.record), shelfState(disk.opened)],
    disk.late.map((l) => [l.operationId, l.intent, l.keyId]),
    [disk.account.used, disk.account.proven, disk.account.refused, disk.account.reservations.map((r) => r.fingerprint)],
    systemState(world.system, world.now()),
    world.policy,
    world.events,
    world.story,
    (disk.opened?.record.seq ?? 0) - (lane.view?.seq ?? 0),
    laneState(world),
    world.attempts.map((a) => [a.name, a.gate.log, a.lost, disk.commits.length - a.sinceCommit]),
    queue.map((i) => [i.atMs, i.what]),
  ]);
  const ids = new Map<string, number>();
  const numbered = (id: string): string => `u${ids.get(id) ?? (ids.set(id, ids.size), ids.size - 1)}`;
  return text
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, numbered)
    .replace(/\d{13}/g, (ms) => String(Number(ms) - world.now()))
    .replace(/#\d+/g, '');
}

function recordState(record: CredentialRecord): unknown {
  const { operation } = record;
  return [
    record.highestVersion,
    record.versions.map(versionState),
    operation && [
      operation.operationId,
      operation.request,
      operation.compensating,
      operation.refusedAtMs,
      operation.policy,
    ],
    record.intents.map((i) => ({
      ...i,
      createdAtMs: 0,
      sendBeforeMs: i.settled === 'open' ? i.sendBeforeMs : 0,
      epoch: i.epoch - record.epoch,
    })),
    record.debts.map((d) => [d.kind, d.keyId, d.attempts, d.nextAttemptAtMs]),
    record.acknowledged,
    record.paused !== null,
    record.waiting,
    record.capabilityLost !== null,
    record.history.map((h) => [h.operationId, h.requestId, h.outcome, h.error?.code]),
    record.seen.map((s) => s.slice(0, 13)),
    record.destroyed.map((d) => d.version),
  ];
}

function versionState(v: VersionFacts): unknown {
  return { ...v, identity: 0, createdAtMs: 0, publishedAtMs: 0, verifiedAtMs: v.verifiedAtMs !== null, lifetime: 0 };
}

function shelfState({ shelf }: Opened): unknown {
  return [
    Object.entries(shelf.versions).map(([v, s]) => [
      v,
      s.keyId,
      s.fields['apiKey']?.reveal(),
      s.fields['secretKey']?.reveal(),
    ]),
    Object.entries(shelf.intents).map(([n, i]) => [n, i.actingVersion, i.body?.reveal()]),
  ];
}

function systemState(system: System, nowMs: number): unknown {
  const fresh = (bornAtMs: number): number => (nowMs < bornAtMs + 300_000 ? bornAtMs : 0);
  const keys = system.keys.map((k) => [
    {
      ...k,
      bornAtMs: fresh(k.bornAtMs),
      deletedAtMs: k.deletedAtMs !== null,
      suspensions: k.suspensions.at(-1)?.toMs === null,
    },
  ]);
  return [keys, system.secrets, system.replays.map((r) => r.key)];
}

function laneState({ lane }: World): unknown {
  const { active } = lane;
  return [
    lane.queue.map((q) => [q.request, q.leakNoted]),
    active && { ...active, startedAtMs: 0, steps: 0, stepStartedAtMs: 0 },
    lane.notes,
    lane.retry,
    lane.trouble?.code,
    lane.rollback,
    lane.reload,
    lane.seen.map((s) => s.slice(0, 13)),
    lane.installationId !== null,
  ];
}
