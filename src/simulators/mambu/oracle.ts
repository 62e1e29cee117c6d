import { gapsOf, type Interval, type Life, livesAt, type Publication } from '../shared/lives.js';
import { type ApiKey, type Credential, prefixOf } from './key-ring.js';
import type { RequestEntry, WriteEntry } from './request-log.js';
import type { StrikesView } from './strikes.js';
import type { World } from './world.js';

/** Instants are virtual time in milliseconds. Accepted from `validFrom` until just before `diesAt`. */
export interface OracleCredential {
  serial: number;
  consumerId: string;
  sha256: string;
  createdAt: number;
  validFrom: number;
  /** The instant from which it is refused, as known now; null: no end in sight. */
  diesAt: number | null;
  deletedAt: number | null;
  rotatedAt: number | null;
  by: Credential['by'];
  createdByRequest: number | null;
  /** The plain value, only where it was asked for. */
  value?: string;
}

export interface OracleKey extends OracleCredential {
  id: string;
  prefix: string;
}

/** What really happened, as JSON. Numbers name requests (`n`) and credentials (`serial`). */
export interface OracleData {
  now: number;
  realNow: number;
  keys: OracleKey[];
  secretKeys: OracleCredential[];
  requests: RequestEntry[];
  writes: WriteEntry[];
  strikes: StrikesView;
}

export interface Oracle extends OracleData {
  /** Would the tenant have accepted this key (or secret key) at that instant? Knows nothing of IP blocks: see `strikes`. */
  acceptedAt(which: string | number, atMs: number): boolean;
  /** The intervals in which what was published then was not accepted; a value unknown to the tenant is one long gap. */
  gaps(timeline: readonly Publication[]): Interval[];
}

export function oracleData({ ring, log, strikes, clock }: World, values: boolean): OracleData {
  const credential = (one: Credential): OracleCredential => ({
    serial: one.serial,
    consumerId: one.consumer.id,
    sha256: one.sha256,
    createdAt: one.createdAtMs,
    validFrom: one.validFromMs,
    diesAt: one.diesAtMs,
    deletedAt: one.deletedAtMs,
    rotatedAt: one.rotatedAtMs,
    by: one.by,
    createdByRequest: one.createdByRequest,
    ...(values ? { value: one.value } : {}),
  });
  const key = (one: ApiKey): OracleKey => ({ ...credential(one), id: one.id, prefix: prefixOf(one) });
  return {
    now: clock.now(),
    realNow: clock.realNow(),
    keys: ring.apiKeys().map(key),
    secretKeys: ring.secretKeys().map(credential),
    ...log.history(),
    strikes: strikes.view(),
  };
}

/** Adds the questions to the data, also to data that came over the control API. */
export function oracleOf(data: OracleData): Oracle {
  const all = [...data.keys, ...data.secretKeys];
  const livesOf = (which: string | number): Life[] =>
    all
      .filter(({ serial, sha256 }) => which === serial || which === sha256)
      .map(({ validFrom, diesAt }) => ({ fromMs: validFrom, toMs: diesAt }));
  return {
    ...data,
    acceptedAt: (which, atMs) => livesAt(livesOf(which), atMs),
    gaps: (timeline) => gapsOf(timeline, livesOf),
  };
}
