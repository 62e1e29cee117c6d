/** What a request for a rotation would lead to now, from the record and the configuration alone. Pure. */
import type { CredentialConfig } from '../config.js';
import { strategyOf } from '../domain/capability.js';
import { decide, type Decision } from '../domain/decisions.js';
import { iso, isoOrNull } from '../domain/instant.js';
import type { CredentialRecord, EngineStrategy, VersionFacts } from '../domain/record.js';
import type { RotationRequest } from '../domain/request.js';
import { beginRetirement, diesAtMs } from '../domain/retirement.js';
import { hasSeen } from '../domain/seen.js';
import { viewOf } from '../domain/view.js';
import type { Provider } from '../providers/provider.js';

export interface PlannedStep {
  readonly step: string;
  /** The earliest instant. */
  readonly at: string;
  readonly does: string;
}

export interface RotationPlan {
  readonly credentialId: string;
  readonly provider: string;
  readonly baseUrl: string;
  readonly strategy: string;
  readonly capability: EngineStrategy['class'];
  readonly decision: Decision['do'];
  readonly skippedBecause?: string;
  /** What somebody has to mend before a rotation can succeed. */
  readonly obstacles: readonly string[];
  readonly current: { readonly version: number; readonly keyId: string };
  readonly nextVersion: number;
  /** Empty where no rotation would begin. */
  readonly steps: readonly PlannedStep[];
}

export interface PlanInput {
  readonly credential: CredentialConfig;
  readonly provider: Provider;
  readonly record: CredentialRecord;
  readonly current: VersionFacts;
  readonly request: RotationRequest;
  readonly nowMs: number;
}

export function planRotation(input: PlanInput): RotationPlan {
  const { credential, provider, record, current, request, nowMs } = input;
  const { credentialId, policy, settings, baseUrl, timing } = credential;
  const abilities = { equips: provider.equip !== undefined, restorable: provider.restore !== undefined };
  const strategy = strategyOf(provider.capability(settings), abilities, timing);
  const active = record.operation === null ? null : { keyMade: record.operation.toVersion !== null };
  const decision: Decision = hasSeen(record.seen, request.requestId, nowMs)
    ? { do: 'skip', because: 'duplicate' }
    : decide(request, { view: viewOf(record, null), policy, active, nowMs });
  return {
    credentialId,
    provider: credential.provider,
    baseUrl,
    strategy: provider.identity(settings).strategy,
    capability: strategy.class,
    decision: decision.do,
    ...(decision.do === 'skip' ? { skippedBecause: decision.because } : {}),
    obstacles: obstaclesOf(input, strategy),
    current: { version: current.version, keyId: current.keyId },
    nextVersion: record.highestVersion + 1,
    steps: decision.do === 'rotate' ? stepsOf(input, strategy) : [],
  };
}

function obstaclesOf(
  { credential, provider, record, current }: PlanInput,
  strategy: EngineStrategy,
): readonly string[] {
  const { baseUrl, account } = provider.identity(credential.settings);
  const { identity } = current;
  const isElsewhere = identity.baseUrl !== baseUrl || identity.account !== account;
  return [
    ...(isElsewhere
      ? [`the key belongs to ${identity.account} at ${identity.baseUrl}, keyturn.yaml names ${account} at ${baseUrl}`]
      : []),
    ...(strategy.needsSecretKey && current.secretKey !== 'ok'
      ? [
          `the current key has no secret key, which a rotation in place needs: \`keyturn import ${credential.credentialId} --replace\``,
        ]
      : []),
    ...(record.capabilityLost === null ? [] : [record.capabilityLost.message]),
  ];
}

const writes: Record<EngineStrategy['intents'][number], string> = {
  rotate: 'one call replaces the key in place; the answer is sealed at once',
  'create-key': 'one call makes a new key beside the old one; the answer is sealed at once',
  'create-secret': 'one call makes a new secret; the answer is sealed at once',
};

function stepsOf({ credential, record, current, request, nowMs }: PlanInput, strategy: EngineStrategy): PlannedStep[] {
  const { policy } = credential;
  const [write = 'create-key'] = strategy.intents;
  const next = { version: record.highestVersion + 1, keyId: '', verified: true };
  const publishAtMs = nowMs + policy.activationLagMs;
  const old = { ...current, leaked: current.leaked || request.reason === 'compromise' };
  const retired: VersionFacts = {
    ...old,
    providerDiesAtMs: strategy.providerGraceMs === null ? null : nowMs + strategy.providerGraceMs,
    retirement: beginRetirement(old, next, policy, record.acknowledged, publishAtMs),
  };
  const endsAtMs = diesAtMs(retired);
  const consumers = retired.retirement?.consumers.filter(({ ackedAtMs }) => ackedAtMs === null) ?? [];
  const at = (ms: number, step: string, does: string): PlannedStep => ({ step, at: iso(ms), does });
  return [
    at(nowMs, 'plan', 'check settings, permissions, store and listing, before anything is made'),
    at(nowMs, 'rotate', writes[write]),
    at(nowMs, 'persist', 'read the new key back from the store'),
    ...(strategy.equips ? [at(nowMs, 'equip', 'give the new key the scope of the old one')] : []),
    at(publishAtMs, 'verify', 'use the new key, as read back, for one cheap read'),
    at(publishAtMs, 'publish', `version ${next.version} becomes current, version ${current.version} goes into grace`),
    at(publishAtMs + policy.refreshWithinMs, 'refresh', 'every consumer has read the new key by then'),
    ...consumers.map(({ name, ackByMs }) => at(ackByMs, 'ack', `${name} is waited for until then at the latest`)),
    {
      step: 'revoke',
      at: isoOrNull(endsAtMs) ?? iso(publishAtMs),
      does: `version ${current.version} dies${strategy.providerGraceMs === null ? '' : ', by the provider’s own grace at the latest'}`,
    },
  ];
}
