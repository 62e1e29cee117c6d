/** The account of invalid-credential calls of one tenant and egress: pure transitions; the same account back means nothing to write. */

export interface Reservation {
  readonly fingerprint: string;
  readonly operationId: string;
  readonly atMs: number;
}

export interface Account {
  /** Strikes since the last reset. */
  readonly used: number;
  /** Unproven calls whose outcome is not known: each may be a strike, and counts as one. */
  readonly reservations: readonly Reservation[];
  readonly proven: readonly string[];
  /** Answered 401: not to be sent again until forgiven. */
  readonly refused: readonly string[];
  readonly strikes: readonly Reservation[];
  readonly resets: readonly { readonly atMs: number; readonly reason: string }[];
}

/** Oldest out first. A forgotten proof costs one reservation; a forgotten refusal still has to find room in the budget. */
const bounds = { proven: 400, refused: 100, strikes: 20, resets: 20, reasonLength: 200 } as const;
/**
 * Under the heartbeat of a step. A refusal that is booked later comes from a process that slept, or from a provider that is slow to refuse:
 * others may have used the credential since.
 */
const TOLD_WITHIN_MS = 5_000;
/** No call lives longer: what has been reserved since may still become a strike after a reset. */
const CALL_LIFE_MS = 3_600_000;

export const emptyAccount: Account = { used: 0, reservations: [], proven: [], refused: [], strikes: [], resets: [] };

export type Admission =
  | { readonly admitted: true; readonly account: Account }
  | { readonly admitted: false; readonly because: 'refused-before' | 'spent' };

export function admit(account: Account, limit: number, wanted: Reservation): Admission {
  if (account.refused.includes(wanted.fingerprint)) return { admitted: false, because: 'refused-before' };
  if (account.proven.includes(wanted.fingerprint)) return { admitted: true, account };
  if (account.reservations.some((r) => isFor(r, wanted))) return { admitted: true, account };
  if (account.used + account.reservations.length >= limit) return { admitted: false, because: 'spent' };
  return { admitted: true, account: { ...account, reservations: [...account.reservations, wanted] } };
}

/** Every reservation of the fingerprint is freed: a call of it that was refused all the same is counted by who was told so. */
export function prove(account: Account, fingerprint: string): Account {
  const isIt = (other: string): boolean => other === fingerprint;
  const reserved = account.reservations.some((r) => isIt(r.fingerprint));
  if (account.proven.some(isIt) && !reserved && !account.refused.some(isIt)) return account;
  return {
    ...account,
    proven: [...without(account.proven, fingerprint), fingerprint].slice(-bounds.proven),
    refused: without(account.refused, fingerprint),
    reservations: account.reservations.filter((r) => !isIt(r.fingerprint)),
  };
}

/**
 * A proven credential that is suddenly refused had nothing reserved: its strike is counted all the same, and is the only thing that can
 * take the account beyond its limit. What is told late shuts nobody out: the next call has to find room in the budget, and tells.
 * @param sentAtMs when the call was made
 */
export function strike(account: Account, struck: Reservation, sentAtMs: number): Account {
  const others = without(account.refused, struck.fingerprint);
  const isLate = struck.atMs - sentAtMs > TOLD_WITHIN_MS;
  return {
    ...account,
    used: account.used + 1,
    reservations: account.reservations.filter((r) => !isFor(r, struck)),
    proven: without(account.proven, struck.fingerprint),
    refused: isLate ? account.refused : [...others, struck.fingerprint].slice(-bounds.refused),
    strikes: [...account.strikes, struck].slice(-bounds.strikes),
  };
}

export function forgive(account: Account, fingerprint: string): Account {
  if (!account.refused.includes(fingerprint)) return account;
  return { ...account, refused: without(account.refused, fingerprint) };
}

/** The provider has forgotten our strikes (the IP was unblocked). Calls that may be under way stay reserved. */
export function reset(account: Account, reason: string, nowMs: number): Account {
  return {
    ...account,
    used: 0,
    refused: [],
    reservations: account.reservations.filter((r) => r.atMs > nowMs - CALL_LIFE_MS),
    resets: [...account.resets, { atMs: nowMs, reason: reason.slice(0, bounds.reasonLength) }].slice(-bounds.resets),
  };
}

function isFor(a: Reservation, b: Reservation): boolean {
  return a.fingerprint === b.fingerprint && a.operationId === b.operationId;
}

function without(list: readonly string[], gone: string): readonly string[] {
  return list.filter((entry) => entry !== gone);
}
