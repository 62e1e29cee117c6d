/**
 * The contract of a store: named byte strings with compare-and-set. A store sees sealed bytes only.
 * Names are made of segments `[a-z0-9][a-z0-9._-]*` joined by `/`.
 */
export interface Store {
  readonly kind: string;
  /** The newest object of that name, or undefined where there never was one or it was removed. */
  read(name: string): Promise<StoredObject | undefined>;
  /**
   * Writes if the object is still at `expected` (null: does not exist), durably before it resolves. Resolves with the new etag.
   * @throws StoreFailure `conflict` when another write came first; `unavailable` when it could not be written or when it is not known
   *   whether it was (read back to find out); `corrupt`.
   */
  write(name: string, bytes: Uint8Array, expected: string | null): Promise<string>;
  /** Names that start with `prefix`, sorted. */
  list(prefix: string): Promise<readonly string[]>;
  /** Removes the object; absent is done. */
  remove(name: string): Promise<void>;
  /** A real write and read-back that touches no record. @throws StoreFailure */
  check(): Promise<void>;
  /** Values of before that the store still keeps, also of removed names, newest not included. Absent: it keeps none. @throws StoreFailure */
  older?(): AsyncIterable<OlderValue>;
  close(): Promise<void>;
}

export interface OlderValue {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** It cannot be had again. */
  readonly forget: () => Promise<void>;
}

export interface StoredObject {
  readonly bytes: Uint8Array;
  /** Grows or changes with each write of this name and is never reused for other bytes. */
  readonly etag: string;
}

export type StoreFailureKind = 'conflict' | 'unavailable' | 'corrupt';

export class StoreFailure extends Error {
  override readonly name = 'StoreFailure';
  readonly kind: StoreFailureKind;
  constructor(kind: StoreFailureKind, message: string) {
    super(message);
    this.kind = kind;
  }
}
