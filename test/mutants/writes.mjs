// Writes at the provider, and what is done when their answers are lost.
const rotate = 'src/activities/rotate.ts';
const steps = 'test/unit/steps.test.ts';
const recovery = { file: 'src/domain/recovery.ts', tests: ['test/unit/domain/recovery.test.ts'] };
const intents = { file: 'src/domain/intents.ts', tests: ['test/unit/domain/intents.test.ts'] };
const edgeConformance = ['test/conformance/apigee-edge.test.ts'];

export const writes = [
  {
    name: 'intent-after-the-call',
    guarantee: 6,
    does: 'the intent is written when the provider has answered, not before it is called',
    file: rotate,
    edits: [
      {
        from: `  const { opened } = await engine.deps.custody.update(w.credentialId, ({ record, shelf }) => {
    const next = must(intend(record, intent), record);
    return { next: { record: next, shelf: { ...shelf, intents: { ...shelf.intents, [n]: shelved } } }, value: null };
  });
  return { opened, n };`,
        to: `  const after = ({ record, shelf }: Opened): Opened => {
    const next = must(intend(record, intent), record);
    return { record: next, shelf: { ...shelf, intents: { ...shelf.intents, [n]: shelved } } };
  };
  const write = () => engine.deps.custody.update(w.credentialId, (now) => ({ next: after(now), value: null }));
  return Object.assign({ opened: after(w.opened), n }, { write });`,
      },
      {
        from: '() => fence(engine, w.credentialId, intent));',
        to: `'write' in at ? undefined : () => fence(engine, w.credentialId, intent));`,
      },
      {
        from: 'created = await w.provider.create(context, prepared);',
        to: `created = await w.provider.create(context, prepared).finally(() => 'write' in at && (at.write as () => unknown)());`,
      },
    ],
    tests: [steps],
  },
  {
    name: 'create-retried-by-temporal',
    guarantee: 6,
    does: 'Temporal repeats the step that writes',
    file: 'src/workflows/activities.ts',
    edits: [
      {
        from: 'proxyActivities<CredentialActivities>({ ...bounds, summary, retry: { maximumAttempts: 1 } })',
        to: 'proxyActivities<CredentialActivities>({ ...bounds, summary, retry: { maximumAttempts: 3 } })',
      },
    ],
    tests: ['test/workflow/requests.test.ts'],
    only: 'Temporal repeats none',
  },
  {
    name: 'rotation-sent-again',
    guarantee: 6,
    does: 'a rotation in place whose answer was lost is sent again instead of making a key beside it',
    ...recovery,
    edits: [
      {
        from: `return permitted ? { do: 'send', kind: 'create-key' } : giveUp('the answer to the rotation was lost');`,
        to: `return permitted ? { do: 'send', kind: 'rotate' } : giveUp('the answer to the rotation was lost');`,
      },
    ],
  },
  {
    name: 'replay-with-another-key',
    guarantee: 6,
    does: 'the stored bytes are sent again with another idempotency key',
    ...intents,
    edits: [
      {
        from: `      settled: 'open',
      epoch: record.epoch,`,
        to: `      settled: 'open',
      idempotencyKey: \`\${i.idempotencyKey.slice(0, -1)}f\`,
      epoch: record.epoch,`,
      },
    ],
  },
  {
    name: 'find-skipped',
    guarantee: 6,
    does: 'a chosen key whose creation was lost is not looked for: the request is sent again at once',
    ...recovery,
    edits: [{ from: `return { do: 'look', n: last.n };`, to: `return { do: 'replay', n: last.n };` }],
  },
  {
    name: 'find-believes-anything',
    guarantee: 6,
    does: 'a key that the look has found is taken for absent',
    file: rotate,
    edits: [{ from: `if (found !== null && found !== 'taken') {`, to: `if (found === 'x') {` }],
    tests: edgeConformance,
    only: 'recovers a key whose creation was executed: answer-lost',
  },
  {
    name: 'fence-waits-for-nothing',
    guarantee: 8,
    does: 'recovery looks before an attempt that may still be under way can have no effect any more',
    ...recovery,
    edits: [{ from: 'return intent.sendBeforeMs + httpTimeoutMs + skewMs;', to: 'return intent.sendBeforeMs;' }],
  },
  {
    name: 'epoch-not-checked',
    guarantee: 8,
    does: 'an attempt that was given up sends all the same',
    file: rotate,
    edits: [
      {
        from: `if (!opened || now?.settled !== 'open' || opened.record.epoch !== intent.epoch)`,
        to: `if (!opened || now?.settled !== 'open')`,
      },
    ],
    tests: [steps],
  },
  {
    name: 'settled-intent-sent',
    guarantee: 8,
    does: 'an attempt sends whose intent was settled by somebody else',
    file: rotate,
    edits: [
      {
        from: `if (!opened || now?.settled !== 'open' || opened.record.epoch !== intent.epoch)`,
        to: `if (!opened || !now || opened.record.epoch !== intent.epoch)`,
      },
    ],
    tests: [steps],
  },
  {
    name: 'send-before-not-checked',
    guarantee: 8,
    does: 'a worker that has slept through its time sends all the same',
    file: rotate,
    edits: [{ from: 'if (engine.now() >= intent.sendBeforeMs) throw', to: 'if (engine.now() < 0) throw' }],
    tests: [steps],
  },
  {
    name: 'cancellation-not-checked',
    guarantee: 8,
    does: 'a worker that is shutting down begins a write',
    file: rotate,
    edits: [
      {
        from: `if (Context.current().cancellationSignal.aborted) throw refuse('the worker is shutting down');`,
        to: '',
      },
    ],
    tests: [steps],
  },
  {
    name: 'late-answer-written-over',
    guarantee: 8,
    does: 'an answer is written into the record that another attempt has taken over',
    file: 'src/activities/answers.ts',
    edits: [
      {
        from: `const mine = intent?.settled === 'open' && intent.epoch === now.record.epoch && sentAs.epoch === now.record.epoch;`,
        to: `const mine = intent?.settled === 'open' && sentAs.epoch >= 0;`,
      },
    ],
    tests: [steps],
  },
  {
    name: 'late-answer-dropped',
    guarantee: 7,
    does: 'an answer that comes too late is thrown away',
    file: 'src/activities/answers.ts',
    edits: [
      { from: `if (value === 'late') await engine.deps.custody.keepLate(w.credentialId, answer);`, to: 'void value;' },
    ],
    tests: [steps],
  },
  {
    name: 'stale-note-written',
    guarantee: 8,
    does: 'a pause whose write slept until somebody had resumed pauses again',
    file: 'src/activities/note.ts',
    edits: [{ from: 'return batch.n <= noted.n;', to: 'return batch.n < 0;' }],
    tests: ['test/model/regressions.test.ts'],
  },
  {
    name: 'stale-step-writes',
    guarantee: 8,
    does: 'a step that slept until its rotation had ended writes what it has found into the record of the next one',
    file: 'src/activities/engine.ts',
    edits: [{ from: `if (stale?.kind === 'lost') throw`, to: `if (stale?.kind === 'lost' && record.seq < 0) throw` }],
    tests: ['test/unit/steps.test.ts'],
  },
  {
    name: 'stale-step-means-another-key',
    guarantee: 8,
    does: 'a step that slept until its rotation had given up the key and made another one books what it has found for that one',
    file: 'src/activities/engine.ts',
    edits: [{ from: 'making !== undefined && pendingOf', to: 'making !== undefined && record.seq < 0 && pendingOf' }],
    tests: ['test/unit/steps.test.ts'],
  },
  {
    name: 'another-key-given-up',
    guarantee: 8,
    does: 'the step that gives up a refused key gives up whatever key is being made',
    file: 'src/activities/takeBack.ts',
    edits: [
      {
        from: 'isMaking(record, input.operationId, input.version)',
        to: 'isMaking(record, input.operationId, pendingOf(record)?.version ?? 0)',
      },
    ],
    tests: ['test/unit/steps.test.ts'],
  },
  {
    name: 'attempt-counted-for-another-key',
    guarantee: 8,
    does: 'an attempt to get a missing secret key is counted for whatever key is current',
    file: 'src/activities/completeKey.ts',
    edits: [{ from: 'current?.version === version && current?.secretKey', to: 'current?.secretKey' }],
    tests: ['test/unit/steps.test.ts'],
  },
  {
    name: 'stale-attempt-settles',
    guarantee: 8,
    does: 'an attempt that was given up settles the one that has taken over',
    ...intents,
    edits: [
      {
        from: 'if (intent.epoch !== attempt.epoch) return lost(`another attempt at intent ${n} has taken over`);',
        to: '',
      },
    ],
  },
  {
    name: 'life-not-bounded-at-intent',
    guarantee: 2,
    does: 'with the intent to rotate in place nobody learns when the old key dies',
    ...intents,
    edits: [
      {
        from: `return next(intent.kind === 'rotate' ? boundCurrentLife(withIntents, intent.createdAtMs) : withIntents);`,
        to: 'return next(withIntents);',
      },
    ],
  },
  {
    name: 'stranger-deleted-on-suspicion',
    guarantee: 7,
    does: 'of several unknown keys the first is taken for the lost one and deleted',
    ...recovery,
    edits: [
      {
        from: 'const single = lost.length === 1 && unknown.length === 1;',
        to: 'const single = lost.length === 1 && unknown.length >= 1;',
      },
    ],
  },
  {
    name: 'stranger-without-inventory',
    guarantee: 7,
    does: 'a key is deleted as the lost one though nobody has looked what was there before',
    ...recovery,
    edits: [{ from: 'if (inventoried && !open && single', to: 'if (!open && single' }],
  },
  {
    name: 'stranger-ttl-ignored',
    guarantee: 7,
    does: 'a key of another lifetime than was asked for is deleted as the lost one',
    ...recovery,
    edits: [{ from: '&& only && fitsTtl(only, keyTtlMs, first.createdAtMs)', to: '&& only' }],
  },
  {
    name: 'orphan-debt-dropped',
    guarantee: 7,
    does: 'a new key that could not be removed is forgotten',
    file: 'src/activities/takeBack.ts',
    edits: [
      {
        from: `return removed ? dropped : withDebt(dropped, 'orphan', pending.keyId, engine.now());`,
        to: 'return dropped;',
      },
    ],
    tests: [steps],
  },
  {
    name: 'abandoned-key-forgotten',
    guarantee: 7,
    does: 'a pending key that nobody works on any more leaves no debt',
    file: 'src/domain/transitions.ts',
    edits: [
      {
        from: `return dropPending(record, shared ? null : newDebt('orphan', keyId, identity, nowMs, version));`,
        to: 'return dropPending(record, null);',
      },
    ],
    tests: ['test/unit/domain/transitions.test.ts'],
  },
];
