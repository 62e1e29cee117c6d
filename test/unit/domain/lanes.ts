/** What the entity carries, to be spoilt by each test in its own way. */
import { newLane, type ActiveRotation, type LaneState } from '../../../src/domain/lane.js';
import type { CredentialRecord, DebtFacts, LockoutView } from '../../../src/domain/record.js';
import { viewOf } from '../../../src/domain/view.js';
import { hour, identity, minute, policy, recordOf, request, t0, versionFacts } from './facts.js';

export function laneOf(
  record: CredentialRecord | null,
  over: Partial<LaneState> = {},
  lockout: LockoutView | null = null,
) {
  const lane: LaneState = {
    ...newLane('core-prod'),
    view: record && viewOf(record, lockout),
    policy,
    capability: 'B',
    provider: 'mambu',
    ...over,
  };
  return lane;
}
/** Version 2 is current, made and published by a rotation. */
export const rotatedRecord = (over: Partial<CredentialRecord> = {}): CredentialRecord =>
  recordOf({ versions: [versionFacts(2)], highestVersion: 2, ...over });

export const active: ActiveRotation = {
  operationId: 'op-a',
  request: request(),
  joined: [],
  startedAtMs: t0,
  step: 'rotate',
  stepStartedAtMs: t0,
  attempts: 1,
  steps: [],
  recovering: false,
  parked: false,
  waitingFor: [],
  nextAttemptAtMs: null,
  lastError: null,
  unsaved: null,
  preempted: false,
};

export const paused = { sinceMs: t0, by: 'ada', reason: null };
export const capabilityLost = {
  sinceMs: t0,
  message: 'no secret key',
  deadlineMs: t0 + hour,
  retryAtMs: null,
  attempts: 0,
};
export const debt = (kind: DebtFacts['kind']): DebtFacts => ({
  kind,
  version: null,
  keyId: 'key-9',
  sinceMs: t0,
  attempts: 1,
  nextAttemptAtMs: t0 + minute,
  lastError: { code: 'KT-PROVIDER-BUSY', message: 'busy' },
  identity,
});
