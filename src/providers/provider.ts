/**
 * The contract of a provider: one system whose API credentials keyturn rotates. A provider speaks one vendor's API and nothing else:
 * it never sees the store, Temporal or another credential, never retries, and throws `ProviderFailure` in the classes of domain/failure.ts.
 * What to do after a failure is decided by the engine from `capability`.
 */
import type { ZodType } from 'zod';
import type { Capability } from '../domain/capability.js';
import type { IntentKind, LifetimeReading, ProviderIdentity } from '../domain/record.js';
import type { Secret } from '../domain/secret.js';

export type { Capability } from '../domain/capability.js';

/** The values of one version: what a consumer needs, e.g. `{ apiKey, secretKey }`. */
export type Fields = Readonly<Record<string, Secret>>;

export interface CredentialValues {
  readonly keyId: string;
  readonly fields: Fields;
}

/** How a request proves who sends it. The engine sees to the lockout budget by it, so no credential travels in `headers`. */
export type RequestAuth =
  | { readonly kind: 'header'; readonly name: string; readonly value: Secret }
  | { readonly kind: 'basic'; readonly username: string; readonly password: Secret }
  | { readonly kind: 'none' };

export interface ProviderRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Below the base URL, starting with `/`, already percent-encoded; query included. */
  readonly path: string;
  /** For messages: the path with placeholders instead of ids. */
  readonly route: string;
  /** Another base URL than the credential's own, where the settings name one, e.g. for a probe of the runtime. */
  readonly baseUrl?: string;
  readonly auth: RequestAuth;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Secret;
  /** `write`: a transport failure after sending is `unknown`; `read`: it is `outage`. */
  readonly effect: 'read' | 'write';
}

export interface ProviderAnswer {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  /** At most 1 MiB; may hold secrets: never log it. */
  readonly text: string;
}

export interface ProviderContext<S> {
  readonly settings: S;
  /** Values of the version the call is made with. */
  readonly credential: CredentialValues;
  /** Values of the credential named by `managedBy`, where there is one. */
  readonly manager?: CredentialValues;
  /**
   * Sends exactly one HTTP request: no redirect followed, no retry. A 401 is returned like any other answer, after the strike was booked.
   * @throws ProviderFailure `not-sent` | `unknown` | `outage` | `blocked` (budget spent: nothing was sent)
   */
  send(request: ProviderRequest): Promise<ProviderAnswer>;
  now(): number;
}

export interface KeyInfo {
  readonly keyId: string;
  /** What the listing shows of the value, e.g. Mambu's first 6 characters. */
  readonly prefix?: string;
  readonly lifetime?: LifetimeReading;
  /** Where the listing tells instants: since when the key exists, and until when at most (null: without end). */
  readonly issuedAtMs?: number;
  readonly expiresAtMs?: number | null;
  readonly revoked?: boolean;
  /** Comparable description of what the key may do. */
  readonly scope?: readonly string[];
}

/** One write to make, as it was sealed before. */
export interface PreparedIntent {
  readonly kind: IntentKind;
  readonly idempotencyKey: string;
  /** From `prepare`; null where the request has no body. */
  readonly body: Secret | null;
}

export interface Created {
  /** Null for `create-secret`. */
  readonly keyId: string | null;
  readonly fields: Fields;
  /** End of life where the answer tells it. */
  readonly expiresAtMs: number | null;
}

export interface Equipped {
  /** What others must do before it is complete, e.g. an approval. */
  readonly waitingFor: readonly string[];
  /** There is more to write than one call has a share of the quota for: it is called again at once. */
  readonly more?: boolean;
}

export interface Verified {
  readonly keyId: string;
  readonly lifetime: LifetimeReading | null;
  /** Where the provider tells the instant itself; null: without end. */
  readonly expiresAtMs?: number | null;
  /** Empty: the new key may do exactly what the old one may. */
  readonly scopeDifference: readonly string[];
  /** A proof that could not be had, in words, e.g. a missing permission to list; null when all were had. */
  readonly lostProof: string | null;
}

export interface Provider<S = unknown> {
  readonly name: string;
  readonly apiVersion: 1;
  readonly settings: ZodType<S>;
  /** Fields of a version, the one that is the key first; the environment variable in which `keyturn exec` hands it to a command, if at all. */
  readonly secretFields: Readonly<Record<string, { readonly env: string | null; readonly required: boolean }>>;
  capability(settings: S): Capability;
  identity(settings: S): ProviderIdentity;
  /** Settings enough to retire a key whose configuration is gone: authenticated by the credential's own key. */
  settingsOf(identity: ProviderIdentity): S;
  /** What `retrieveConfiguration` may show. */
  publicSettings(settings: S): Readonly<Record<string, unknown>>;
  /**
   * Bytes of the request body for an intent, sealed by the engine before anything is sent; null where there is none. No I/O.
   * Where the client chooses the value, this is where it is chosen. `old`: the current key as just listed, null where it is not.
   */
  prepare(context: Omit<ProviderContext<S>, 'send'>, kind: IntentKind, old: KeyInfo | null): Secret | null;
  /** What no new key could ever equal the old one in, in words; null: nothing. Asked before anything is made. */
  incurable?(settings: S, old: KeyInfo): string | null;
  /** Ids, lifetimes, scopes; never values. @throws ProviderFailure `forbidden` where listing is not permitted */
  inventory(context: ProviderContext<S>): Promise<readonly KeyInfo[]>;
  /** Exactly one request that writes. */
  create(context: ProviderContext<S>, intent: PreparedIntent): Promise<Created>;
  /** The key that an intent asks for, from its body; needed, as `find` is, where `capability.value` is `client`. No I/O. */
  chosen?(intent: PreparedIntent): CredentialValues;
  /**
   * Whether the chosen key exists, with the same id and the same secret; null: it does not. It is asked after a `create` with an unknown
   * outcome, and one that finds the value in use throws `unknown` KT-KEY-TAKEN.
   * @throws ProviderFailure `rejected` KT-KEY-TAKEN where the id exists with another secret
   */
  find?(context: ProviderContext<S>, intent: PreparedIntent): Promise<Created | null>;
  /** Idempotent: gives the new key the old one's scope. */
  equip?(context: ProviderContext<S>, fresh: CredentialValues, old: KeyInfo): Promise<Equipped>;
  /** What an answer says of the presented credential: by it the engine books strikes. A missing permission is no refusal. */
  credentialVerdict(answer: ProviderAnswer): 'accepted' | 'refused' | 'unclear';
  /** Uses `fresh` with one cheap read and checks whose key it is. @throws ProviderFailure `credential-refused`, … */
  verify(context: ProviderContext<S>, fresh: CredentialValues, old: KeyInfo | null): Promise<Verified>;
  /**
   * `suspend` where it can be undone, `destroy` for good. `context.credential` is a living version, never the one to retire.
   * `absent`: the id was not there (404), which is no proof of death where the provider's own grace hides a rotated key.
   */
  retire(context: ProviderContext<S>, keyId: string, phase: 'suspend' | 'destroy'): Promise<'done' | 'absent'>;
  /** Undoes `suspend`. */
  restore?(context: ProviderContext<S>, keyId: string): Promise<void>;
  /** One call of a consumer below the base URL, for `makeApiRequest`. */
  call(
    context: ProviderContext<S>,
    request: Pick<ProviderRequest, 'method' | 'path' | 'body'>,
  ): Promise<ProviderAnswer>;
}
