/** The invariants of a credential's life, judged from outside: the provider's truth, the store, the exported history and the query. */
import type { CredentialState } from '../../src/contract.js';
import type { Opened } from '../../src/custody/custody.js';
import type { CredentialRecord } from '../../src/domain/record.js';
import { Secret } from '../../src/domain/secret.js';
import { contentsOf, leaks, textSurface } from '../support/canaries.js';
import { GRACE_MS, REFRESH_WITHIN_MS, type Scene } from './scene.js';
import type { TrueKey, Truth } from './truth.js';

export interface Judgement {
  /** Each begins with the name of the invariant. */
  readonly violations: readonly string[];
  /** How long a published key was refused. */
  readonly gapMs: number;
  /** Living keys of ours that nobody accounts for. */
  readonly orphans: number;
  readonly strikes: number;
  /** Places where a secret stands in clear. */
  readonly plaintext: number;
}

/**
 * Of a credential that is at rest.
 * @param accepted request ids that keyturn has accepted
 * @param isUnproven nobody can know yet whether the second value of the pair works
 */
export async function judge(
  scene: Scene,
  state: CredentialState,
  accepted: readonly string[],
  isUnproven = false,
): Promise<Judgement> {
  const truth = scene.truth();
  const opened = await scene.vault.custody.read(scene.credentialId);
  if (!opened)
    return { violations: ['record: it is gone'], gapMs: 0, orphans: 0, strikes: truth.strikes, plaintext: 0 };
  const { record } = opened;
  const keys = await fingerprinted(scene, truth);
  const published = publications(record, keys);
  const gapMs = gapsOf(published, truth);
  const orphans = orphansOf(record, keys);
  const limit = (await scene.config()).lockout.limit;
  const plaintext = await plaintextOf(scene, truth, state);
  const violations = [
    ...published.flatMap(({ version, key }) =>
      key ? [] : [`current works: version ${version} is no key of the provider`],
    ),
    ...(gapMs > 0 ? [`no gap: a published key was refused for ${gapMs} ms`] : []),
    ...currentProblems(opened, state, truth, isUnproven),
    ...wrongWrites(truth, published),
    ...blindWrites(truth),
    ...orphans.map((id) => `no orphan: nobody accounts for ${id}`),
    ...recordProblems(record, accepted),
    ...scopeProblems(record, keys),
    ...(truth.strikes > limit ? [`strikes: ${truth.strikes} invalid-credential calls, the budget is ${limit}`] : []),
    ...plaintext.map((where) => `no plaintext: ${where}`),
    ...loudness(record, state),
  ];
  return { violations, gapMs, orphans: orphans.length, strikes: truth.strikes, plaintext: plaintext.length };
}

type Keys = ReadonlyMap<string, TrueKey>;

async function fingerprinted({ vault }: Scene, { keys }: Truth): Promise<Keys> {
  const pairs = keys.map(async (key) => [await vault.custody.fingerprint(new Secret(key.value)), key] as const);
  return new Map(await Promise.all(pairs));
}

interface Publication {
  readonly version: number;
  readonly key: TrueKey | undefined;
  readonly fromMs: number;
  /** Publish of the successor; null: still current. */
  readonly toMs: number | null;
}

function publications(record: CredentialRecord, keys: Keys): readonly Publication[] {
  const facts = [...record.versions.filter((v) => v.stage !== 'pending'), ...record.destroyed];
  const starts = facts
    .map(({ version, fingerprint }) => {
      const key = keys.get(fingerprint);
      return { version, key, fromMs: version === 1 ? (key?.createdAtMs ?? 0) : publishedAtMs(record, version) };
    })
    .toSorted((a, b) => a.version - b.version);
  return starts.map((one, n) => ({ ...one, toMs: starts[n + 1]?.fromMs ?? null }));
}

function publishedAtMs(record: CredentialRecord, version: number): number {
  const listed = record.versions.find((v) => v.version === version)?.publishedAtMs;
  const rotated = record.history.find((h) => h.version === version && h.outcome.startsWith('rotated'))?.endedAtMs;
  return listed ?? rotated ?? Number.NaN;
}

/** From publish until `refreshWithin` after the successor's. */
function gapsOf(published: readonly Publication[], { nowMs }: Truth): number {
  const gaps = published.map(({ key, fromMs, toMs }) => {
    const untilMs = Math.min(nowMs, toMs === null ? nowMs : toMs + REFRESH_WITHIN_MS);
    if (Number.isNaN(fromMs)) return untilMs;
    const covered = (key?.lives ?? []).reduce((sum, life) => {
      const lastMs = Math.min(untilMs, life.toMs ?? untilMs);
      return sum + Math.max(0, lastMs - Math.max(fromMs, life.fromMs));
    }, 0);
    return Math.max(0, untilMs - fromMs - covered);
  });
  return gaps.reduce((sum, ms) => sum + ms, 0);
}

/** The one current version works, whole, as read from the store; it was verified, or says that it was not. */
function currentProblems(
  { record, shelf }: Opened,
  state: CredentialState,
  truth: Truth,
  isUnproven: boolean,
): readonly string[] {
  const current = record.versions.filter((v) => v.stage === 'current');
  const [only] = current;
  if (!only || current.length !== 1) return [`current works: there are ${current.length} current versions`];
  const fields = shelf.versions[String(only.version)]?.fields ?? {};
  const value = (fields['apiKey'] ?? fields['consumerKey'])?.reveal() ?? '';
  const second = (fields['secretKey'] ?? fields['consumerSecret'])?.reveal();
  const key = truth.keys.find((one) => one.value === value);
  const isImported = only.operationId.startsWith('import/');
  const isBelieved = second !== undefined && only.secretKey !== 'lost' && !isUnproven;
  const isTorn = isBelieved && truth.secondAccepted(second) === false;
  return [
    ...(key?.isAlive ? [] : ['current works: the stored value is refused']),
    ...(isTorn ? ['never torn: the second value of the pair is refused'] : []),
    ...(only.verifiedAtMs === null && !isImported && !hasAttention(state, 'KT-UNVERIFIED')
      ? ['verified: the current version was not, and nobody says so']
      : []),
    ...(state.current?.version === only.version ? [] : ['same truth: query and store name different current versions']),
  ];
}

