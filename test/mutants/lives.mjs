// Lives of keys: what is published, what is verified, when an old key dies, what never comes back.
const steps = 'test/unit/steps.test.ts';
const story = { file: 'src/workflows/rotation.ts', tests: ['test/unit/domain/rotation.test.ts'] };
const transitions = { file: 'src/domain/transitions.ts', tests: ['test/unit/domain/transitions.test.ts'] };
const retirement = { file: 'src/domain/retirement.ts', tests: ['test/unit/domain/retirement.test.ts'] };
const recovery = { file: 'src/domain/recovery.ts', tests: ['test/unit/domain/recovery.test.ts'] };
const retire = { file: 'src/activities/retire.ts', tests: [steps] };

export const lives = [
  {
    name: 'revoke-before-publish',
    guarantee: 1,
    does: 'the old key is revoked right before the new one is published',
    file: 'src/activities/publish.ts',
    edits: [
      {
        from: 'const force = !canGoBack(w.strategy);',
        to: `const force = !canGoBack(w.strategy);
  const of = (stage: string) => engine.values(w.opened, w.opened.record.versions.find((v) => v.stage === stage)?.version ?? 0);
  await w.provider.retire(await engine.context(w, of('pending'), input.operationId), of('current').keyId, 'destroy');`,
      },
    ],
    tests: ['test/conformance/tiny-plugin.test.ts'],
    only: 'publishes a new key, keeps the old one for its grace',
  },
  {
    name: 'refused-key-published',
    guarantee: 1,
    does: 'a new key that the provider refuses is published',
    ...story,
    edits: [
      { from: `if (verdict !== 'refused') return verdict === 'verified';`, to: `return verdict === 'verified';` },
    ],
  },
  {
    name: 'one-refusal-is-a-verdict',
    guarantee: 1,
    does: 'a key that is listed is taken back after one 401',
    file: 'src/domain/verification.ts',
    edits: [
      {
        from: `if (atMs < lastSafeMs) return { do: 'again', atMs };`,
        to: `if (atMs < lastSafeMs) return { do: 'refused' };`,
      },
    ],
    tests: ['test/unit/domain/verification.test.ts'],
  },
  {
    name: 'grace-from-demotion',
    guarantee: 2,
    does: 'the grace begins at publish, not when every consumer has had time to refresh',
    ...retirement,
    edits: [
      {
        from: 'return Math.max(r.supersededAtMs + r.refreshWithinMs, ...done) + r.graceMs;',
        to: 'return Math.max(r.supersededAtMs, ...done) + r.graceMs;',
      },
    ],
  },
  {
    name: 'ack-shortens-too-far',
    guarantee: 2,
    does: 'once all have acknowledged, the old key dies before publish + refreshWithin + grace',
    ...retirement,
    edits: [
      {
        from: 'return Math.max(r.supersededAtMs + r.refreshWithinMs, ...done) + r.graceMs;',
        to: 'return (done.length > 0 ? Math.max(...done) : r.supersededAtMs + r.refreshWithinMs) + r.graceMs;',
      },
    ],
  },
  {
    name: 'published-at-the-last-moment',
    guarantee: 2,
    does: 'an unverified key is published when the old one dies, which leaves no time to refresh',
    file: 'src/domain/verification.ts',
    edits: [{ from: 'oldDiesAtMs - policy.refreshWithinMs;', to: 'oldDiesAtMs + 0 * policy.refreshWithinMs;' }],
    tests: ['test/unit/domain/verification.test.ts'],
  },
  {
    name: 'consumer-keeps-a-key-too-long',
    guarantee: 2,
    does: 'the consumer library keeps a key beyond refreshWithin while the store is out',
    file: 'src/consumer.ts',
    edits: [
      {
        from: 'if (isOutage && kept && isWithin(kept.readAtMs, refreshWithinMs)) return kept.resolved;',
        to: 'if (isOutage && kept) return kept.resolved;',
      },
    ],
    tests: ['test/unit/consumer.test.ts'],
  },
  {
    name: 'no-read-back',
    guarantee: 3,
    does: 'what the store has of the new key is not compared with what was sealed',
    file: 'src/activities/persist.ts',
    edits: [
      {
        from: 'if (!value || (await engine.deps.custody.fingerprint(value)) !== pending.fingerprint) {',
        to: 'if (!value) {',
      },
    ],
    tests: [steps],
  },
  {
    name: 'unverified-passes-for-verified',
    guarantee: 3,
    does: 'a key that nobody has seen to work is published as verified',
    ...story,
    edits: [
      {
        from: `if (verdict !== 'refused') return verdict === 'verified';`,
        to: `if (verdict !== 'refused') return true;`,
      },
    ],
  },
  {
    name: 'unverified-not-marked',
    guarantee: 3,
    does: 'the record says of a key that was published unverified that it was seen to work',
    ...transitions,
    edits: [
      {
        from: 'verifiedAtMs: input.verified ? (pending.verifiedAtMs ?? input.nowMs) : null,',
        to: 'verifiedAtMs: pending.verifiedAtMs ?? input.nowMs,',
      },
    ],
  },
  {
    name: 'shared-id-is-deleted',
    guarantee: 4,
    does: 'the end of an old key is begun though its id names the new key, too',
    ...retirement,
    edits: [{ from: `by: old.keyId === by.keyId ? 'provider' : 'delete',`, to: `by: 'delete',` }],
  },
  {
    name: 'removal-without-a-fence',
    guarantee: 4,
    does: 'an attempt to end an old key that slept until somebody had rolled back to it ends the current one',
    file: 'src/activities/engine.ts',
    edits: [{ from: 'if (opened && holds(opened.record)) return;', to: 'if (opened) return;' }],
    tests: ['test/model/regressions.test.ts'],
  },
  {
    name: 'living-id-is-deleted',
    guarantee: 4,
    does: 'a key is deleted whose id names a living version, too',
    ...retire,
    edits: [{ from: `if (namesNewer || r.by === 'provider') {`, to: `if (namesNewer && r.by === 'provider') {` }],
  },
  {
    name: 'debt-of-a-living-key',
    guarantee: 4,
    does: 'a debt is paid with the life of a version that is current or in grace',
    ...retire,
    edits: [
      {
        from: 'versions.some((v) => v.keyId === debt.keyId);\n  const fence',
        to: 'versions.length === 0 && debt.keyId === "";\n  const fence',
      },
    ],
  },
  {
    name: 'leak-killed-without-proof',
    guarantee: 4,
    does: 'what leaked dies although nobody has seen its successor work',
    ...transitions,
    tests: ['test/unit/domain/leaks-and-acknowledgements.test.ts'],
    edits: [{ from: 'if ((currentOf(record)?.verifiedAtMs ?? null) === null) return record;', to: '' }],
  },
  {
    name: 'death-not-proven',
    guarantee: 4,
    does: 'a key counts as dead that is still listed',
    ...retire,
    edits: [{ from: `if (!listed || listed.revoked) return 'listed';`, to: `return listed ? 'listed' : 'listed';` }],
  },
  {
    name: 'retired-without-a-clock',
    guarantee: 5,
    does: 'the step that ends a key believes the workflow that it is time',
    ...retire,
    edits: [
      {
        from: 'v.version === input.version && retireDueMs(v, w.config.timing.skewMs) <= engine.now()',
        to: 'v.version === input.version',
      },
    ],
  },
  {
    name: 'retired-as-it-was-read',
    guarantee: 5,
    does: 'an attempt that slept before its first write deletes a key that another one holds, so that it can be rolled back to',
    file: 'src/activities/retire.ts',
    edits: [
      {
        from: 'due(record) ? patchRetirement(record, input.version, revoking) : record',
        to: 'patchRetirement(record, input.version, revoking)',
      },
    ],
    tests: ['test/model/regressions.test.ts'],
  },
  {
    name: 'grace-forgotten',
    guarantee: 5,
    does: 'the old key dies as soon as every consumer has the new one',
    ...retirement,
    edits: [
      {
        from: 'return Math.max(r.supersededAtMs + r.refreshWithinMs, ...done) + r.graceMs;',
        to: 'return Math.max(r.supersededAtMs + r.refreshWithinMs, ...done);',
      },
    ],
  },
  {
    name: 'version-number-reused',
    guarantee: 9,
    does: 'a new version gets a number that was used before',
    ...transitions,
    edits: [
      {
        from: 'const version = record.highestVersion + 1;',
        to: 'const version = Math.max(...record.versions.map((v) => v.version)) + 1;',
      },
    ],
  },
  {
    name: 'leaked-version-rolled-back-to',
    guarantee: 9,
    does: 'an operator may go back to a version that has leaked',
    file: 'src/domain/rollback.ts',
    edits: [
      { from: 'if (target.leaked) return `version ${toVersion} has leaked`;', to: '' },
      { from: ` || target.leaked) {`, to: ') {' },
    ],
    tests: ['test/unit/domain/rollback.test.ts'],
  },
  {
    name: 'leaked-pending-published',
    guarantee: 9,
    does: 'a new key is published that leaked before it was',
    ...transitions,
    edits: [{ from: `if (pending.leaked && !input.force) return lost('the pending version has leaked');`, to: '' }],
  },
  {
    name: 'held-key-not-restored',
    guarantee: 1,
    does: 'a rollback publishes a key that is still suspended at the provider',
    file: 'src/activities/note.ts',
    edits: [
      {
        from: 'await w.provider.restore(context, engine.values(w.opened, input.toVersion).keyId);',
        to: 'void context;',
      },
    ],
    tests: [steps],
  },
  {
    name: 'torn-pair',
    guarantee: 10,
    does: 'a new API key goes with the secret key of the one before',
    file: 'src/activities/answers.ts',
    edits: [
      {
        from: `const secretKey = w.strategy.needsSecretKey ? undefined : old?.['secretKey'];`,
        to: `const secretKey = old?.['secretKey'];`,
      },
    ],
    tests: ['test/model/model.test.ts'],
  },
  {
    name: 'lost-ability-unsaid',
    guarantee: 11,
    does: 'a key is published without the secret key that the next rotation needs, and nobody is told',
    ...transitions,
    edits: [{ from: `promoted.secretKey === 'lost'`, to: `promoted.secretKey === null` }],
  },
  {
    name: 'riddle-taken-for-a-verdict',
    guarantee: 11,
    does: 'a new key is given up because of one answer that nobody can explain, while the old one dies',
    file: 'src/activities/verify.ts',
    edits: [{ from: `if (isProviderFailure(error, 'rejected'))\n      return`, to: 'if (nowMs < 0) return' }],
    tests: ['test/conformance/mambu-rotation.test.ts'],
  },
  {
    name: 'elder-id-taken-for-dead',
    guarantee: 17,
    does: 'a key counts as dead without a call, because an older one still has its id',
    ...retire,
    edits: [
      {
        from: 'v.version > old.version && v.keyId === old.keyId);\n  if (namesNewer',
        to: 'v.version !== old.version && v.keyId === old.keyId);\n  if (namesNewer',
      },
    ],
    tests: ['test/model/regressions.test.ts'],
  },
  {
    name: 'elder-grace-cut',
    guarantee: 5,
    does: 'a key is removed by its id while an older one with that id is in its grace',
    ...retire,
    edits: [{ from: 'return Math.max(0, ...elders', to: 'return Math.min(0, ...elders' }],
    tests: ['test/model/regressions.test.ts'],
  },
  {
    name: 'refused-proof-ends-it',
    guarantee: 11,
    does: 'a rotation in place whose secret key alone is refused asks for an operator, though another key can be made',
    file: 'src/activities/rotate.ts',
    edits: [{ from: `return kind === 'rotate' && isRefused`, to: `return kind === 'create-secret' && isRefused` }],
    tests: ['test/e2e/faults-permissions.test.ts'],
    only: 'a secret key that was replaced by hand',
  },
  {
    name: 'secret-key-not-missed',
    guarantee: 11,
    does: 'a new key counts as complete without the secret key that the next rotation needs',
    ...recovery,
    edits: [{ from: 'if (!s.needsSecretKey || hasSecret)', to: 'if (s.needsSecretKey || hasSecret)' }],
  },
  {
    name: 'scope-comparison-skipped',
    guarantee: 16,
    does: 'a new key counts as verified that may do something else than the old one',
    file: 'src/activities/verify.ts',
    edits: [
      {
        from: 'if (scopeDifference.length > 0 && canGoBack(w.strategy))',
        to: 'if (scopeDifference.length < 0 && canGoBack(w.strategy))',
      },
    ],
    tests: [steps],
  },
  {
    name: 'scope-not-given',
    guarantee: 16,
    does: 'the new key does not get the scope of the old one',
    ...story,
    edits: [
      {
        from: `    await steps.equip();
    await steps.until(usableAtMs);`,
        to: '    await steps.until(usableAtMs);',
      },
    ],
  },
  {
    name: 'unapproved-product-passes',
    guarantee: 16,
    does: 'of Apigee’s products only the names are compared, not what is approved',
    file: 'src/providers/apigee/verify.ts',
    edits: [{ from: '      ...pending,\n', to: '' }],
    tests: ['test/unit/apigee-provider.test.ts'],
  },
  {
    name: 'key-of-another-consumer-passes',
    guarantee: 16,
    does: 'a Mambu key is published that belongs to another API consumer',
    file: 'src/providers/mambu/verify.ts',
    edits: [
      {
        from: `throw new ProviderFailure({ class: 'rejected', code: 'KT-SCOPE-DIFFERS', message });`,
        to: `return { ...proven, lostProof: message };`,
      },
    ],
    tests: ['test/unit/mambu-provider.test.ts'],
  },
  {
    name: 'failed-end-forgotten',
    guarantee: 17,
    does: 'an old key whose end has failed is not tried again',
    ...retire,
    edits: [
      {
        from: `return { state: 'debt', attempts, nextAttemptAtMs: engine.now() + waitMs, lastError: { code, message } };`,
        to: `return { state: 'debt', attempts, nextAttemptAtMs: 0 * waitMs, lastError: { code, message } };`,
      },
    ],
  },
  {
    name: 'debt-dropped-after-failure',
    guarantee: 17,
    does: 'a debt counts as paid when the first attempt has failed',
    ...retire,
    edits: [
      {
        from: 'if (failure === null) return patchDebt(record, debt.keyId, null);',
        to: 'if (failure !== undefined) return patchDebt(record, debt.keyId, null);',
      },
    ],
  },
  {
    name: 'debts-tried-ever-more-rarely',
    guarantee: 17,
    does: 'waits between attempts at a debt grow without bound',
    ...retirement,
    edits: [
      { from: 'return Math.min(600_000, 5_000 * 2 ** Math.min(attempts, 10));', to: 'return 5_000 * 2 ** attempts;' },
    ],
  },
];
