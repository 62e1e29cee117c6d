import { gapsOf, type Interval, type Life, livesAt, mergedIntervals, type Publication } from '../shared/lives.js';
import { sha256 } from '../shared/random.js';
import type { App, Key, Organization } from './organization.js';
import type { RequestEntry, WriteEntry } from './request-log.js';
import { type RuntimeLife, runtimeLivesOf } from './runtime-lives.js';
import { keyFaultOf } from './verify.js';
import type { World } from './world.js';

/** Instants are virtual time in milliseconds. */
export interface OracleKey {
  serial: number;
  app: string;
  sha256: string;
  secretSha256: string;
  /** As it is, or was last. */
  status: Key['status'];
  products: { apiproduct: string; status: string }[];
  scopes: string[];
  attributes: { name: string; value: string }[];
  createdAt: number;
  expiresAt: number | null;
  /** Since when it is revoked; null while it is approved. */
  revokedAt: number | null;
  deletedAt: number | null;
  by: Key['by'];
  createdByRequest: number | null;
  /** When the key store would let it pass at one of the proxies. Message processors are behind this by their caches. */
  accepted: Life[];
  /** When the runtime let it pass, per proxy. */
  runtime: RuntimeLife[];
  /** The plain values, only where they were asked for. */
  consumerKey?: string;
  consumerSecret?: string;
}

/** What really happened, as JSON. Numbers name requests (`n`) and keys (`serial`). */
export interface OracleData {
  now: number;
  realNow: number;
  /** Of the deployed proxies. */
  basePaths: string[];
  keys: OracleKey[];
  requests: RequestEntry[];
  writes: WriteEntry[];
}

export interface Oracle extends OracleData {
  /** Would the key store let this key (serial, or SHA-256 of the consumer key) pass at that instant? */
  acceptedAt(which: string | number, atMs: number): boolean;
  /** Might some message processor let it pass, when what it cached may be this old? */
  acceptedSomewhereAt(which: string | number, atMs: number, staleMs: number): boolean;
  /**
   * The intervals in which some message processor refused what was published then at one of these base paths (default: all
   * that the organization has); a key unknown to the organization is one long gap.
   */
  gaps(timeline: readonly Publication[], basePaths?: readonly string[]): Interval[];
}

export function oracleData(world: World, values: boolean): OracleData {
  const { ledger, log, clock } = world;
  const keys = new Map<number, OracleKey>();
  const chapters = ledger.chapters();
  for (const [index, { organization, fromMs }] of chapters.entries()) {
    const untilMs = chapters[index + 1]?.fromMs ?? null;
    for (const { app, key } of allKeys(organization)) {
      const before = keys.get(key.serial) ?? started(world, app, key, values);
      const wasRevokedAt = before.revokedAt ?? fromMs;
      const life = lifeOf(world, organization, key, { fromMs: Math.max(fromMs, key.issuedAtMs), toMs: untilMs });
      keys.set(key.serial, {
        ...before,
        status: key.status,
        products: key.products.map((one) => ({ ...one })),
        scopes: [...key.scopes],
        attributes: key.attributes.map((one) => ({ ...one })),
        revokedAt: key.status === 'revoked' ? wasRevokedAt : null,
        accepted: joined(before.accepted, life),
        deletedAt: null,
      });
    }
    for (const known of keys.values()) {
      const isGone = !allKeys(organization).some(({ key }) => key.serial === known.serial);
      if (isGone) known.deletedAt ??= fromMs;
    }
  }
  return {
    now: clock.now(),
    realNow: clock.realNow(),
    basePaths: world.proxies.map(({ basePath }) => basePath),
    keys: [...keys.values()].toSorted((a, b) => a.serial - b.serial),
    ...log.history(),
  };
}

const allKeys = ({ apps }: Organization): { app: App; key: Key }[] =>
  apps.flatMap((app) => app.keys.map((key) => ({ app, key })));

const started = (world: World, app: App, key: Key, values: boolean): OracleKey => ({
  serial: key.serial,
  app: app.name,
  sha256: sha256(key.consumerKey),
  secretSha256: sha256(key.consumerSecret),
  status: key.status,
  products: [],
  scopes: [],
  attributes: [],
  createdAt: key.issuedAtMs,
  expiresAt: key.expiresAtMs,
  revokedAt: null,
  deletedAt: null,
  by: key.by,
  createdByRequest: key.createdByRequest,
  accepted: [],
  runtime: runtimeLivesOf(world, key),
  ...(values ? { consumerKey: key.consumerKey, consumerSecret: key.consumerSecret } : {}),
});

/** The part of one chapter in which the key passes; null: none of it. */
function lifeOf({ rules, proxies }: World, organization: Organization, key: Key, chapter: Life): Life | null {
  const { fromMs, toMs } = chapter;
  const passes = proxies.some(
    (proxy) => keyFaultOf(organization, key.consumerKey, proxy, null, { atMs: fromMs, rules }) === null,
  );
  if (!passes) return null;
  const ends = [toMs, key.expiresAtMs].filter((end) => end !== null);
  return { fromMs, toMs: ends.length === 0 ? null : Math.min(...ends) };
}

function joined(lives: readonly Life[], next: Life | null): Life[] {
  if (next === null || next.fromMs === next.toMs) return [...lives];
  const last = lives.at(-1);
  if (last === undefined || last.toMs !== next.fromMs) return [...lives, next];
  return [...lives.slice(0, -1), { fromMs: last.fromMs, toMs: next.toMs }];
}

/** Adds the questions to the data, also to data that came over the control API. */
export function oracleOf(data: OracleData): Oracle {
  const named = (which: string | number): OracleKey[] =>
    data.keys.filter(({ serial, sha256: hash }) => which === serial || which === hash);
  const storedLives = (which: string | number): Life[] => named(which).flatMap(({ accepted }) => accepted);
  return {
    ...data,
    acceptedAt: (which, atMs) => livesAt(storedLives(which), atMs),
    acceptedSomewhereAt: (which, atMs, staleMs) =>
      storedLives(which).some(({ fromMs, toMs }) => fromMs <= atMs && atMs - staleMs < (toMs ?? Infinity)),
    gaps(timeline, basePaths = data.basePaths) {
      const gaps = basePaths.flatMap((basePath) =>
        gapsOf(timeline, (sha) => named(sha).flatMap(({ runtime }) => everywhereAt(runtime, basePath))),
      );
      return mergedIntervals(gaps);
    },
  };
}

const everywhereAt = (lives: readonly RuntimeLife[], basePath: string): Life[] =>
  lives.filter((one) => one.basePath === basePath).flatMap(({ everywhere }) => everywhere);
