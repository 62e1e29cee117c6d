import { parseCron, shortestGapMs } from '../domain/cron.js';
import { formatDuration } from '../domain/duration.js';
import type { ReadCredential } from './credentials.js';
import type { Findings } from './findings.js';
import type { CredentialConfig, WebhookAuth } from './types.js';

/** Rules within one credential, once its parts are read. */
export function checkPolicy(
  { config, facts, path, policyPath }: ReadCredential,
  nowMs: number,
  findings: Findings,
): void {
  const { policy, schedule } = config;
  const graceMs = facts.providerGraceMs;
  if (graceMs !== null && policy.refreshWithinMs >= graceMs && !facts.acceptsGap) {
    findings.error(
      policyPath('refreshWithin'),
      `refreshWithin ${formatDuration(policy.refreshWithinMs)} must be shorter than tenantGrace ${formatDuration(graceMs)}, ` +
        'or consumers hold a dead key: refresh more often, or set a longer grace at the tenant',
    );
  } else if (graceMs !== null && policy.refreshWithinMs + policy.graceMs > graceMs) {
    findings.warning(
      policyPath('grace'),
      `the tenant ends the old key ${formatDuration(graceMs)} after the rotation call, before refreshWithin + grace is over`,
    );
  }
  if (facts.keyTtlMs === null && facts.warnings.every((warning) => warning.path[0] !== 'keyTtl')) {
    findings.warning(path, 'without a keyTtl a forgotten key stays valid for ever');
  }
  if (schedule === null) {
    findings.warning(
      policyPath('schedule'),
      'there is no schedule: it rotates on request, by webhook and before expiry only',
    );
    return;
  }
  const gapMs = shortestGapMs(parseCron(schedule.cron), schedule.timezone, nowMs);
  if (policy.minIntervalMs >= gapMs) {
    findings.error(
      policyPath('minInterval'),
      `minInterval ${formatDuration(policy.minIntervalMs)} must be shorter than the schedule's shortest gap of ` +
        `${formatDuration(gapMs)}, or scheduled rotations are skipped`,
    );
  }
}

/** Rules between credentials. Returns their configs, with webhook modes as `WebhookTarget` promises. */
export function checkTogether(given: readonly ReadCredential[], findings: Findings): readonly CredentialConfig[] {
  const credentials = given.map((one) => ({ ...one, config: withOwnPath(one, given, findings) }));
  for (const [index, one] of credentials.entries()) {
    checkManager(one, credentials, findings);
    for (const other of credentials.slice(0, index)) {
      const consumerId = commonConsumer(one, other);
      if (consumerId !== undefined) checkPair(one, other, consumerId, findings);
    }
  }
  return credentials.map(({ config }) => config);
}

function checkManager(
  { config, settingsPath }: ReadCredential,
  all: readonly ReadCredential[],
  findings: Findings,
): void {
  if (config.managedBy === null) return;
  const place = [...settingsPath, 'managedBy'];
  const manager = all.find((other) => other.config.credentialId === config.managedBy);
  if (manager === undefined) {
    findings.error(place, `there is no valid credential ${JSON.stringify(config.managedBy)} in this file`);
  } else if (config.managedBy === config.credentialId) {
    findings.error(place, 'a credential manages its own keys where `managedBy` is left out: delete it');
  } else if (manager.config.provider !== config.provider || manager.config.baseUrl !== config.baseUrl) {
    findings.error(place, `${config.managedBy} has another base URL: its key does not work here`);
  }
}

function commonConsumer(one: ReadCredential, other: ReadCredential): string | undefined {
  if (one.config.provider !== other.config.provider) return undefined;
  return one.config.webhook.consumerIds.find((id) => other.config.webhook.consumerIds.includes(id));
}

function checkPair(one: ReadCredential, other: ReadCredential, consumerId: string, findings: Findings): void {
  const twin = other.config.credentialId;
  if (one.config.baseUrl === other.config.baseUrl) {
    if (!one.facts.rotatesInPlace && !other.facts.rotatesInPlace) return;
    findings.error(
      [...one.settingsPath, 'consumerId'],
      `${twin} has the same base URL and consumer ${consumerId}, and \`strategy: rotation\` ends the keys of both: ` +
        'give each its own API consumer, or use create-and-delete',
    );
  } else if (isOnShortRoute(one.config) && isOnShortRoute(other.config)) {
    findings.error(
      [...one.settingsPath, 'webhook'],
      `${twin} has the consumer ${consumerId} on another base URL, so /webhooks/mambu cannot tell them apart: ` +
        'leave at most one of them `webhook: shared` and write `webhook: own-path` or `webhook: false` at the others',
    );
  }
}

const isOnShortRoute = ({ webhook }: CredentialConfig): boolean =>
  webhook.mode === 'default' || webhook.mode === 'shared';

/** A credential that did not choose leaves the short route to one on another base URL that chose it. */
function withOwnPath(one: ReadCredential, all: readonly ReadCredential[], findings: Findings): CredentialConfig {
  const { config } = one;
  if (config.webhook.mode !== 'default') return config;
  const owner = all.find(
    (other) =>
      other.config.webhook.mode === 'shared' &&
      other.config.baseUrl !== config.baseUrl &&
      commonConsumer(one, other) !== undefined,
  );
  if (owner === undefined) return config;
  findings.warning(
    [...one.settingsPath, 'webhook'],
    `${owner.config.credentialId} has the short webhook route of this consumer: webhooks reach this credential by ` +
      `/webhooks/${config.provider}/${config.credentialId} only; write \`webhook: own-path\` to say so`,
  );
  return { ...config, webhook: { ...config.webhook, mode: 'own-path' } };
}

export function checkWebhooks(
  auth: WebhookAuth | null,
  credentials: readonly ReadCredential[],
  findings: Findings,
): void {
  if (auth?.kind === 'none') {
    findings.warning(['webhooks', 'mambu', 'auth'], 'anybody who can reach the webhook route can ask for a rotation');
  }
  if (auth !== null) return;
  for (const { config, settingsPath } of credentials) {
    if (config.webhook.mode !== 'shared' && config.webhook.mode !== 'own-path') continue;
    findings.warning([...settingsPath, 'webhook'], 'webhooks are refused until `webhooks.mambu.auth` is configured');
  }
}
