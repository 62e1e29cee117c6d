import { describe, expect, test } from 'vitest';
import { firstRecord, importReplacement } from '../../../src/domain/imports.js';
import { currentOf, pendingOf } from '../../../src/domain/record.js';
import { revokeAtMs } from '../../../src/domain/retirement.js';
import {
  after,
  day,
  hour,
  importedKey,
  policy,
  previousFacts,
  recordOf,
  retirementOf,
  t0,
  versionFacts,
  working,
} from './facts.js';

const lost = expect.objectContaining({ kind: 'lost' });
const key = importedKey(2, { nowMs: t0 });
const revokeOld = { policy };

test('a first import is version 1, current, and nobody has seen it work', () => {
  const record = firstRecord('core-prod', 'installation-1', importedKey(1));
  expect(record).toMatchObject({ seq: 1, highestVersion: 1, operation: null });
  const none = { intents: [], debts: [], acknowledged: [], waiting: [], seen: [], history: [], destroyed: [] };
  expect(record).toMatchObject({ ...none, paused: null, capabilityLost: null, lostProofs: null });
  expect(currentOf(record)).toMatchObject({ version: 1, operationId: 'import/1', verifiedAtMs: null });
});

describe('a replacement', () => {
  test('is refused while a rotation is in progress', () => {
    expect(importReplacement(working(), key, null)).toEqual(lost);
  });

  test('forgets the old key on the operator’s word and clears the alarms', () => {
    const alarmed = recordOf({
      capabilityLost: { sinceMs: t0, message: 'x', deadlineMs: null, retryAtMs: null, attempts: 0 },
      lostProofs: { sinceMs: t0, message: 'x' },
    });
    const record = after(importReplacement(alarmed, key, null));
    expect(record.versions.map((v) => [v.version, v.stage])).toEqual([[2, 'current']]);
    expect(record.destroyed).toMatchObject([{ version: 1, proof: 'operator', destroyedAtMs: t0 }]);
    expect(record).toMatchObject({ highestVersion: 2, capabilityLost: null, lostProofs: null });
  });

  test('retires the old key with grace when asked to', () => {
    const record = after(importReplacement(recordOf(), key, revokeOld));
    expect(revokeAtMs(retirementOf(record, 1))).toBe(t0 + policy.refreshWithinMs + policy.graceMs);
    expect(record.destroyed).toEqual([]);
  });

  test('kills an old key that has leaked', () => {
    const leaked = recordOf({ versions: [versionFacts(1, { leaked: true })] });
    expect(retirementOf(after(importReplacement(leaked, key, revokeOld)), 1).killNow).toBe(true);
  });

  test('takes a number above all that were ever used and leaves other old versions in grace', () => {
    const base = recordOf({ versions: [previousFacts(1), versionFacts(2)], highestVersion: 7 });
    const record = after(importReplacement(base, importedKey(9), revokeOld));
    expect(record.versions.map((v) => [v.version, v.stage])).toEqual([
      [1, 'previous'],
      [2, 'previous'],
      [8, 'current'],
    ]);
    expect(retirementOf(record, 1)).toEqual(retirementOf(base, 1));
  });

  test('is remembered for the last 50 forgotten keys only', () => {
    let record = recordOf();
    for (let n = 2; n < 70; n++) record = after(importReplacement(record, importedKey(n), null));
    expect(record.destroyed).toHaveLength(50);
    expect(record.destroyed[0]?.version).toBe(68);
  });
});

describe('the same key with a new secret key', () => {
  const life = {
    createdAtMs: t0 - day,
    verifiedAtMs: t0 - hour,
    expiresAtMs: t0 + day,
    lifetime: { atMs: t0 - hour, ttlMs: day },
    providerDiesAtMs: t0 + hour,
    leaked: true,
  };

  test('retires nothing and keeps the life, the proofs and the leak of the key', () => {
    const base = recordOf({ versions: [versionFacts(1, { ...life, secretKey: 'lost' })] });
    const record = after(importReplacement(base, importedKey(1, { nowMs: t0 }), revokeOld));
    expect(record.versions).toHaveLength(1);
    expect(record.destroyed).toEqual([]);
    expect(currentOf(record)).toMatchObject({ version: 2, secretKey: 'ok', publishedAtMs: t0, ...life });
  });
});

describe('a key that keyturn knows', () => {
  const base = recordOf({ versions: [previousFacts(1), versionFacts(2)], highestVersion: 2 });
  const old = importedKey(1, { nowMs: t0 });

  test('comes back from grace as a new version, and is not deleted later', () => {
    const held = { ...base, versions: [previousFacts(1, {}, { state: 'held' }), versionFacts(2)] };
    for (const before of [base, held]) {
      const record = after(importReplacement(before, old, revokeOld));
      expect(record.versions.map((v) => [v.version, v.stage, v.keyId])).toEqual([
        [2, 'previous', 'key-2'],
        [3, 'current', 'key-1'],
      ]);
    }
  });

  test('never comes back once it leaked, is being removed or was removed', () => {
    const leaked = { ...base, versions: [previousFacts(1, { leaked: true }), versionFacts(2)] };
    expect(importReplacement(leaked, old, null)).toEqual(lost);
    for (const state of ['revoking', 'debt'] as const) {
      const dying = { ...base, versions: [previousFacts(1, {}, { state }), versionFacts(2)] };
      expect(importReplacement(dying, old, null)).toEqual(lost);
    }
    for (const proof of ['listed', 'elapsed'] as const) {
      const dead = recordOf({
        destroyed: [{ version: 0, keyId: 'key-2', fingerprint: 'hmac:2', destroyedAtMs: t0, proof }],
      });
      expect(importReplacement(dead, key, null)).toEqual(lost);
      expect(importReplacement(dead, importedKey(3), null), 'another key').toMatchObject({ kind: 'next' });
    }
  });

  test('comes back when it was only forgotten', () => {
    const forgotten = after(importReplacement(recordOf(), key, null));
    expect(importReplacement(forgotten, old, null)).toMatchObject({ kind: 'next' });
  });
});

describe('a pending key that nobody works on any more', () => {
  const left = recordOf({
    versions: [versionFacts(1), versionFacts(2, { stage: 'pending', publishedAtMs: null })],
    highestVersion: 2,
  });

  test('makes way as a debt, so that no later rotation publishes it after a newer one', () => {
    const record = after(importReplacement(left, importedKey(9, { nowMs: t0 }), null));
    expect(pendingOf(record)).toBeUndefined();
    expect(record.debts).toMatchObject([{ kind: 'orphan', keyId: 'key-2', nextAttemptAtMs: t0 }]);
  });

  test('is no debt when it is the one imported', () => {
    const record = after(importReplacement(left, importedKey(2, { nowMs: t0 }), null));
    expect(record.versions.map((v) => [v.version, v.stage, v.keyId])).toEqual([[3, 'current', 'key-2']]);
    expect(record.debts).toEqual([]);
  });
});
