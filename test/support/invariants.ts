/** What must hold after every fault, judged from outside: the simulator's oracle, the store, the query and Temporal's history. */
import { expect } from 'vitest';
import type { CredentialRecord } from '../../src/domain/record.js';
import { Secret } from '../../src/domain/secret.js';
import type { Oracle, OracleKey } from '../../src/simulators/mambu/oracle.js';
import type { WriteKind } from '../../src/simulators/mambu/request-log.js';
import type { Installation } from './installation.js';

export interface Expectations {
  /** Real time from which on the imported key counts as published; default: since it was made. */
  readonly since?: number;
  /** Invalid-credential calls that this fault cannot do without; default 0. */
  readonly strikes?: number;
  /** Default: the policy's. Smaller where a key was published at the last safe instant, and no moment was left for the publishing itself. */
  readonly refreshWithinMs?: number;
  /** An outsider killed the published key, so that what it was published for has gaps. */
  readonly gapByOutsider?: boolean;
}

/** @throws AssertionError naming the invariant */
export async function expectInvariants(i: Installation, expected: Expectations = {}): Promise<void> {
  const oracle = i.simulator.oracle({ values: true });
  const opened = await i.vault.custody.read(i.credentialId);
  if (!opened) throw new Error('the record is gone');
  const { record } = opened;
  const published = await publications(i, oracle, record, expected.since);
  const refreshMs = expected.refreshWithinMs ?? (await refreshWithinMs(i));
  if (!expected.gapByOutsider) expectNoGap(i, oracle, published, refreshMs);
  expectNoOrphan(oracle, record);
  expectRightDeletions(oracle, published, refreshMs);
  expect(oracle.strikes.total, 'invalid-credential calls').toBeLessThanOrEqual(expected.strikes ?? 0);
  expect(
    oracle.requests.filter((r) => r.route === 'unknown'),
    'no redirect is followed',
  ).toEqual([]);
  await expectNoPlaintext(i, oracle);
}

/** Changes that the tenant made, by kind. */
export function writesOf(i: Installation): Partial<Record<WriteKind, number>> {
  const counts: Partial<Record<WriteKind, number>> = {};
  for (const { kind } of i.simulator.oracle().writes) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}

/** Requests as they arrived, committed or not. */
export function requestsTo(i: Installation, method: string, route: string): Oracle['requests'] {
  return i.simulator.oracle().requests.filter((r) => r.method === method && r.route === route);
}

interface Publication {
  readonly version: number;
  readonly sha256: string;
  readonly fromMs: number;
  /** Publish of the successor; null: still current. */
  readonly toMs: number | null;
}

/** Which value was published when, in real time. */
async function publications(
  i: Installation,
  oracle: Oracle,
  record: CredentialRecord,
  since: number | undefined,
): Promise<readonly Publication[]> {
  // The clock has never been moved before the first key.
  const importedMs = since ?? oracle.keys[0]?.createdAt ?? 0;
  const sha256Of = new Map<string, string>();
  for (const { value, sha256 } of oracle.keys) {
    if (value !== undefined) sha256Of.set(await i.vault.custody.fingerprint(new Secret(value)), sha256);
  }
  const facts = [...record.versions.filter((v) => v.stage !== 'pending'), ...record.destroyed];
  const starts = facts
    .map(({ version, fingerprint }) => ({
      version,
      sha256: sha256Of.get(fingerprint) ?? `unknown to the tenant: ${fingerprint}`,
      fromMs: version === 1 ? importedMs : publishedAtMs(record, version),
    }))
    .sort((a, b) => a.version - b.version);
  return starts.map((one, n) => ({ ...one, toMs: starts[n + 1]?.fromMs ?? null }));
}

function publishedAtMs(record: CredentialRecord, version: number): number {
  const listed = record.versions.find((v) => v.version === version)?.publishedAtMs;
  const rotated = record.history.find((h) => h.version === version && h.outcome.startsWith('rotated'))?.endedAtMs;
  const at = listed ?? rotated;
  if (at === null || at === undefined) throw new Error(`nobody knows when version ${version} was published`);
  return at;
}

/** The published key was accepted at every instant, and for `refreshWithin` more. */
function expectNoGap(i: Installation, oracle: Oracle, published: readonly Publication[], refreshMs: number): void {
  const virtual = virtualClock(oracle);
  const nowMs = oracle.now;
  const timeline = published.map(({ sha256, fromMs, toMs }) => ({
    sha256,
    fromMs: virtual(fromMs),
    toMs: toMs === null ? nowMs : Math.min(nowMs, virtual(toMs) + refreshMs),
  }));
  expect(oracle.gaps(timeline), `gaps of ${i.credentialId} in ${JSON.stringify(timeline)}`).toEqual([]);
}

/** From real to the simulator's time: a jump is known from the requests around it. */
function virtualClock(oracle: Oracle): (realMs: number) => number {
  return (realMs) => {
    const before = oracle.requests.findLast((r) => r.realAt <= realMs) ?? oracle.requests[0];
    // Virtual and real time are read one after the other: a pause between them must not count as a clock that went back.
    return realMs + Math.max(0, before ? before.at - before.realAt : oracle.now - oracle.realNow);
  };
}

export function isAlive(oracle: Oracle, key: OracleKey): boolean {
  return key.deletedAt === null && (key.diesAt === null || key.diesAt > oracle.now);
}

/** Every living key that the API made is current, in grace or in debt. */
function expectNoOrphan(oracle: Oracle, record: CredentialRecord): void {
  const accounted = new Set([...record.versions, ...record.debts].map((k) => k.keyId));
  const orphans = oracle.keys.filter((k) => k.by !== 'ui' && isAlive(oracle, k) && !accounted.has(k.id));
  if (accounted.has('unlisted')) return;
  expect(
    orphans.map(({ id, by }) => ({ id, by })),
    'living keys that nobody accounts for',
  ).toEqual([]);
}

/** Nobody else's key, never the published one, and none before its consumers had time to refresh. */
function expectRightDeletions(oracle: Oracle, published: readonly Publication[], refreshMs: number): void {
  for (const { kind, serials, realAt } of oracle.writes) {
    if (kind !== 'delete-key') continue;
    const deleted = oracle.keys.filter((k) => serials.includes(k.serial));
    expect(
      deleted.filter((k) => k.by === 'ui'),
      'deleted keys of others',
    ).toEqual([]);
    for (const key of deleted) {
      const use = published.find((p) => p.sha256 === key.sha256);
      if (use)
        expect(realAt, `deletion of version ${use.version}`).toBeGreaterThanOrEqual((use.toMs ?? Infinity) + refreshMs);
    }
  }
}

async function refreshWithinMs(i: Installation): Promise<number> {
  return (await i.config()).credentials.get(i.credentialId)?.policy.refreshWithinMs ?? 0;
}

/** No value of the tenant's, nor what base64 makes of it, in Temporal's history or in the query. */
async function expectNoPlaintext(i: Installation, oracle: Oracle): Promise<void> {
  const history = await i.client.handle(i.credentialId).fetchHistory();
  const text = [...texts(history), JSON.stringify(await i.state())].join('\n');
  const leaked = [...oracle.keys, ...oracle.secretKeys].filter(({ value }) => {
    if (value === undefined) return false;
    return text.includes(value) || text.includes(Buffer.from(value).toString('base64').replace(/=+$/, ''));
  });
  expect(
    leaked.map((k) => k.serial),
    'values in history or state',
  ).toEqual([]);
}

/** Every text in it, payloads too. */
function texts(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (value instanceof Uint8Array) return [Buffer.from(value).toString('utf8')];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(texts);
}
