// The credential's workflow, its requests, and what comes from outside.
const credential = 'src/workflows/credential.ts';
const requests = 'test/workflow/requests.test.ts';
const decisions = { file: 'src/domain/decisions.ts', tests: ['test/unit/domain/decisions.test.ts'] };

export const entity = [
  {
    name: 'dedupe-forgotten-at-termination',
    guarantee: 14,
    does: 'a new run of the workflow does not take over the request ids that the record has seen',
    file: 'src/workflows/entity.ts',
    edits: [{ from: 'lane.seen = mergeSeen(lane.seen, loaded.seen);', to: 'lane.seen = mergeSeen(lane.seen, []);' }],
    tests: [requests],
    only: 'after a run that is new altogether',
  },
  {
    name: 'ended-request-not-remembered',
    guarantee: 14,
    does: 'the record does not learn which request a rotation has served',
    file: 'src/domain/transitions.ts',
    edits: [
      {
        from: 'const seen = remember(record.seen, rotation.requestId, nowMs);',
        to: 'const seen = remember(record.seen, `x${rotation.requestId}`, nowMs);',
      },
    ],
    tests: ['test/unit/domain/transitions.test.ts'],
  },
  {
    name: 'held-up-plan-begins',
    guarantee: 14,
    does: 'a plan that was held up until another run has served its request begins a rotation',
    file: 'src/domain/transitions.ts',
    edits: [
      {
        from: 'if (after !== undefined && (record.history[0]?.operationId ?? null) !== after)',
        to: 'if (after !== undefined && after === record.operation)',
      },
    ],
    tests: ['test/model/regressions.test.ts'],
    only: 'a plan that was held up',
  },
  {
    name: 'waiting-request-not-kept',
    guarantee: 14,
    does: 'a request that waits for the rotation in hand is known to nobody but the workflow',
    file: 'src/workflows/intake.ts',
    edits: [{ from: `if (!isBegun(lane)) lane.notes.push({ kind: 'waiting', request: q.request });`, to: '' }],
    tests: [requests],
    only: 'is kept as one that waits',
  },
  {
    name: 'accepted-before-temporal',
    guarantee: 14,
    does: 'a webhook is answered 202 before Temporal has the signal',
    file: 'src/http/webhooks.ts',
    edits: [
      {
        from: 'const { workflowId } = await within(pass(credentialId, request), ACCEPT_WITHIN_MS, tooLate);',
        to: `const workflowId = 'credential/' + credentialId;
      within(pass(credentialId, request), ACCEPT_WITHIN_MS, tooLate).catch(() => undefined);`,
      },
    ],
    tests: ['test/unit/webhooks.test.ts'],
    only: 'is not answered before Temporal has the signal',
  },
  {
    name: 'resend-is-another-request',
    guarantee: 14,
    does: 'a retry of the same delivery has another request id',
    file: 'src/http/webhook-request.ts',
    edits: [
      { from: 'return `mambu-id/${idempotencyKey}`;', to: 'return `mambu-id/${idempotencyKey}-${performance.now()}`;' },
    ],
    tests: ['test/unit/webhooks.test.ts'],
  },
  {
    name: 'continued-in-the-middle',
    guarantee: 14,
    does: 'the workflow continues as new when one of its lanes is done, while the other has an activity in flight',
    file: credential,
    edits: [
      {
        from: 'await Promise.all([rotationLane(entity), housekeepingLane(entity)]);',
        to: 'await Promise.race([rotationLane(entity), housekeepingLane(entity)]);',
      },
    ],
    tests: [requests],
  },
  {
    name: 'query-after-the-load',
    guarantee: 15,
    does: 'the query is answered only once the record was loaded',
    file: credential,
    edits: [
      {
        from: '  register(entity);\n  CancellationScope',
        to: `  while (!(await entity.load())) await condition(() => false, 15_000);
  register(entity);
  CancellationScope`,
      },
    ],
    tests: [requests],
    only: 'answers the query from its first moment',
  },
  {
    name: 'outage-ends-the-rotation',
    guarantee: 17,
    does: 'a step that fails for the moment ends the rotation instead of being parked',
    file: 'src/workflows/steps.ts',
    edits: [
      {
        from: `        await this.park(attempts, retryAfterMs);
        if (code !== 'KT-CONFLICT') return;`,
        to: `        if (code !== 'KT-CONFLICT') throw new RotationStopped('failed', code, message);`,
      },
    ],
    tests: ['test/workflow/waits.test.ts'],
    only: 'parks the rotation, visibly',
  },
  {
    name: 'late-fire-rotates',
    guarantee: 18,
    does: 'a fire of the Schedule that comes late rotates a key that is newer than it',
    ...decisions,
    edits: [
      {
        from: `if (scheduledMs !== null && scheduledMs < rotatedAtMs) return { do: 'skip', because: 'superseded' };`,
        to: '',
      },
    ],
  },
  {
    name: 'adopt-rotates',
    guarantee: 18,
    does: 'an import that the workflow is told of causes a rotation',
    file: credential,
    edits: [
      {
        from: `    adopt,
    () => {
`,
        to: `    adopt,
    () => {
      accept(entity, { requestId: 'adopt', reason: 'routine', source: 'operator' });
`,
      },
    ],
    tests: [requests],
    only: 'cause no rotation',
  },
  {
    name: 'new-policy-rotates',
    guarantee: 18,
    does: 'a configuration that was applied again causes a rotation',
    file: credential,
    edits: [
      {
        from: `    policyChanged,
    () => {
`,
        to: `    policyChanged,
    () => {
      accept(entity, { requestId: 'policy', reason: 'routine', source: 'operator' });
`,
      },
    ],
    tests: [requests],
    only: 'cause no rotation',
  },
  {
    name: 'real-time-in-the-workflow',
    guarantee: 19,
    does: 'the workflow waits by the machine’s clock, which is another one on replay',
    file: 'src/workflows/entity.ts',
    edits: [{ from: 'const ms = untilMs - Date.now();', to: 'const ms = untilMs - workflowInfo().unsafe.now();' }],
    tests: ['test/replay/replay.test.ts'],
  },
  {
    name: 'steps-in-another-order',
    guarantee: 19,
    does: 'an open rotation is gone on with in another order, without a patch marker',
    file: 'src/workflows/rotation.ts',
    edits: [
      {
        from: `    const { usableAtMs } = await steps.persist();
    await steps.equip();`,
        to: `    await steps.equip();
    await steps.verify();
    const { usableAtMs } = await steps.persist();`,
      },
    ],
    tests: ['test/replay/replay.test.ts'],
    only: 'create-and-delete replays',
  },
];
