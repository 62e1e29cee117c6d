/** What must hold after every fault with Apigee, judged from outside: the oracle, the store, the query and Temporal's history. */
import { expect } from 'vitest';
import type { CredentialRecord } from '../../src/domain/record.js';
import { Secret } from '../../src/domain/secret.js';
import type { Oracle, OracleKey } from '../../src/simulators/apigee/oracle.js';
import type { ApigeeInstallation } from './apigee-installation.js';
import { contentsOf, leaks, textSurface } from './canaries.js';

export interface ApigeeExpectations {
  /** An outsider or a compromise has killed a published key. */
  readonly gapByOthers?: boolean;
}

/** @throws AssertionError naming the invariant */
export async function expectApigeeInvariants(i: ApigeeInstallation, expected: ApigeeExpectations = {}): Promise<void> {
  const oracle = i.simulator.oracle({ values: true });
  const opened = await i.vault.custody.read(i.credentialId);
  if (!opened) throw new Error('the record is gone');
  const keys = await fingerprinted(i, oracle);
  const published = publications(opened.record, keys);
  const refreshMs = (await i.config()).credentials.get(i.credentialId)?.policy.refreshWithinMs ?? 0;
  if (!expected.gapByOthers) expectNoGap(published, oracle, refreshMs);
  expectRightWrites(oracle, published, refreshMs, expected.gapByOthers === true);
  expectNoOrphan(opened.record, keys);
  expectScopesEqual(opened.record, keys);
  await expectNoPlaintext(i, oracle);
}

/** Keys of the organization by the fingerprints that the record has for them. */
async function fingerprinted(i: ApigeeInstallation, oracle: Oracle): Promise<ReadonlyMap<string, OracleKey>> {
  const pairs = oracle.keys.map(async (key) => {
    const print = await i.vault.custody.fingerprint(new Secret(key.consumerKey ?? ''));
    return [print, key] as const;
  });
  return new Map(await Promise.all(pairs));
}

interface Publication {
  readonly version: number;
  readonly key: OracleKey;
  readonly fromMs: number;
  /** Publish of the successor; null: still current. */
  readonly toMs: number | null;
}

function publications(record: CredentialRecord, keys: ReadonlyMap<string, OracleKey>): readonly Publication[] {
  const facts = [...record.versions.filter((v) => v.stage !== 'pending'), ...record.destroyed];
  const starts = facts
    .map(({ version, fingerprint }) => {
      const key = keys.get(fingerprint);
      if (!key) throw new Error(`version ${version} is a key that the organization never had`);
      return { version, key, fromMs: version === 1 ? key.createdAt : publishedAtMs(record, version) };
    })
    .toSorted((a, b) => a.version - b.version);
  return starts.map((one, n) => ({ ...one, toMs: starts[n + 1]?.fromMs ?? null }));
}

function publishedAtMs(record: CredentialRecord, version: number): number {
  const listed = record.versions.find((v) => v.version === version)?.publishedAtMs;
  const rotated = record.history.find((h) => h.version === version && h.outcome.startsWith('rotated'))?.endedAtMs;
  const at = listed ?? rotated;
  if (at === null || at === undefined) throw new Error(`nobody knows when version ${version} was published`);
  return at;
}

/** By the organization's own store; what processors have cached is seen through the runtime. Jumps of its clock only lengthen a life. */
function expectNoGap(published: readonly Publication[], { now, realNow }: Oracle, refreshMs: number): void {
  for (const { version, key, fromMs, toMs } of published) {
    const untilMs = Math.min(toMs === null ? realNow : toMs + refreshMs, realNow);
    const jumpedMs = now - realNow;
    const covered = key.accepted.some(
      (life) => life.fromMs <= fromMs + jumpedMs && (life.toMs === null || life.toMs >= untilMs),
    );
    expect(covered, `version ${version} was accepted from its publish until ${untilMs}`).toBe(true);
  }
}

/** Nobody else's key, never the published one, and none before its consumers had time to refresh. */
function expectRightWrites(
  { writes, keys }: Oracle,
  published: readonly Publication[],
  refreshMs: number,
  isCompromise: boolean,
): void {
  const ours = new Set([
    ...published.map(({ key }) => key.serial),
    ...keys.filter((k) => k.by === 'create').map((k) => k.serial),
  ]);
  for (const { kind, serials, realAt } of writes) {
    expect(
      serials.filter((serial) => !ours.has(serial)),
      `${kind} of keys of others`,
    ).toEqual([]);
    if (kind !== 'delete-key' && kind !== 'revoke-key') continue;
    for (const use of published.filter(({ key }) => serials.includes(key.serial))) {
      if (isCompromise) continue;
      expect(realAt, `${kind} of version ${use.version}`).toBeGreaterThanOrEqual((use.toMs ?? Infinity) + refreshMs);
    }
  }
}

/** Every living key that was made over the API is a version or a debt. */
function expectNoOrphan(record: CredentialRecord, keys: ReadonlyMap<string, OracleKey>): void {
  const accounted = new Set([...record.versions, ...record.debts].map((k) => k.keyId));
  const orphans = [...keys].filter(([print, k]) => k.by === 'create' && k.deletedAt === null && !accounted.has(print));
  expect(
    orphans.map(([, { serial }]) => serial),
    'living keys that nobody accounts for',
  ).toEqual([]);
}

/** Every published key that still lives may do the same: approved products, scopes, attributes. */
function expectScopesEqual(record: CredentialRecord, keys: ReadonlyMap<string, OracleKey>): void {
  const scopes = record.versions
    .filter((v) => v.stage !== 'pending')
    .flatMap(({ fingerprint }) => keys.get(fingerprint) ?? [])
    .filter(({ deletedAt }) => deletedAt === null)
    .map((key) => ({
      products: key.products
        .filter((p) => p.status === 'approved')
        .map((p) => p.apiproduct)
        .toSorted(),
      scopes: key.scopes.toSorted(),
      attributes: key.attributes.map(({ name, value }) => `${name}=${value}`).toSorted(),
    }));
  for (const one of scopes) expect(one, 'scope of a living version').toEqual(scopes[0]);
}

/** No key and no secret in Temporal's history or in the query, in any form. */
async function expectNoPlaintext(i: ApigeeInstallation, oracle: Oracle): Promise<void> {
  const history = await i.client.handle(i.credentialId).fetchHistory();
  const surfaces = [
    { name: 'history', bytes: Buffer.concat(contentsOf(history)) },
    textSurface('query', JSON.stringify(await i.state())),
  ];
  const values = oracle.keys.flatMap(({ consumerKey = '', consumerSecret = '' }) => [consumerKey, consumerSecret]);
  expect(leaks(surfaces, values).map(({ surface, form }) => `${surface}: ${form}`)).toEqual([]);
}
