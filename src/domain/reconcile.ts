/**
 * What provider, store and workflow say of the same keys, and where they disagree. Pure; a finding says what it means for the key that
 * consumers hold, whether `keyturn reconcile` repairs it, and the next command.
 *
 * Repairs are by id, of what is ours, and only while the listing shows the current key: another account's listing shows that everything of
 * ours is gone, and must not be believed.
 */
import type { ErrorCode } from './errors.js';
import { shellWord } from './foreignText.js';
import { iso } from './instant.js';
import { currentOf, previousOf, type CredentialRecord, type VersionFacts } from './record.js';
import { whoseAreThey, type SeenKey } from './whose-keys.js';

export type FindingKind =
  | 'store-behind'
  | 'workflow-behind'
  | 'wrong-tenant'
  | 'consumer-gone'
  | 'current-refused'
  | 'manager-refused'
  | 'missing-current'
  | 'secret-changed'
  | 'revoked-by-hand'
  | 'missing-previous'
  | 'revoke-debt'
  | 'orphan'
  | 'suspected-orphan'
  | 'suspect-gone'
  | 'foreign'
  | 'not-compared';

export interface Finding {
  readonly kind: FindingKind;
  readonly code: ErrorCode | null;
  readonly version: number | null;
  readonly keyId: string | null;
  readonly message: string;
  /** For the key that consumers hold. */
  readonly means: string;
  /** `retry` the removal now, `close` a version that is gone, `forget` a suspicion, `tell` the workflow; null: not `reconcile`'s to repair. */
  readonly repair: 'retry' | 'close' | 'forget' | 'tell' | null;
  readonly needsOperator: boolean;
  /** The next command; null: none is needed. */
  readonly next: string | null;
}

/** What the provider said. */
export interface Sighting {
  /** Null where it told none: see `account`. */
  readonly keys: readonly SeenKey[] | null;
  readonly account: 'listed' | 'gone' | 'refused' | 'not-asked';
  /** What became of one read with the current key's value. */
  readonly current: 'works' | 'refused' | 'other-value' | 'not-tried';
  /** The provider's or keyturn's words for what did not succeed. */
  readonly because: string | null;
  readonly code: ErrorCode | null;
}

export interface Compared {
  readonly record: CredentialRecord;
  readonly sighting: Sighting;
  /** That the configuration names another account than the key's, in words. */
  readonly repointed: string | null;
  /** What the workflow has seen of the record; null where it could not be asked. */
  readonly workflow: {
    readonly seq: number | null;
    readonly version: number | null;
    readonly keyId: string | null;
  } | null;
  readonly skewMs: number;
  /** How long a listing may miss what a write has made. */
  readonly settleMs: number;
  readonly nowMs: number;
}

/** Something has to be done, by `reconcile` or by somebody. */
export function isOpen({ repair, needsOperator }: Finding): boolean {
  return repair !== null || needsOperator;
}

export function findingsOf(compared: Compared): readonly Finding[] {
  const { record, sighting, repointed, workflow } = compared;
  const seq = workflow?.seq ?? null;
  if (seq !== null && seq > record.seq) return [storeBehind(compared, seq), ...ofProvider(compared).map(withoutRepair)];
  const behind = seq !== null && seq < record.seq ? [workflowBehind(record, seq)] : [];
  if (repointed !== null) return [...behind, atAnotherPlace(record, repointed)];
  const found = ofProvider(compared);
  const trusted = isListed(currentOf(record), sighting) && !found.some(({ kind }) => kind === 'wrong-tenant');
  return [...behind, ...(trusted ? found : found.map(withoutRepair))];
}

function ofProvider(compared: Compared): readonly Finding[] {
  const { record, sighting } = compared;
  const current = currentOf(record);
  if (!current || sighting.keys === null) return current ? [ofAccount(record, current, sighting)] : [];
  const expected = record.versions.filter((v) => isExpected(v, compared));
  const isElsewhere = expected.length > 1 && !expected.some((v) => isListed(v, sighting));
  if (isElsewhere) return [clonedTenant(current, expected)];
  return [
    ...ofCurrent(record, current, compared),
    ...previousOf(record).flatMap((old) => ofPrevious(record, old, compared)),
    ...ofDebts(record, sighting),
    ...foreignIn(record, sighting.keys),
  ];
}

const isListed = (v: VersionFacts | undefined, { keys }: Sighting): boolean =>
  keys?.some(({ keyId }) => keyId === v?.keyId) ?? false;

/** Neither ended by the provider, nor removed already, nor so new that a listing may miss it. */
function isExpected(v: VersionFacts, { nowMs, skewMs, settleMs }: Compared): boolean {
  if (v.stage === 'pending' || v.createdAtMs + settleMs > nowMs) return false;
  if (v.retirement && (v.retirement.deletedAtMs !== null || v.retirement.by === 'provider')) return false;
  // During the provider's own grace a missing id proves nothing: the value may still be accepted.
  if (v.providerDiesAtMs !== null) return false;
  return v.expiresAtMs === null || nowMs < v.expiresAtMs - skewMs;
}

