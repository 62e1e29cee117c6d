import type { Authorization } from '../providers/authorization.js';
import type { RotationPolicy, Timing } from '../domain/record.js';
import type { SecretRef } from '../domain/secret-ref.js';

/** keyturn.yaml, parsed and checked. All paths are absolute, all times milliseconds; it holds no secret, only references to them. */
export interface Config {
  readonly file: string;
  /** The folder of `file`: relative paths in it count from here. */
  readonly directory: string;
  readonly temporal: {
    readonly address?: string;
    readonly namespace?: string;
    readonly taskQueue: string;
    readonly searchAttributes: 'auto' | 'off';
  };
  readonly store: { readonly kind: 'file'; readonly path: string };
  /** Never inside the store. */
  readonly sealingKey: { readonly kind: 'file'; readonly path: string };
  readonly server: {
    readonly listen: Endpoint;
    /** Where set, webhooks are served here only. */
    readonly webhookListen: Endpoint | null;
    readonly auth: ServerAuth;
  };
  readonly worker: {
    readonly listen: Endpoint | null;
    readonly egress: string;
    /** Version of the workflow code, told to Temporal; null: workers of all versions share the work. */
    readonly deployment: { readonly name: string; readonly buildId: string } | null;
  };
  readonly lockout: { readonly limit: number };
  /** Null: not configured, webhooks are refused. */
  readonly webhooks: { readonly mambu: WebhookAuth | null };
  /** By id, in the order of the file. */
  readonly credentials: ReadonlyMap<string, CredentialConfig>;
  /** By their names in Arazzo documents. */
  readonly arazzo: { readonly sources: ReadonlyMap<string, ArazzoSource> };
  /** What is allowed and probably not meant. */
  readonly warnings: readonly ConfigIssue[];
}

/** Where the requests of an Arazzo source go, and how they prove who sends them. */
export interface ArazzoSource {
  /** Normalised, without a slash at its end. */
  readonly url: string;
  readonly auth: Authorization;
}

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

export type ServerAuth = { readonly kind: 'none' } | { readonly kind: 'bearer'; readonly token: SecretRef };

export type WebhookAuth =
  | { readonly kind: 'none' }
  /** Any of the values will do, so that they can be changed without a gap. */
  | { readonly kind: 'header'; readonly name: string; readonly values: readonly SecretRef[] }
  | { readonly kind: 'basic'; readonly username: string; readonly password: SecretRef };

export interface ScheduleSpec {
  readonly cron: string;
  readonly timezone: string;
  readonly jitterMs: number;
}

export interface CredentialConfig {
  readonly credentialId: string;
  readonly provider: string;
  /** Output of the provider's own schema, secrets as `SecretRef`. */
  readonly settings: unknown;
  readonly baseUrl: string;
  /** Its `refreshWithinMs` includes `tokenTtlMs`: the old key has to outlive what was got with it. */
  readonly policy: RotationPolicy;
  /** How long access tokens live that consumers get with the key; absent: none are known of. */
  readonly tokenTtlMs?: number;
  readonly schedule: ScheduleSpec | null;
  /** False: provider, store and workflow are not compared once a day. */
  readonly reconcile?: boolean;
  readonly timing: Timing;
  /** Id of the credential whose key manages this one's keys. */
  readonly managedBy: string | null;
  readonly webhook: WebhookTarget;
  /** Calls other than GET and HEAD that `makeApiRequest` may make. */
  readonly allowRequests: readonly { readonly method: string; readonly pathPrefix: string }[];
  readonly labels: Readonly<Record<string, string>>;
}

export interface WebhookTarget {
  /** Every id by which a webhook may name the account, the configured one first. */
  readonly consumerIds: readonly string[];
  /**
   * `default` and `shared` answer on the short route, which one base URL at most has for a consumer id: where another base URL says
   * `shared`, a `default` has become `own-path` here.
   */
  readonly mode: 'default' | 'shared' | 'own-path' | 'off';
}

/** One thing wrong, or odd, at one place of the file. Never quotes a value that may be a secret. */
export interface ConfigIssue {
  /** As people read it: `credentials.core-prod.mambu.strategy`. */
  readonly path: string;
  /** Both count from 1. */
  readonly line: number;
  readonly column: number;
  readonly message: string;
}
