/** Custody in memory: a record with its values, compare-and-set by construction, and the gates at which the environment may interfere. */
import { openAnswer, sealAnswer } from '../../src/custody/answer.js';
import type { Custody, LateAnswer, Lockout, Opened, Shelf } from '../../src/custody/custody.js';
import { admit, emptyAccount, forgive, prove, strike, type Account } from '../../src/custody/lockout-account.js';
import { KeyturnError } from '../../src/domain/errors.js';
import { nextOrder } from './trace.js';
import { ProviderFailure } from '../../src/domain/failure.js';
import { Secret } from '../../src/domain/secret.js';

export const installationId = 'installation';
export const STRIKE_BUDGET = 4;

export interface Commit {
  readonly atMs: number;
  readonly order: number;
  readonly by: string;
  readonly before: Opened;
  readonly after: Opened;
}

/** What is on the disk. */
export class Disk {
  opened: Opened | null = null;
  late: readonly LateAnswer[] = [];
  account: Account = emptyAccount;
  readonly commits: Commit[] = [];

  commit(atMs: number, by: string, next: Opened): Opened {
    const before = this.opened ?? next;
    const after = { record: { ...next.record, seq: before.record.seq + 1 }, shelf: pruned(next, before) };
    this.opened = after;
    this.commits.push({ atMs, order: nextOrder(), by, before, after });
    return after;
  }
}

/** What the environment does to a step at the store. `read` and `write` resolve when the step may go on, and throw what it meets there. */
export interface Gate {
  read(): Promise<void>;
  /** Runs `apply` or not; the answer may be lost after it ran. */
  write<T>(apply: () => T): Promise<T>;
}

const down = (): KeyturnError => new KeyturnError('KT-STORE-UNAVAILABLE', 'the store is down');
export { down as storeDown };

export function fingerprintOf(value: string): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < value.length; i++) hash = Math.imul(hash ^ value.charCodeAt(i), 0x01000193) >>> 0;
  return `hmac:${hash.toString(16)}${value.length}`;
}

/** @param spoil changes what is written, once: the store is rotten */
export function gatedCustody(
  disk: Disk,
  gate: Gate,
  now: () => number,
  by: string,
  spoil: (next: Opened) => Opened,
): Custody {
  return {
    installationId: () => Promise.resolve(installationId),
    fingerprint: (value) => Promise.resolve(fingerprintOf(value.reveal())),
    async read() {
      await gate.read();
      return disk.opened ?? undefined;
    },
    list: () => Promise.resolve(['core']),
    create: () => Promise.reject(new Error('nothing is imported in the model')),
    async update(_, decide) {
      return gate.write(() => {
        if (!disk.opened) throw new KeyturnError('KT-NOT-IMPORTED', 'no key has been imported');
        const decision = decide(disk.opened);
        if ('unchanged' in decision) return { value: decision.unchanged, opened: disk.opened };
        return { value: decision.value, opened: disk.commit(now(), by, spoil(decision.next)) };
      });
    },
    sealAnswer,
    openAnswer,
    async keepLate(_, answer) {
      await gate.write(() => {
        const same = (l: LateAnswer): boolean =>
          l.operationId === answer.operationId && l.intent === answer.intent && l.keyId === answer.keyId;
        if (!disk.late.some(same)) disk.late = [...disk.late, answer];
      });
    },
    readLate: (_, operationId) => Promise.resolve(disk.late.filter((l) => l.operationId === operationId)),
    async dropLate(_, operationId) {
      if (!disk.late.some((l) => l.operationId === operationId)) return;
      await gate.write(() => {
        disk.late = disk.late.filter((l) => l.operationId !== operationId);
      });
    },
    check: () => gate.read(),
  };
}

export function lockoutOn(disk: Disk, now: () => number): Lockout {
  return {
    view: () => {
      const { used, strikes, resets, reservations } = disk.account;
      const account = { limit: STRIKE_BUDGET, used, reserved: reservations.length, strikes, resets, asOfMs: now() };
      return Promise.resolve(account);
    },
    isProven: (_, fingerprint) => Promise.resolve(disk.account.proven.includes(fingerprint)),
    admit(_, fingerprint, operationId) {
      const admission = admit(disk.account, STRIKE_BUDGET, { fingerprint, operationId, atMs: now() });
      if (admission.admitted) disk.account = admission.account;
      else {
        const { because } = admission;
        const failure = { class: 'blocked', code: 'KT-LOCKOUT-BUDGET', message: because, reason: because } as const;
        return Promise.reject(new ProviderFailure(failure));
      }
      return Promise.resolve();
    },
    proved(_, fingerprint) {
      disk.account = prove(disk.account, fingerprint);
      return Promise.resolve();
    },
    struck(_, fingerprint, operationId, sentAtMs) {
      disk.account = strike(disk.account, { fingerprint, operationId, atMs: now() }, sentAtMs);
      return Promise.resolve();
    },
    forgive(_, fingerprint) {
      disk.account = forgive(disk.account, fingerprint);
      return Promise.resolve();
    },
    reset: () => Promise.resolve(),
  };
}

/** As custody does with every write: values go with what lists them; of a key that becomes a debt the id is kept. */
function pruned({ record, shelf }: Opened, before: Opened): Shelf {
  const kept = <T>(map: Readonly<Record<string, T>>, keys: readonly number[]): Record<string, T> =>
    Object.fromEntries(keys.flatMap((k) => (map[String(k)] === undefined ? [] : [[k, map[String(k)] as T]])));
  for (const { version } of record.versions)
    if (!shelf.versions[String(version)])
      throw new KeyturnError('KT-INTERNAL', `version ${version} would be kept without its values`);
  const debts: Record<string, Secret> = {};
  for (const { keyId } of record.debts) {
    const version = before.record.versions.find((v) => v.keyId === keyId)?.version;
    const behind = before.shelf.versions[String(version)]?.keyId;
    const id = shelf.debts?.[keyId] ?? (behind !== undefined && behind !== keyId ? new Secret(behind) : undefined);
    if (id) debts[keyId] = id;
  }
  return {
    versions: kept(
      shelf.versions,
      record.versions.map((v) => v.version),
    ),
    intents: kept(
      shelf.intents,
      record.intents.map((i) => i.n),
    ),
    ...(Object.keys(debts).length > 0 ? { debts } : {}),
  };
}
