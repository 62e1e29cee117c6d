/**
 * Custody: the only code above a store that sees values. It opens and seals the record of a credential, and keeps the sealed answers
 * that arrived too late or could not be stored at once.
 */
import type { CredentialRecord } from '../domain/record.js';
import type { Secret } from '../domain/secret.js';

/** A record with its values, as it was at `seq`. */
export interface Opened {
  readonly record: CredentialRecord;
  readonly shelf: Shelf;
}

/** The sealed half of a record. Keys of the maps are version numbers and intent ordinals as strings. */
export interface Shelf {
  readonly versions: Readonly<Record<string, ShelvedValues>>;
  readonly intents: Readonly<Record<string, ShelvedIntent>>;
  /** The provider's own ids of keys in debt, by the fingerprints that stand for them, where the id is itself secret. */
  readonly debts?: Readonly<Record<string, Secret>>;
}

export interface ShelvedValues {
  /** The provider's own id, also where it is secret. */
  readonly keyId: string;
  readonly fields: Readonly<Record<string, Secret>>;
}

export interface ShelvedIntent {
  /** AES-256 key (base64) under which an answer is sealed in memory when the store is down; destroyed with the intent. */
  readonly oneTimeKey: Secret;
  readonly body: Secret | null;
  /** Version whose values authenticate the call. */
  readonly actingVersion: number;
}

/** What a read-modify-write decides, from what it has just read. `next.record.seq` is set by custody. */
export type Decision<T> =
  | { readonly next: { readonly record: CredentialRecord; readonly shelf: Shelf }; readonly value: T }
  | { readonly unchanged: T };

/** The answer of a provider to a write, kept until the record has it. */
export interface LateAnswer {
  readonly operationId: string;
  readonly intent: number;
  readonly keyId: string | null;
  readonly fields: Readonly<Record<string, Secret>>;
  readonly expiresAtMs: number | null;
  readonly receivedAtMs: number;
}

export interface Custody {
  /** Random id of this installation (store), made with the first record; known to the record, the entity and the Schedules. */
  installationId(): Promise<string>;
  /** `hmac:` + 32 hex digits: HMAC-SHA-256 truncated to 128 bits, under a key of its own that is sealed in the store. */
  fingerprint(value: Secret): Promise<string>;
  read(credentialId: string): Promise<Opened | undefined>;
  /** Ids of all credentials that have a record. */
  list(): Promise<readonly string[]>;
  /** First version of a record. @throws KeyturnError KT-ALREADY-IMPORTED */
  create(credentialId: string, first: { record: CredentialRecord; shelf: Shelf }): Promise<Opened>;
  /**
   * Read, decide, compare-and-set; a lost race is read again and decided anew (bounded). A write with an unknown outcome is settled by
   * reading back. Values of versions that `next` does not list any more are dropped with it; of a key that becomes a debt the id is kept.
   * @throws KeyturnError KT-NOT-IMPORTED, KT-STORE-UNAVAILABLE, KT-STORE-CORRUPT, KT-STORE-FOREIGN, KT-CONFLICT
   */
  update<T>(credentialId: string, decide: (opened: Opened) => Decision<T>): Promise<{ value: T; opened: Opened }>;
  /** Seals an answer in memory under the intent's one-time key: the only ciphertext that may travel through a step's result. */
  sealAnswer(credentialId: string, oneTimeKey: Secret, answer: LateAnswer): string;
  /** @throws KeyturnError KT-STORE-CORRUPT when it was not sealed with this key for this credential */
  openAnswer(credentialId: string, oneTimeKey: Secret, sealed: string): LateAnswer;
  /** Keeps an answer beside the record (`late/<credentialId>/<operationId>/<intent>`), whoever owns the record by now. */
  keepLate(credentialId: string, answer: LateAnswer): Promise<void>;
  readLate(credentialId: string, operationId: string): Promise<readonly LateAnswer[]>;
  dropLate(credentialId: string, operationId: string): Promise<void>;
  /** Write and read-back of the store. @throws KeyturnError KT-STORE-UNAVAILABLE */
  check(): Promise<void>;
}

/** Whose invalid-credential calls count together. */
export interface LockoutScope {
  readonly baseUrl: string;
  readonly egress: string;
}

/** The budget of invalid-credential calls, kept in the store: it holds over restarts and across workers. */
export interface Lockout {
  view(scope: LockoutScope): Promise<LockoutAccount>;
  /** The provider accepted it, and has not refused it since: a call with it cannot be a strike as far as anyone knows. */
  isProven(scope: LockoutScope, fingerprint: string): Promise<boolean>;
  /**
   * Before a call: free for a proven fingerprint; else reserves one strike for (fingerprint, operation), once.
   * @throws ProviderFailure `blocked` KT-LOCKOUT-BUDGET: nothing may be sent
   */
  admit(scope: LockoutScope, fingerprint: string, operationId: string): Promise<void>;
  /** The provider accepted it: proven, reservation freed. Writes only when it is news. */
  proved(scope: LockoutScope, fingerprint: string): Promise<void>;
  /**
   * 401: the reservation becomes a strike; the fingerprint is un-proven, and refused until `forgive` unless the call was sent long ago: others may
   * have used it since.
   */
  struck(scope: LockoutScope, fingerprint: string, operationId: string, sentAtMs: number): Promise<void>;
  /** Import of that value, or an operator's reset: one more reserved try; `reset` also sets the used strikes to 0 and keeps the reason. */
  forgive(scope: LockoutScope, fingerprint: string): Promise<void>;
  reset(scope: LockoutScope, reason: string): Promise<void>;
}

export interface LockoutAccount {
  readonly limit: number;
  readonly used: number;
  readonly reserved: number;
  readonly strikes: readonly { readonly fingerprint: string; readonly operationId: string; readonly atMs: number }[];
  readonly resets: readonly { readonly atMs: number; readonly reason: string }[];
  readonly asOfMs: number;
}
