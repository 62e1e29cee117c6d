/** The workflows around the entity: rotateCredential and makeApiRequest. */
import type { ApplicationFailure } from '@temporalio/common';
import { describe, expect, it } from 'vitest';
import { failureTypes, signalNames, workflowNames, type RotationFinished } from '../../src/contract.js';
import type { RequestActivities, StepFailureDetails } from '../../src/activities/api.js';
import { entityId, hour, minute, second, virtualEntity } from '../support/virtual-entity.js';
import { VirtualTemporal } from '../support/virtual-time.js';

describe('rotateCredential', () => {
  it('answers with the outcome', async () => {
    const e = await virtualEntity();
    const asked = await e.temporal.start(workflowNames.rotateCredential, 'rotate/core/1', { credentialId: 'core' });
    expect(asked.result).toMatchObject({
      outcome: 'rotated',
      credentialId: 'core',
      version: 2,
      keyId: 'key-2',
      attention: [],
    });
    expect(e.fake.record.history[0]).toMatchObject({
      source: 'workflow',
      requestId: expect.stringMatching(/^rotate\/core\/1\/run-/),
    });
  });

  it('answers every one of those who have joined, and those whose id is known already', async () => {
    const e = await virtualEntity();
    const release = e.fake.hold('rotate');
    const asked = [];
    for (let n = 1; n <= 3; n++) {
      const input = { credentialId: 'core', requestId: `r-${Math.min(n, 2)}` };
      asked.push(await e.temporal.start(workflowNames.rotateCredential, `rotate/core/${n}`, input));
    }
    release();
    await e.temporal.advance(minute);
    expect(asked.map((a) => [a.closed, (a.result as RotationFinished).version])).toEqual(
      Array(3).fill(['completed', 2]),
    );
    expect(e.fake.record.history).toHaveLength(1);
  });

  it('answers those who have joined, though the entity has continued as new many times since', async () => {
    const known = new Set<string>();
    const e = await virtualEntity({
      maxEvents: 60,
      requests: {
        requestRotation: async ({ request }) => {
          if (!known.has(request.requestId)) e.temporal.post(entityId, signalNames.requestRotation, request);
          known.add(request.requestId);
        },
      },
    });
    e.fake.fail('verify');
    const asked = [];
    for (const requestId of ['r-1', 'r-2']) {
      const input = { credentialId: 'core', requestId };
      asked.push(await e.temporal.start(workflowNames.rotateCredential, `rotate/core/${requestId}`, input));
    }
    await e.temporal.advance(30 * minute);
    expect(e.execution.runs).toBeGreaterThan(2);
    e.fake.mend();
    await e.temporal.advance(minute);
    expect(asked.map((a) => a.result)).toMatchObject([{ outcome: 'rotated' }, { outcome: 'rotated' }]);
    expect(e.fake.record.history).toHaveLength(1);
  });

  it('ends as pending after its time-out, and the rotation goes on', async () => {
    const e = await virtualEntity();
    e.fake.fail('verify');
    const input = { credentialId: 'core', timeoutMs: 10 * minute };
    const asked = await e.temporal.start(workflowNames.rotateCredential, 'rotate/core/1', input);
    await e.temporal.advance(10 * minute - second);
    expect(asked.closed).toBeNull();
    await e.temporal.advance(second);
    expect(asked).toMatchObject({ closed: 'completed', result: { outcome: 'pending', version: null } });
    e.fake.mend();
    await e.temporal.advance(minute);
    expect((await e.state()).current?.version).toBe(2);
    expect(e.execution.closed).toBeNull();
  });

  it('sends a request again that got lost with its entity', async () => {
    const lost = { left: 2 };
    const e = await virtualEntity({
      requests: {
        requestRotation: async ({ request }) => {
          if (lost.left-- <= 0) e.temporal.post(entityId, signalNames.requestRotation, request);
        },
      },
    });
    const asked = await e.temporal.start(workflowNames.rotateCredential, 'rotate/core/1', { credentialId: 'core' });
    await e.temporal.advance(2 * minute - second);
    expect(asked.closed).toBeNull();
    await e.temporal.advance(minute);
    expect(asked).toMatchObject({ closed: 'completed', result: { outcome: 'rotated' } });
  });

  const bad: readonly [StepFailureDetails['kind'], StepFailureDetails['code'], string, string][] = [
    ['failed', 'KT-PROVIDER-REJECTED', failureTypes.rotationFailed, 'failed'],
    ['needs-operator', 'KT-CREDENTIAL-REFUSED', failureTypes.needsOperator, 'needs-operator'],
  ];
  it.each(bad)('fails when the rotation ends as %s, with the outcome as details', async (kind, code, type, outcome) => {
    const e = await virtualEntity();
    e.fake.fail('plan', { kind, code, message: 'the reason' });
    const asked = await e.temporal.start(workflowNames.rotateCredential, 'rotate/core/1', { credentialId: 'core' });
    const failure = asked.failure as ApplicationFailure;
    expect(failure).toMatchObject({ type, nonRetryable: true, message: expect.stringContaining('the reason') });
    expect(failure.details?.[0]).toMatchObject({
      outcome,
      credentialId: 'core',
      version: 1,
      error: { code, message: 'the reason' },
    });
  });

  it('fails as RotationFailed when the new key was taken back', async () => {
    const e = await virtualEntity();
    e.fake.verdicts = [{ do: 'refused' }];
    const asked = await e.temporal.start(workflowNames.rotateCredential, 'rotate/core/1', { credentialId: 'core' });
    const failure = asked.failure as ApplicationFailure;
    expect(failure.type).toBe(failureTypes.rotationFailed);
    expect(failure.details?.[0]).toMatchObject({ outcome: 'rolled-back', version: 1, keyId: 'key-1' });
    await e.temporal.advance(hour);
    expect((await e.state()).current?.version).toBe(3);
  });
});

