import type { Config, CredentialConfig } from '../config.js';

/** Which credentials a webhook means. The consumer it names proves nothing: it is looked up, never trusted. */
export interface WebhookTargets {
  /** Those on the short route that have this consumer id or alias: one, or several that share the account. */
  byConsumer(consumerId: string): readonly CredentialConfig[];
  /** The one of this path, if it has an own path and, where the webhook names a consumer, that is its own. */
  byPath(credentialId: string, consumerId: string | null): readonly CredentialConfig[];
}

export function webhookTargets(config: Config): WebhookTargets {
  const reachable = [...config.credentials.values()].filter(
    ({ provider, webhook }) => provider === 'mambu' && webhook.mode !== 'off',
  );
  const onShortRoute = reachable.filter(({ webhook }) => webhook.mode !== 'own-path');
  return {
    byConsumer: (consumerId) => onShortRoute.filter(({ webhook }) => webhook.consumerIds.includes(consumerId)),
    byPath: (credentialId, consumerId) =>
      reachable.filter(
        (one) =>
          one.credentialId === credentialId && (consumerId === null || one.webhook.consumerIds.includes(consumerId)),
      ),
  };
}
