// Calls that callers ask for, and runs of Arazzo documents.
const path = { file: 'src/domain/requestPath.ts', tests: ['test/unit/domain/request-path.test.ts'] };
const flow = { file: 'src/workflows/arazzo.ts', tests: ['test/unit/arazzo/flow.test.ts'] };
const sending = { file: 'src/activities/arazzo-send.ts', tests: ['test/unit/arazzo/send.test.ts'] };

export const runs = [
  {
    name: 'key-to-another-tenant',
    guarantee: 21,
    does: 'a call is made with a key of another account than keyturn.yaml names by now',
    file: 'src/activities/requests.ts',
    edits: [
      {
        from: "if (elsewhere !== null) throw new KeyturnError('KT-REPOINTED', `nothing was sent: ${elsewhere}`);",
        to: '',
      },
    ],
    tests: ['test/unit/steps.test.ts'],
  },
  {
    name: 'rotation-at-another-tenant',
    guarantee: 21,
    does: 'a rotation begins with a key of another account than keyturn.yaml names by now',
    file: 'src/activities/plan.ts',
    edits: [{ from: "if (elsewhere !== null) throw stop('failed', 'KT-REPOINTED', elsewhere);", to: '' }],
    tests: ['test/unit/steps.test.ts'],
  },
  {
    name: 'path-to-another-host',
    guarantee: 21,
    does: 'makeApiRequest takes a path that leads the key to another host',
    ...path,
    edits: [{ from: `if (plain.includes('//')) return 'must not hold //';`, to: '' }],
  },
  {
    name: 'path-with-encoded-dots',
    guarantee: 21,
    does: 'makeApiRequest takes a path that some servers read as another one',
    ...path,
    edits: [{ from: '/%(25)*(2f|5c|2e|', to: '/%(25)*(2f|5c|' }],
  },
  {
    name: 'path-upwards',
    guarantee: 21,
    does: 'makeApiRequest takes a path that leaves the base URL',
    ...path,
    edits: [{ from: `if (names.includes('..') || names.includes('.'))`, to: `if (names.includes('.'))` }],
  },
  {
    name: 'write-without-a-rule',
    guarantee: 21,
    does: 'makeApiRequest writes where keyturn.yaml does not allow it',
    file: 'src/activities/requests.ts',
    edits: [{ from: `if (method === 'GET' || method === 'HEAD' || w.config`, to: `if (method !== '' || w.config` }],
    tests: ['test/unit/steps.test.ts'],
  },
  {
    name: 'arazzo-goes-on-after-a-failure',
    guarantee: 20,
    does: 'a run goes on with the next step after one that has failed',
    ...flow,
    edits: [
      {
        from: `        return { outcome: 'failed', error };\n      case 'end':`,
        to: `        at += 1;\n        break;\n      case 'end':`,
      },
    ],
  },
  {
    name: 'arazzo-dependency-ignored',
    guarantee: 20,
    does: 'a workflow is begun although one that it depends on has failed',
    ...flow,
    edits: [
      { from: `if (end.outcome !== 'completed') return { outcome: 'failed', error: end.error };`, to: 'void end;' },
    ],
  },
  {
    name: 'arazzo-unknown-write-repeated',
    guarantee: 20,
    does: 'a write whose answer was lost is sent again without anybody having said so',
    file: 'src/workflows/arazzoRun.ts',
    edits: [
      {
        from: `      const decision = await this.#askOperator(frame, step, end);`,
        to: `      const decision = this.#steps.length < 3 ? 'retry' : await this.#askOperator(frame, step, end);`,
      },
    ],
    tests: ['test/workflow/arazzo.test.ts'],
  },
  {
    name: 'arazzo-write-retried-by-temporal',
    guarantee: 20,
    does: 'a write whose worker was lost is sent again by Temporal',
    file: 'src/workflows/activities.ts',
    edits: [
      {
        from: 'proxyActivities<ArazzoActivities>({ ...runBounds, summary, retry: { maximumAttempts: 1 } })',
        to: 'proxyActivities<ArazzoActivities>({ ...runBounds, summary, retry: { maximumAttempts: 3 } })',
      },
    ],
    tests: ['test/workflow/arazzo.test.ts'],
  },
  {
    name: 'arazzo-unknown-taken-for-failure',
    guarantee: 20,
    does: 'a write that was perhaps executed counts as one that was not',
    ...sending,
    edits: [
      { from: `const isUnknown = error.class === 'unknown';`, to: `const isUnknown = error.class === 'outage';` },
    ],
  },
  {
    name: 'arazzo-sent-too-late',
    guarantee: 20,
    does: 'a step that the workflow has given up sends its write',
    ...sending,
    edits: [
      {
        from: `if (effect === 'write' && runs.engine.now() > startedAtMs + SEND_WITHIN_MS)`,
        to: `if (effect === 'write' && startedAtMs < 0)`,
      },
    ],
  },
  {
    name: 'arazzo-credential-elsewhere',
    guarantee: 21,
    does: 'a request leaves the base URL that its credential belongs to',
    ...sending,
    edits: [{ from: 'if (!staysWithin(base, call.url))', to: 'if (!URL.canParse(call.url))' }],
  },
  {
    name: 'arazzo-secret-output-unsealed',
    guarantee: 20,
    does: 'an output that is secret stands in the history in clear',
    file: 'src/activities/arazzo-run.ts',
    edits: [
      {
        from: 'closed.push([name, isToSeal ? await this.vault.seal(workflowIdOfThis(), value) : value]);',
        to: 'closed.push([name, isToSeal ? value : value]);',
      },
    ],
    tests: ['test/unit/arazzo-vault.test.ts'],
  },
  {
    name: 'arazzo-value-of-another-run',
    guarantee: 20,
    does: 'a sealed value opens in another run than the one it was sealed for',
    file: 'src/custody/arazzo-values.ts',
    edits: [{ from: 'name: workflowId,\n    seq: 1,', to: `name: workflowId.slice(0, 6),\n    seq: 1,` }],
    tests: ['test/unit/arazzo-vault.test.ts'],
  },
];
