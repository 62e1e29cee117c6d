/**
 * A state as text: equal texts mean that the same things can happen from here on. Instants are relative to now, random ids are numbered in the
 * order in which they appear, and what only the operator's eye needs (history, names of attempts) is left out.
 */
import type { World } from './world.js';

interface Queued {
  readonly atMs: number;
  readonly what: string;
}

export function stateText(world: World, queue: readonly Queued[]): string {
  const { disk, system, lane } = world;
  const { record, shelf } = disk.opened ?? { record: null, shelf: null };
  const text = JSON.stringify([
    record && {
      ...record,
      seq: 0,
      installationId: 0,
      history: record.history.map((h) => [h.operationId, h.requestId, h.outcome, h.error?.code]),
      seen: record.seen.map((s) => s.slice(0, 13)),
      operation: record.operation && { ...record.operation, strategy: 0 },
      versions: record.versions.map((v) => ({ ...v, identity: 0 })),
      destroyed: record.destroyed.map((d) => d.version),
      debts: record.debts.map((d) => ({ ...d, identity: 0 })),
    },
    shelf && Object.entries(shelf.versions).map(([v, s]) => [v, s.keyId, s.fields['apiKey']?.reveal(), s.fields['secretKey']?.reveal()]),
    shelf && Object.entries(shelf.intents).map(([n, i]) => [n, i.actingVersion, i.body?.reveal()]),
    disk.late.map((l) => [l.operationId, l.intent, l.keyId]),
    [disk.account.used, disk.account.proven, disk.account.refused, disk.account.reservations.map((r) => r.fingerprint)],
    system.keys,
    system.secrets,
    system.replays.map((r) => [r.key, r.atMs]),
    world.policy,
    world.events,
    world.story,
    (record?.seq ?? 0) - (lane.view?.seq ?? 0),
    {
      queue: lane.queue,
      active: lane.active && { ...lane.active, steps: 0, stepStartedAtMs: 0 },
      notes: lane.notes,
      retry: lane.retry,
      trouble: lane.trouble?.code,
      rollback: lane.rollback,
      reload: lane.reload,
      seen: lane.seen.map((s) => s.slice(0, 13)),
      loaded: lane.installationId !== null,
    },
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
