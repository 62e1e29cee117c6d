/** A credential entity in virtual time over a fake credential. */
import {
  credentialWorkflowId,
  queryNames,
  signalNames,
  workflowNames,
  type CredentialState,
  type RotationRequest,
} from '../../src/contract.js';
import type { RequestActivities } from '../../src/activities/api.js';
import { FakeCredential, type FakeOptions } from './fake-credential.js';
import { VirtualTemporal, type Execution } from './virtual-time.js';

export const second = 1_000;
export const minute = 60 * second;
export const hour = 60 * minute;
export const day = 24 * hour;
export const entityId = credentialWorkflowId('core');

export interface VirtualEntity {
  readonly fake: FakeCredential;
  readonly temporal: VirtualTemporal;
  readonly execution: Execution;
  state(): Promise<CredentialState>;
  request(requestId: string, more?: Partial<RotationRequest>): Promise<boolean>;
}

export interface EntityOptions extends FakeOptions {
  readonly maxEvents?: number;
  /** Around the entity; `requestRotation` signals it unless told otherwise. */
  readonly requests?: Partial<RequestActivities>;
}

export async function virtualEntity(options: EntityOptions = {}): Promise<VirtualEntity> {
  const { maxEvents, requests = {} } = options;
  const clock = { now: (): number => Date.parse('2026-11-21T04:00:00.000Z') };
  const fake = new FakeCredential('core', () => clock.now(), options);
  const temporal: VirtualTemporal = await VirtualTemporal.open({
    requestRotation: async ({ request }) => void temporal.post(entityId, signalNames.requestRotation, request),
    ...requests,
    ...fake.activities,
  });
  clock.now = () => temporal.nowMs;
  const input = { credentialId: 'core', ...(maxEvents === undefined ? {} : { maxEvents }) };
  const execution = await temporal.start(workflowNames.credential, entityId, input);
  return {
    fake,
    temporal,
    execution,
    state: () => temporal.query(entityId, queryNames.credentialState),
    request: (requestId, more = {}) =>
      temporal.signal(entityId, signalNames.requestRotation, {
        requestId,
        reason: 'routine',
        source: 'operator',
        ...more,
      }),
  };
}
