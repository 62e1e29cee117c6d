import type { CredentialConfig } from '../config.js';
import { KeyturnError } from '../domain/errors.js';
import { ProviderFailure } from '../domain/failure.js';
import type { RotationRequest } from '../domain/request.js';
import type { KeyInfo } from '../providers/provider.js';
import { listKeys } from './listed-keys.js';
import { callingAs, currentKey, type CurrentKey, providerOf } from './provider-calls.js';
import { planRotation, type RotationPlan } from './rotation-plan.js';
import type { Answer, Context } from './run.js';
import type { Session } from './session.js';
import { table } from './table.js';
import { distanceText, instantText } from './when.js';

const ATTENTION = 3;

/**
 * The plan of a rotation, without Temporal and without a write: the store's record, keyturn.yaml, and one listing at the provider if the
 * credential that it needs was accepted before.
 */
export async function dryRun(
  context: Context,
  session: Session,
  credential: CredentialConfig,
  request: RotationRequest,
): Promise<Answer> {
  const key = await currentKey(await session.vault(), credential.credentialId);
  const { opened, facts: current } = key;
  const nowMs = Date.now();
  const plan = planRotation({
    credential,
    provider: providerOf(credential),
    record: opened.record,
    current,
    request,
    nowMs,
  });
  const listing = await takeListing(context, session, credential, key);
  const listed = listing.keys?.find(({ keyId }) => keyId === current.keyId);
  const incurable = listed && providerOf(credential).incurable?.(credential.settings, listed);
  const obstacles = [
    ...plan.obstacles,
    ...(listing.keys !== null && listed === undefined ? ['the provider does not list the current key'] : []),
    ...(incurable ? [incurable] : []),
  ];
  const data = { ...plan, obstacles, listing: listing.keys, notListedBecause: listing.why };
  return {
    data,
    text: textOf({ ...plan, obstacles }, listing, nowMs),
    exit: obstacles.length > 0 ? ATTENTION : 0,
  };
}

interface Listing {
  readonly keys: readonly KeyInfo[] | null;
  /** Why there is none. */
  readonly why: string | null;
}

async function takeListing(
  { out }: Context,
  session: Session,
  credential: CredentialConfig,
  { values }: CurrentKey,
): Promise<Listing> {
  const calling = { config: session.config, credential, vault: await session.vault(), out };
  try {
    const operationId = `dry-run/${credential.credentialId}/${Date.now()}`;
    const asProven = await callingAs(calling, values, { operationId, provenOnly: true });
    const keys = await listKeys(calling, asProven);
    return { keys: keys.map(({ shown }) => shown), why: null };
  } catch (error) {
    if (error instanceof ProviderFailure || error instanceof KeyturnError) return { keys: null, why: error.message };
    throw error;
  }
}

const verdicts: Record<RotationPlan['decision'], string> = {
  rotate: 'a rotation would begin',
  join: 'the request would join the rotation in progress',
  hold: 'the request would wait: paused, or behind the rotation in progress',
  'kill-old': 'no rotation: only old versions leaked, and they would die now',
  skip: 'the request would be skipped',
};

function textOf(plan: RotationPlan, { keys, why }: Listing, nowMs: number): string {
  const { credentialId, provider, strategy, capability, baseUrl, current, decision, skippedBecause } = plan;
  const steps = plan.steps.map(({ step, at, does }) => [step, instantText(at), distanceText(at, nowMs), does]);
  return [
    `${credentialId}  ${provider}, ${strategy}, class ${capability}, ${baseUrl}`,
    `version ${current.version} is current (key ${current.keyId}); ${verdicts[decision]}${skippedBecause === undefined ? '' : ` (${skippedBecause})`}`,
    ...(steps.length === 0 ? [] : ['', table(['STEP', 'NOT BEFORE', '', 'DOES'], steps)]),
    '',
    keys === null
      ? `keys at the provider: not asked for (${why})`
      : `keys at the provider: ${keys.map(({ keyId }) => keyId).join(', ') || 'none'}`,
    ...plan.obstacles.map((obstacle) => `obstacle: ${obstacle}`),
    'Nothing was changed.',
  ].join('\n');
}