describe('makeApiRequest', () => {
  type Answer = Awaited<ReturnType<RequestActivities['makeApiRequest']>>;
  async function call(...answers: Answer[]) {
    const inputs: unknown[] = [];
    const temporal = await VirtualTemporal.open({
      async makeApiRequest(input) {
        inputs.push(input);
        return answers.shift() ?? null;
      },
    });
    const made = await temporal.start(workflowNames.makeApiRequest, 'call/1', {
      credentialId: 'core',
      path: '/branches',
    });
    return { made, inputs };
  }
  const ok = { status: 200, body: [], version: 2, refused: false } as const;
  const refused = { status: 401, body: null, version: 1, refused: true } as const;

  it('calls once where the key is accepted', async () => {
    const { made, inputs } = await call(ok);
    expect(made.result).toEqual({ status: 200, body: [] });
    expect(inputs).toEqual([{ credentialId: 'core', path: '/branches', method: 'GET' }]);
  });

  it('reads again and calls once more where the version has moved', async () => {
    const { made, inputs } = await call(refused, ok);
    expect(made.result).toEqual({ status: 200, body: [] });
    expect(inputs).toMatchObject([{ method: 'GET' }, { method: 'GET', unlessVersion: 1 }]);
  });

  it('gives the refusal where it has not moved, and where the new one is refused too', async () => {
    expect((await call(refused, null)).made.result).toMatchObject({ status: 401 });
    const twice = await call(refused, { ...refused, version: 2 });
    expect(twice.made.result).toMatchObject({ status: 401 });
    expect(twice.inputs).toHaveLength(2);
  });

  it.each(['branches', '//host', '/a/../b', '/a%2fb', '/a\\b'])('refuses the path %s before any call', async (path) => {
    const temporal = await VirtualTemporal.open({ makeApiRequest: async () => ok });
    const made = await temporal.start(workflowNames.makeApiRequest, 'call/1', { credentialId: 'core', path });
    expect(made.failure).toMatchObject({ type: 'KT-INPUT', nonRetryable: true });
  });
});