function ofAccount(
  record: CredentialRecord,
  current: VersionFacts,
  { account, because, code, current: works }: Sighting,
): Finding {
  const about = { version: current.version, keyId: current.keyId, repair: null, needsOperator: true } as const;
  const id = record.credentialId;
  if (account === 'gone') {
    return {
      ...about,
      kind: 'consumer-gone',
      code: 'KT-CONSUMER-GONE',
      message: because ?? 'the account that owns the key does not exist',
      means: `version ${current.version} is dead: consumers get 401 until the account is made anew and a key of it imported`,
      next: `keyturn import ${id} --replace`,
    };
  }
  if (account === 'refused' && works === 'works') {
    return {
      ...about,
      kind: 'manager-refused',
      code: 'KT-CREDENTIAL-REFUSED',
      message: because ?? 'the provider refused what manages the keys',
      means: `version ${current.version} works; it cannot be listed, rotated or retired until \`management\` or \`managedBy\` is mended`,
      next: 'keyturn doctor',
    };
  }
  if (account === 'refused') {
    return {
      ...about,
      kind: 'current-refused',
      code: 'KT-CREDENTIAL-REFUSED',
      message: because ?? 'the provider refused the key',
      means: `version ${current.version} was deleted or regenerated by hand, or another tenant answers at this address: consumers get 401`,
      next: `keyturn import ${id} --replace`,
    };
  }
  return {
    ...about,
    kind: 'not-compared',
    code,
    message: because ?? 'the provider was not asked',
    means: `whether version ${current.version} is as it should be is not known`,
    next: code === 'KT-UNVERIFIED' ? `keyturn reconcile ${id}` : `keyturn lockout ${id}`,
  };
}

function ofCurrent(record: CredentialRecord, current: VersionFacts, compared: Compared): readonly Finding[] {
  const { sighting, nowMs, skewMs } = compared;
  const { version, keyId } = current;
  const about = { version, keyId, code: 'KT-KEY-MISSING', repair: null, needsOperator: true } as const;
  const next = `keyturn import ${record.credentialId} --replace`;
  const seen = sighting.keys?.find((key) => key.keyId === keyId);
  if (!seen) {
    const isOld = current.expiresAtMs !== null && nowMs >= current.expiresAtMs - skewMs;
    if (!isOld && !isExpected(current, compared)) return [];
    const why = isOld ? 'has ended at the provider' : 'is not listed: somebody deleted it, or it is another account';
    const means = `version ${version} is dead: consumers get 401`;
    return [{ ...about, kind: 'missing-current', message: `the current key ${keyId} ${why}`, means, next }];
  }
  if (seen.revoked) {
    const message = `the current key ${keyId} was revoked by somebody`;
    const means = 'consumers get 401 until somebody approves it again at the provider, or another key is imported';
    return [{ ...about, kind: 'revoked-by-hand', message, means, next }];
  }
  if (sighting.current !== 'refused' && sighting.current !== 'other-value') return [];
  const message = `the provider has the current key ${keyId} with another value: it was regenerated by hand`;
  const means = `consumers hold a value that is not accepted${sighting.because === null ? '' : ` (${sighting.because})`}`;
  return [{ ...about, kind: 'secret-changed', message, means, next }];
}

function ofPrevious(record: CredentialRecord, old: VersionFacts, compared: Compared): readonly Finding[] {
  const { version, keyId, retirement: r } = old;
  const about = { version, keyId, needsOperator: false } as const;
  const seen = compared.sighting.keys?.find((key) => key.keyId === keyId);
  if (!r) return [];
  if (!seen && isExpected(old, compared)) {
    return [
      {
        ...about,
        kind: 'missing-previous',
        code: 'KT-DRIFT',
        repair: 'close',
        message: `version ${version} (key ${keyId}) was removed by somebody before its time`,
        means: 'the current key is not affected; a consumer that still holds that version gets 401',
        next: `keyturn reconcile ${record.credentialId}`,
      },
    ];
  }
  if (seen?.revoked && r.state === 'in-grace' && r.suspendedAtMs === null) {
    return [
      {
        ...about,
        kind: 'revoked-by-hand',
        code: 'KT-DRIFT',
        repair: null,
        message: `version ${version} (key ${keyId}) was revoked by somebody before its time`,
        means:
          'the current key is not affected; a consumer that still holds that version gets 401, and a rollback to it is no use',
        next: null,
      },
    ];
  }
  if (r.state !== 'debt') return [];
  return [
    {
      ...about,
      kind: 'revoke-debt',
      code: 'KT-DEBT',
      repair: 'retry',
      message: `version ${version} (key ${keyId}) could not be revoked yet${said(r.lastError, r.nextAttemptAtMs)}`,
      means: 'the current key is not affected; the old one is still accepted',
      next: `keyturn reconcile ${record.credentialId}`,
    },
  ];
}

