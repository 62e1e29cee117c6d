/** Which value was published when, read off the disk's commits. */
import { currentOf, type RotationPolicy, type VersionFacts } from '../../src/domain/record.js';
import type { Commit } from './store.js';
import type { Key } from './system.js';
import type { World } from './world.js';

export interface Publication {
  readonly version: VersionFacts;
  readonly value: string;
  readonly key: Key | undefined;
  readonly fromMs: number;
  /** Publish of the successor; null: still current. */
  readonly toMs: number | null;
  readonly successor: Publication | null;
  readonly commit: Commit;
  /** What was in force when it was published. */
  readonly policy: RotationPolicy;
  /** Since when it has been known to have leaked. */
  readonly leakedMs: number;
}

export function publicationsOf(world: World): readonly Publication[] {
  const found: Omit<Publication, 'toMs' | 'successor' | 'leakedMs'>[] = [];
  for (const commit of world.disk.commits) {
    const version = currentOf(commit.after.record);
    if (!version || version.version === found.at(-1)?.version.version) continue;
    const value = commit.after.shelf.versions[String(version.version)]?.fields['apiKey']?.reveal() ?? '';
    const policy = commit.before.record.operation?.policy ?? world.policy;
    const key = world.system.keyOf(value);
    found.push({ version, value, key, fromMs: commit.atMs, commit, policy });
  }
  return found.reduceRight<readonly Publication[]>((later, each) => {
    const successor = later[0] ?? null;
    const leakedMs = leakedAtMs(world, each.version);
    return [{ ...each, toMs: successor?.fromMs ?? null, successor, leakedMs }, ...later];
  }, []);
}

/** Of the value, whatever version it had then; or of a newer one with the same id, by which both are removed. */
function leakedAtMs(world: World, { version, fingerprint, keyId }: VersionFacts): number {
  const leaked = (v: VersionFacts): boolean =>
    v.leaked && (v.fingerprint === fingerprint || (v.keyId === keyId && v.version > version));
  const marked = world.disk.commits.find((c) => c.after.record.versions.some(leaked));
  return marked?.atMs ?? Number.POSITIVE_INFINITY;
}

/** T + grace, from the published facts: written down here a second time, on purpose. */
export function earliestRevokeMs(world: World, old: Publication): number {
  const next = old.successor;
  if (!next) return Number.POSITIVE_INFINITY;
  const publishedMs = next.fromMs;
  const dones = next.policy.consumers.map(({ name, ackWithinMs }) => {
    const acks = world.trace.acks.filter((a) => a.consumer === name && a.version >= next.version.version);
    const ackedMs = Math.min(...acks.map((a) => Math.max(a.atMs, publishedMs)));
    return Math.min(ackedMs, publishedMs + ackWithinMs);
  });
  return Math.max(publishedMs + next.policy.refreshWithinMs, ...dones) + next.policy.graceMs;
}
