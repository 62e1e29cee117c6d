/** What a simulated provider really knows, in one form for all of them. Instants are real time: no cell moves a clock. */
import type { ApigeeSimulator } from '../../src/simulators/apigee/index.js';
import type { MambuSimulator } from '../../src/simulators/mambu/index.js';

export interface TrueKey {
  readonly serial: number;
  /** As a listing names it; Apigee's is the consumer key. */
  readonly id: string;
  /** The value by which an application is let in. */
  readonly value: string;
  readonly madeByUs: boolean;
  readonly foreign: boolean;
  readonly isAlive: boolean;
  readonly createdAtMs: number;
  /** When it was accepted. */
  readonly lives: readonly { readonly fromMs: number; readonly toMs: number | null }[];
  /** What it may do, in comparable words; empty where the provider has no scopes. */
  readonly scope: readonly string[];
}

export interface Truth {
  readonly nowMs: number;
  readonly keys: readonly TrueKey[];
  /** Changes made over the API. */
  readonly writes: readonly { readonly kind: string; readonly atMs: number; readonly serials: readonly number[] }[];
  readonly requests: readonly {
    readonly method: string;
    readonly route: string;
    readonly committed: boolean;
    readonly idempotencyKey: string | null;
    readonly fault: string | null;
  }[];
  /** Every value that must appear nowhere. */
  readonly secrets: readonly string[];
  readonly strikes: number;
  /** Of a pair, whether the second value is accepted, too; null where there is none, or it is part of the first. */
  secondAccepted(value: string): boolean | null;
}

export function mambuTruth(simulator: MambuSimulator): Truth {
  const oracle = simulator.oracle({ values: true });
  const seededIds = new Set(simulator.seeded.map(({ keyId }) => keyId));
  return {
    nowMs: oracle.realNow,
    keys: oracle.keys.map((key) => ({
      serial: key.serial,
      id: key.id,
      value: key.value ?? '',
      madeByUs: key.by !== 'ui',
      foreign: key.by === 'ui' && !seededIds.has(key.id),
      isAlive: oracle.acceptedAt(key.serial, oracle.now),
      createdAtMs: key.createdAt,
      lives: [{ fromMs: key.validFrom, toMs: key.diesAt }],
      scope: [],
    })),
    writes: oracle.writes.map(({ kind, realAt, serials }) => ({ kind, atMs: realAt, serials })),
    requests: oracle.requests,
    secrets: [...oracle.keys, ...oracle.secretKeys].flatMap(({ value }) => value ?? []),
    strikes: oracle.strikes.total,
    secondAccepted(value) {
      const secret = oracle.secretKeys.find((one) => one.value === value);
      return secret !== undefined && oracle.acceptedAt(secret.serial, oracle.now);
    },
  };
}

export function apigeeTruth(simulator: ApigeeSimulator): Truth {
  const oracle = simulator.oracle({ values: true });
  const { consumerKey: first, accessToken, password } = simulator.seeded;
  return {
    nowMs: oracle.realNow,
    keys: oracle.keys.map((key) => ({
      serial: key.serial,
      id: key.consumerKey ?? '',
      value: key.consumerKey ?? '',
      madeByUs: key.by === 'create' || key.consumerKey === first,
      foreign: key.by !== 'create' && key.consumerKey !== first,
      isAlive: key.deletedAt === null,
      createdAtMs: key.createdAt,
      lives: key.accepted,
      scope: [
        ...key.products.filter(({ status }) => status === 'approved').map(({ apiproduct }) => `product:${apiproduct}`),
        ...key.scopes.map((scope) => `scope:${scope}`),
        ...key.attributes.map(({ name, value }) => `attribute:${name}=${value}`),
      ].toSorted(),
    })),
    writes: oracle.writes.map(({ kind, realAt, serials }) => ({ kind, atMs: realAt, serials })),
    requests: oracle.requests.map((request) => ({ ...request, idempotencyKey: null })),
    secrets: [
      ...oracle.keys.flatMap(({ consumerKey = '', consumerSecret = '' }) => [consumerKey, consumerSecret]),
      accessToken,
      password,
    ].filter((text) => text.length >= 8),
    // Apigee counts none.
    strikes: 0,
    secondAccepted(value) {
      return oracle.keys.some((key) => key.consumerSecret === value && key.deletedAt === null);
    },
  };
}