const deadly: ReadonlySet<string> = new Set(['delete-key', 'revoke-key']);

/** Nobody else's key, never the published one, and none before its time. */
function wrongWrites({ writes, keys }: Truth, published: readonly Publication[]): readonly string[] {
  return writes.flatMap(({ kind, serials, atMs }) => {
    const foreign = keys.filter((key) => key.foreign && serials.includes(key.serial));
    if (foreign.length > 0) return [`keys of others: ${kind} of ${foreign.map(({ serial }) => `#${serial}`).join()}`];
    if (!deadly.has(kind)) return [];
    return published
      .filter(({ key }) => key !== undefined && serials.includes(key.serial))
      .filter(({ toMs }) => toMs === null || atMs < toMs + REFRESH_WITHIN_MS + GRACE_MS)
      .map(({ version, toMs }) => `grace: ${kind} of version ${version}${toMs === null ? ', which is current' : ''}`);
  });
}

/** No two effects under one idempotency key, and no two creates of the same key. */
function blindWrites({ requests, keys }: Truth): readonly string[] {
  const keyed = requests.flatMap((r) => (r.committed && r.idempotencyKey !== null ? [r.idempotencyKey] : []));
  const bare = requests.filter(
    (r) => r.committed && r.method === 'POST' && r.idempotencyKey === null && r.route.startsWith('/consumers/'),
  );
  return [
    ...(new Set(keyed).size < keyed.length ? ['sent once: two effects under one idempotency key'] : []),
    ...(bare.length > 0 ? ['sent once: a create without an idempotency key'] : []),
    ...(new Set(keys.map(({ value }) => value)).size < keys.length ? ['sent once: one value, two keys'] : []),
  ];
}

function orphansOf(record: CredentialRecord, keys: Keys): readonly string[] {
  const accounted = new Set([...record.versions, ...record.debts].flatMap((k) => k.keyId));
  if (accounted.has('unlisted')) return [];
  return [...keys]
    .filter(([print, key]) => key.madeByUs && key.isAlive && !accounted.has(key.id) && !accounted.has(print))
    .filter(([print]) => !record.versions.some((v) => v.fingerprint === print))
    .map(([print]) => print);
}

function recordProblems(record: CredentialRecord, accepted: readonly string[]): readonly string[] {
  const versions = [...record.versions, ...record.destroyed].map((v) => v.version);
  const ids = record.history.filter((h) => h.outcome.startsWith('rotated')).map((h) => h.requestId);
  const seen = accepted.filter((id) => !record.history.some((h) => h.requestId === id));
  return [
    ...(new Set(versions).size < versions.length ? ['versions: one number twice'] : []),
    ...(Math.max(...versions) > record.highestVersion ? ['versions: a number above the highest'] : []),
    ...(record.operation === null ? [] : ['at rest: an operation is open']),
    ...(record.intents.length === 0 ? [] : ['at rest: intents are left']),
    ...(new Set(ids).size < ids.length ? ['one request, one rotation: a request was rotated for twice'] : []),
    ...(seen.length > 1 ? [`nothing accepted is lost: no trace of ${seen.join(', ')}`] : []),
  ];
}

/** Every published key that lives may do the same. */
function scopeProblems(record: CredentialRecord, keys: Keys): readonly string[] {
  const scopes = record.versions
    .filter((v) => v.stage !== 'pending')
    .flatMap(({ fingerprint }) => keys.get(fingerprint) ?? [])
    .filter(({ isAlive }) => isAlive)
    .map(({ scope }) => scope.join(' '));
  return new Set(scopes).size > 1 ? [`scope: ${[...new Set(scopes)].join(' against ')}`] : [];
}

/** Trouble is never silent. */
function loudness(record: CredentialRecord, state: CredentialState): readonly string[] {
  const isBad = state.status === 'needs-operator' || record.capabilityLost !== null || record.debts.length > 0;
  return isBad && state.attention.length === 0 ? ['loud: there is trouble, and no attention'] : [];
}

const hasAttention = ({ attention }: CredentialState, code: string): boolean =>
  attention.some((one) => one.code === code);

/** The whole chain of runs, and the query. */
async function plaintextOf(
  { client, credentialId }: Scene,
  { secrets }: Truth,
  state: CredentialState,
): Promise<readonly string[]> {
  const { workflow } = client.temporal;
  const surfaces = [textSurface('query', JSON.stringify(state))];
  const { workflowId } = client.handle(credentialId);
  let runId: string | undefined;
  do {
    const history = await workflow.getHandle(workflowId, runId).fetchHistory();
    surfaces.push({ name: 'history', bytes: Buffer.concat(contentsOf(history)) });
    const started = history.events?.[0]?.workflowExecutionStartedEventAttributes;
    runId = started?.continuedExecutionRunId || undefined;
  } while (runId !== undefined);
  return leaks(surfaces, secrets).map(({ surface, form }) => `${surface}: ${form}`);
}