const said = (error: { readonly message: string } | null, nextMs: number | null): string =>
  `${error === null ? '' : ` (${error.message})`}${nextMs === null ? '' : `; next attempt at ${iso(nextMs)}`}`;

function ofDebts(record: CredentialRecord, { keys }: Sighting): readonly Finding[] {
  const id = record.credentialId;
  const means = 'the current key is not affected';
  return record.debts.flatMap(({ kind, keyId, version, lastError, nextAttemptAtMs }): Finding[] => {
    const about = { version, keyId, means };
    if (record.versions.some((v) => v.keyId === keyId)) return [];
    if (kind === 'orphan') {
      const message = `key ${keyId} is of a lost answer and nobody's any more${said(lastError, nextAttemptAtMs)}`;
      const next = `keyturn reconcile ${id}`;
      return [{ ...about, kind, code: 'KT-DEBT', repair: 'retry', needsOperator: false, message, next }];
    }
    if (kind !== 'suspected-orphan') return [];
    const isGraced = record.versions.some((v) => v.providerDiesAtMs !== null);
    if (keyId !== 'unlisted' && !isGraced && !keys?.some((key) => key.keyId === keyId)) {
      const message = `the suspected key ${keyId} is not at the provider any more`;
      const next = `keyturn reconcile ${id}`;
      return [{ ...about, kind: 'suspect-gone', code: null, repair: 'forget', needsOperator: false, message, next }];
    }
    const message =
      keyId === 'unlisted'
        ? 'a lost answer may have left a key behind whose id is not known'
        : `key ${keyId} may be ours`;
    const next = `keyturn reconcile ${id} --delete ${shellWord(keyId)}`;
    return [{ ...about, kind, code: 'KT-SUSPECTED-ORPHAN', repair: null, needsOperator: true, message, next }];
  });
}

function foreignIn(record: CredentialRecord, keys: readonly SeenKey[]): readonly Finding[] {
  return whoseAreThey(record, keys)
    .filter(({ is }) => is === 'foreign')
    .map(({ keyId }) => ({
      kind: 'foreign',
      code: null,
      version: null,
      keyId,
      message: `key ${keyId} is not of keyturn's making: it is left alone`,
      means: 'the current key is not affected',
      repair: null,
      needsOperator: false,
      next: null,
    }));
}

function storeBehind({ record, workflow, sighting }: Compared, seq: number): Finding {
  const current = currentOf(record);
  const { version = null, keyId = null } = workflow ?? {};
  const listed = sighting.keys?.some((key) => key.keyId === keyId) ? 'listed' : 'not listed';
  const newer =
    version === null || version === current?.version
      ? 'the current version is the same'
      : `the workflow's is version ${version} (key ${keyId ?? 'unknown'}, ${sighting.keys === null ? 'not looked for' : `${listed} at the provider`}), whose value the store has lost`;
  return {
    kind: 'store-behind',
    code: 'KT-STORE-BEHIND',
    version: current?.version ?? null,
    keyId: current?.keyId ?? null,
    message: `the store's record is at ${record.seq}, the workflow has seen ${seq}: an older backup was restored`,
    means: `the store hands out version ${current?.version ?? 0}; ${newer}. Nothing is repaired: put the newer store back`,
    repair: null,
    needsOperator: true,
    next: `keyturn history ${record.credentialId}`,
  };
}

function workflowBehind(record: CredentialRecord, seq: number): Finding {
  return {
    kind: 'workflow-behind',
    code: null,
    version: null,
    keyId: null,
    message: `the workflow has seen the record at ${seq}, it is at ${record.seq}`,
    means: 'the current key is not affected; `status` is behind',
    repair: 'tell',
    needsOperator: false,
    next: `keyturn reconcile ${record.credentialId}`,
  };
}

function atAnotherPlace(record: CredentialRecord, repointed: string): Finding {
  const current = currentOf(record);
  return {
    kind: 'wrong-tenant',
    code: 'KT-REPOINTED',
    version: current?.version ?? null,
    keyId: current?.keyId ?? null,
    message: repointed,
    means:
      'the current key lives on where it belongs; the provider was not asked, and nothing rotates until keyturn.yaml says the old place again, or a key of the new one is imported',
    repair: null,
    needsOperator: true,
    next: `keyturn import ${record.credentialId} --replace`,
  };
}

function clonedTenant(current: VersionFacts, expected: readonly VersionFacts[]): Finding {
  return {
    kind: 'wrong-tenant',
    code: 'KT-WRONG-TENANT',
    version: current.version,
    keyId: current.keyId,
    message: `none of the ${expected.length} keys that should be there is listed: another tenant or a cloned sandbox answers, or all were deleted`,
    means: `whether version ${current.version} lives is not known; nothing is removed or closed. Check the base URL`,
    repair: null,
    needsOperator: true,
    next: 'keyturn doctor',
  };
}

function withoutRepair(finding: Finding): Finding {
  return finding.repair === null ? finding : { ...finding, repair: null };
}
