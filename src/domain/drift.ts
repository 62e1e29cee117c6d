/** What the last comparison with the provider has found and only somebody can mend, as the record keeps it: secret-free and bounded. */
import type { ErrorCode } from './errors.js';
import { isErrorCode } from './errors.js';
import type { Finding, FindingKind } from './reconcile.js';
import type { DriftFacts, DriftFinding, RecordView } from './record.js';

const bounds = { findings: 10, text: 400 } as const;

/** The rest shows in the record itself: debts, a store that is behind, an account that was changed in keyturn.yaml. */
const kept: ReadonlySet<FindingKind> = new Set([
  'wrong-tenant',
  'consumer-gone',
  'current-refused',
  'manager-refused',
  'missing-current',
  'secret-changed',
  'revoked-by-hand',
  'missing-previous',
]);

/** Null: the provider was not asked, so that what was found before still stands. */
export function driftOf(findings: readonly Finding[], atMs: number): DriftFacts | null {
  if (findings.some(({ kind }) => kind === 'not-compared' || kind === 'store-behind')) return null;
  const found = findings.flatMap((f): DriftFinding[] => {
    if (!kept.has(f.kind) || f.code === null || f.code === 'KT-REPOINTED') return [];
    const { kind, code, version, keyId, next: command } = f;
    if (version === null || command === null) return [];
    const message = `${f.message}; ${f.means}`.slice(0, bounds.text);
    return [{ kind, code, version, keyId, sinceMs: atMs, message, command }];
  });
  return { checkedAtMs: atMs, findings: found.slice(0, bounds.findings) };
}

/** What was found before keeps its first instant. */
export function driftAfter(before: DriftFacts | undefined, now: DriftFacts): DriftFacts {
  const same = (a: DriftFinding, b: DriftFinding): boolean => a.kind === b.kind && a.version === b.version;
  const findings = now.findings.map((f) => ({
    ...f,
    sinceMs: before?.findings.find((b) => same(b, f))?.sinceMs ?? f.sinceMs,
  }));
  return { ...now, findings };
}

/** Those that a rotation, an import or the end of a version has not settled since. */
export function standing({ drift, versions }: RecordView): readonly (DriftFinding & { readonly code: ErrorCode })[] {
  return (drift?.findings ?? []).flatMap(({ code, ...f }) => {
    const v = versions.find(({ version }) => version === f.version);
    const isOfPrevious = code === 'KT-DRIFT';
    const stands = v?.stage === (isOfPrevious ? 'previous' : 'current') && (v.retirement?.deletedAtMs ?? null) === null;
    return stands && isErrorCode(code) ? [{ ...f, code }] : [];
  });
}

/** Accepted from outside the workflow: of the shape that it has to have, and no larger. Null: it is not. */
export function checkedDrift(given: unknown): DriftFacts | null {
  if (typeof given !== 'object' || given === null) return null;
  const { checkedAtMs, findings } = given as Partial<Record<keyof DriftFacts, unknown>>;
  if (!Number.isInteger(checkedAtMs) || !Array.isArray(findings)) return null;
  const read = (findings as readonly unknown[]).slice(0, bounds.findings).map(checkedFinding);
  return read.every((f) => f !== null) ? { checkedAtMs: checkedAtMs as number, findings: read } : null;
}

function checkedFinding(given: unknown): DriftFinding | null {
  if (typeof given !== 'object' || given === null) return null;
  const f = given as Partial<Record<keyof DriftFinding, unknown>>;
  const isText = (text: unknown): text is string => typeof text === 'string' && text.length <= bounds.text;
  const { kind, code, version, keyId, sinceMs, message, command } = f;
  if (!isText(kind) || !isText(code) || !isErrorCode(code) || !isText(message) || !isText(command)) return null;
  if (!Number.isInteger(version) || !Number.isInteger(sinceMs) || !(keyId === null || isText(keyId))) return null;
  return { kind, code, version: version as number, keyId, sinceMs: sinceMs as number, message, command };
}
