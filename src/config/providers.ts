import type { z } from 'zod';
import { apigeeSettingsSchema, apigeeWarnings, PROPAGATION_MS } from '../providers/apigee/settings.js';
import { mambuSettingsSchema, mambuWarnings } from '../providers/mambu/settings.js';
import type { Path } from './document.js';
import type { CredentialConfig } from './types.js';

/** What keyturn.yaml needs to know of a credential's settings, whoever the provider is. */
export interface ProviderFacts extends Pick<CredentialConfig, 'baseUrl' | 'managedBy' | 'webhook' | 'allowRequests'> {
  readonly settings: unknown;
  /** One rotation call replaces the account's key in place: two credentials of one account would destroy each other's. */
  readonly rotatesInPlace: boolean;
  /** The provider's own grace, where it and not keyturn decides when the old key dies. */
  readonly providerGraceMs: number | null;
  readonly acceptsGap: boolean;
  readonly keyTtlMs: number | null;
  /** How long what consumers get with the key outlives their next reading of it, e.g. OAuth access tokens. */
  readonly tokenTtlMs: number;
  readonly warnings: readonly { readonly path: Path; readonly message: string }[];
}

export interface ProviderBlock {
  /** Facts from the block that has the provider's name as its key. */
  readonly schema: z.ZodType<ProviderFacts>;
  /** Defaults of `timing`. */
  readonly propagationMs: number;
  readonly settleMs: number;
  readonly observeMs: number;
  /** The same block as plain zod schema, for the published JSON schema. */
  readonly published: z.ZodType;
}

const mambu: ProviderBlock = {
  published: mambuSettingsSchema,
  // Deletion is documented as immediate (Mambu docs, API Consumers page).
  propagationMs: 0,
  settleMs: 0,
  observeMs: 0,
  schema: mambuSettingsSchema.transform((settings): ProviderFacts => ({
    settings,
    baseUrl: settings.baseUrl,
    managedBy: settings.managedBy,
    webhook: { consumerIds: [settings.consumerId, ...settings.consumerIdAliases], mode: settings.webhook },
    allowRequests: settings.allowRequests,
    rotatesInPlace: settings.strategy === 'rotation',
    providerGraceMs: settings.strategy === 'rotation' ? settings.tenantGraceMs : null,
    acceptsGap: settings.acceptGap,
    keyTtlMs: settings.keyTtlMs,
    tokenTtlMs: 0,
    warnings: mambuWarnings(settings),
  })),
};

const apigee: ProviderBlock = {
  published: apigeeSettingsSchema,
  propagationMs: PROPAGATION_MS,
  // Published clients wait about a second for what they have just made; nobody documents how long it may take.
  settleMs: 30_000,
  observeMs: 600_000,
  schema: apigeeSettingsSchema.transform((settings): ProviderFacts => ({
    settings,
    baseUrl: settings.baseUrl,
    managedBy: null,
    webhook: { consumerIds: [], mode: 'off' },
    allowRequests: [],
    rotatesInPlace: false,
    providerGraceMs: null,
    acceptsGap: false,
    keyTtlMs: settings.keyTtlMs,
    tokenTtlMs: settings.tokenTtlMs ?? 0,
    warnings: apigeeWarnings(settings),
  })),
};

export const providerBlocks: ReadonlyMap<string, ProviderBlock> = new Map([
  ['mambu', mambu],
  ['apigee', apigee],
]);
