// Custody and stores: what is sealed, who may write, what is counted.
const gcm = { file: 'src/custody/gcm.ts', tests: ['test/unit/sealing.test.ts'] };
const sealing = { file: 'src/custody/sealing.ts', tests: ['test/unit/sealing.test.ts'] };
const objects = { file: 'src/custody/objects.ts', tests: ['test/unit/custody.test.ts'] };
const account = { file: 'src/custody/lockout-account.ts', tests: ['test/unit/lockout.test.ts'] };

export const custody = [
  {
    name: 'no-aad',
    guarantee: 12,
    does: 'sealed objects are not bound to what they are: they can be moved',
    ...gcm,
    edits: [
      { from: '{ authTagLength: TAG_BYTES }).setAAD(Buffer.from(aad));', to: '{ authTagLength: TAG_BYTES });' },
      { from: '    .setAAD(Buffer.from(aad))\n', to: '' },
    ],
  },
  {
    name: 'sequence-not-bound',
    guarantee: 8,
    does: 'a sealed object opens with another sequence number than it was sealed with',
    ...sealing,
    edits: [{ from: 'label.name, label.seq, kid]', to: 'label.name, kid]' }],
  },
  {
    name: 'place-not-compared',
    guarantee: 12,
    does: 'an object opens under another name than it was sealed for',
    ...sealing,
    edits: [
      {
        from: 'if (purpose !== expected.purpose || name !== expected.name) {',
        to: 'if (purpose !== expected.purpose) {',
      },
    ],
  },
  {
    name: 'fingerprint-unkeyed',
    guarantee: 12,
    does: 'a fingerprint is a plain hash, by which a value can be guessed',
    file: 'src/custody/open.ts',
    edits: [
      { from: `import { createHmac } from 'node:crypto';`, to: `import { createHash } from 'node:crypto';` },
      {
        from: `createHmac('sha256', fingerprintKey).update(value.reveal())`,
        to: `createHash('sha256').update(fingerprintKey.type).update(value.reveal())`,
      },
    ],
    tests: ['test/unit/custody.test.ts'],
  },
  {
    name: 'one-time-key-reused',
    guarantee: 12,
    does: 'the key of every intent is the same',
    file: 'src/activities/rotate.ts',
    edits: [
      {
        from: `new Secret(randomBytes(32).toString('base64'))`,
        to: `new Secret(randomBytes(32).fill(7).toString('base64'))`,
      },
    ],
    tests: ['test/unit/steps.test.ts'],
  },
  {
    name: 'answer-opens-for-another',
    guarantee: 12,
    does: 'an answer that was sealed in memory opens for any credential',
    file: 'src/custody/answer.ts',
    edits: [
      {
        from: `JSON.stringify(['keyturn-answer/1', credentialId])`,
        to: `JSON.stringify(['keyturn-answer/1', typeof credentialId])`,
      },
    ],
    tests: ['test/unit/custody.test.ts'],
  },
  {
    name: 'key-id-in-clear',
    guarantee: 12,
    does: 'where the id of a key is the secret itself, results show it',
    file: 'src/activities/engine.ts',
    edits: [
      {
        from: 'return isSecret ? this.deps.custody.fingerprint(new Secret(keyId)) : keyId;',
        to: 'return isSecret ? keyId : keyId;',
      },
    ],
    tests: ['test/conformance/apigee-edge.test.ts'],
    only: 'publishes a new key, keeps the old one for its grace',
  },
  {
    name: 'values-in-the-facts',
    guarantee: 12,
    does: 'the values of versions that are gone stay in the store',
    file: 'src/custody/record-bytes.ts',
    edits: [
      {
        from: 'const shelf = pruned(opened, before);',
        to: 'const shelf = { ...pruned(opened, before), versions: opened.shelf.versions };',
      },
    ],
    tests: ['test/unit/custody.test.ts'],
  },
  {
    name: 'log-not-scrubbed',
    guarantee: 12,
    does: 'a value that slips into a log line stays there',
    file: 'src/custody/scrub.ts',
    edits: [{ from: 'if (value.length < MIN_LENGTH) return;', to: 'if (value.length >= 0) return;' }],
    tests: ['test/unit/scrub.test.ts'],
  },
  {
    name: 'link-replaced-by-rename',
    guarantee: 8,
    does: 'of two writers that race in the file store both win',
    file: 'src/stores/durable.ts',
    edits: [{ from: '    await link(from, to);\n', to: '    await rename(from, to);\n' }],
    tests: ['test/unit/file-store.test.ts'],
  },
  {
    name: 'etag-not-compared',
    guarantee: 8,
    does: 'the file store writes whatever was written meanwhile',
    file: 'src/stores/file.ts',
    edits: [
      {
        from: 'if (etag !== expected) throw conflict(name);',
        to: 'if (etag === expected && false) throw conflict(name);',
      },
    ],
    tests: ['test/unit/file-store.test.ts'],
  },
  {
    name: 'pruned-slot-believed',
    guarantee: 8,
    does: 'a writer that has slept believes in a write that nobody will ever read',
    file: 'src/stores/file.ts',
    edits: [{ from: 'if (newest(sequence) >= seq + KEPT) {', to: 'if (newest(sequence) < 0) {' }],
    tests: ['test/unit/file-store-faults.test.ts'],
  },
  {
    name: 'unsynced-link',
    guarantee: 10,
    does: 'a write counts as done before the folder is on the disk',
    file: 'src/stores/durable.ts',
    edits: [
      { from: `    await syncFolder(dirname(targetPath));\n    return 'published';`, to: `    return 'published';` },
    ],
    tests: ['test/unit/file-store-faults.test.ts'],
  },
  {
    name: 'unknown-write-taken-for-done',
    guarantee: 8,
    does: 'a write whose outcome is not known counts as done',
    ...objects,
    edits: [
      { from: 'if (now && now.etag !== expected) return false;\n    throw asKeyturnError(error);', to: 'return true;' },
    ],
  },
  {
    name: 'overtaken-write-not-decided-anew',
    guarantee: 8,
    does: 'a writer that has lost a race is told that it has won',
    ...objects,
    edits: [
      { from: `if (error.kind === 'conflict') return false;`, to: `if (error.kind === 'conflict') return true;` },
    ],
  },
  {
    name: 'foreign-store-accepted',
    guarantee: 8,
    does: 'a worker goes on with the store of another installation',
    file: 'src/activities/engine.ts',
    edits: [
      {
        from: 'if (input.installationId !== null && input.installationId !== installationId) {',
        to: 'if (input.installationId !== null && installationId === null) {',
      },
    ],
    tests: ['test/unit/steps.test.ts'],
  },
  {
    name: 'older-store-accepted',
    guarantee: 8,
    does: 'a worker goes on with an older copy of the record than the workflow has seen',
    file: 'src/activities/engine.ts',
    edits: [{ from: 'if (seq < input.seq) {', to: 'if (seq < 0 * input.seq) {' }],
    tests: ['test/unit/steps.test.ts'],
  },
  {
    name: 'publish-not-compared',
    guarantee: 8,
    does: 'a rotation publishes on top of a version that it did not start from',
    file: 'src/domain/transitions.ts',
    edits: [
      {
        from: 'if (current.version !== operation.fromVersion || pending.version < current.version)',
        to: 'if (pending.version < current.version)',
      },
    ],
    tests: ['test/unit/domain/transitions.test.ts'],
  },
  {
    name: 'two-operations-at-once',
    guarantee: 8,
    does: 'a rotation begins while another one is at work',
    file: 'src/domain/transitions.ts',
    edits: [
      {
        from: '  if (record.operation !== null) return lost(`operation ${record.operation.operationId} is at work`);\n  if (after',
        to: '  if (after',
      },
    ],
    tests: ['test/unit/domain/transitions.test.ts'],
  },
  {
    name: 'budget-not-reserved',
    guarantee: 13,
    does: 'a call with a key that was never accepted reserves no strike',
    ...account,
    edits: [
      {
        from: 'return { admitted: true, account: { ...account, reservations: [...account.reservations, wanted] } };',
        to: 'return { admitted: true, account };',
      },
    ],
  },
  {
    name: 'refused-key-called-again',
    guarantee: 13,
    does: 'a key that was refused is used again',
    ...account,
    edits: [
      {
        from: `if (account.refused.includes(wanted.fingerprint)) return { admitted: false, because: 'refused-before' };`,
        to: '',
      },
    ],
  },
  {
    name: 'strike-not-booked',
    guarantee: 13,
    does: 'a 401 is not counted',
    ...account,
    edits: [{ from: 'used: account.used + 1,', to: 'used: account.used,' }],
  },
  {
    name: 'late-refusal-shuts-out',
    guarantee: 13,
    does: 'a refusal that a process books after a long sleep shuts out a key that has worked since',
    file: 'src/custody/lockout-account.ts',
    edits: [
      { from: 'refused: isLate ? account.refused :', to: 'refused: isLate && account.used < 0 ? account.refused :' },
    ],
    tests: ['test/unit/lockout-account.test.ts', 'test/model/regressions.test.ts'],
  },
  {
    name: 'budget-not-asked',
    guarantee: 13,
    does: 'calls are made without asking the budget',
    file: 'src/providers/guard.ts',
    edits: [{ from: 'if (fingerprint !== null) await guard.lockout.admit(scope, fingerprint, operationId);', to: '' }],
    tests: ['test/unit/steps.test.ts'],
  },
];
