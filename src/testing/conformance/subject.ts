/** What the author of a provider hands to the conformance kit. */
import type { EngineStrategy } from '../../domain/record.js';
import type { Provider, CredentialValues } from '../../providers/provider.js';

export interface ProviderUnderTest<S = unknown> {
  readonly provider: Provider<S>;
  /** The class that its capability is meant to have: by it the right recoveries are told. */
  readonly class: EngineStrategy['class'];
  /** A fresh double of the vendor's system, for one test. Without faults: those are the kit's, between the provider and this. */
  start(): Promise<SystemUnderTest>;
  /** How the vendor refuses, where the provider tells more from a body than from the status alone. */
  readonly answers?: {
    /** A permission is missing; default 403 with `{}`. */
    readonly forbidden?: VendorAnswer;
    /** The presented key is not accepted; default 401 with `{}`. */
    readonly refused?: VendorAnswer;
  };
  /** `timing` of keyturn.yaml, where the defaults do not fit, e.g. `{ settle: '1s' }`. */
  readonly timing?: Readonly<Record<string, string>>;
}

export interface VendorAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface SystemUnderTest {
  /** As in keyturn.yaml; the addresses in it are those where this double listens. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** A living key of the account, with every permission that the provider needs. */
  readonly seed: CredentialValues;
  /** Whether the system takes this key now, asked behind the provider's back. */
  accepts(values: CredentialValues): boolean | Promise<boolean>;
  /** Ids of all keys of the account that are alive now; beside `seed` there is at least one at the start, and it is somebody else's. */
  livingKeys(): readonly string[] | Promise<readonly string[]>;
  /** Moves the system's clock, where its keys end by themselves. */
  advance?(ms: number): void;
  stop(): Promise<void>;
}

/** What the kit needs of a test framework: vitest, jest, mocha and `node:test` have it. */
export interface TestFramework {
  readonly describe: (name: string, body: () => void) => unknown;
  readonly it: (name: string, body: () => Promise<void>, timeoutMs?: number) => unknown;
}
