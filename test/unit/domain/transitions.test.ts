import { describe, expect, test } from 'vitest';
import { currentOf, pendingOf, type CredentialRecord } from '../../../src/domain/record.js';
import { hasSeen } from '../../../src/domain/seen.js';
import {
  abandonPending,
  addDebt,
  begin,
  close,
  destroy,
  dropPending,
  markLeaked,
  owing,
  patchDebt,
  publish,
  stage,
  stageSecretKey,
} from '../../../src/domain/transitions.js';
import {
  after,
  classD,
  day,
  freshKey,
  identity,
  intentFacts,
  minute,
  operationOf,
  previousFacts,
  recordOf,
  request,
  retirementOf,
  rotationFacts,
  second,
  t0,
  version,
  versionFacts,
  working,
} from './facts.js';

const lost = expect.objectContaining({ kind: 'lost' });
const sealed = (over: Partial<Parameters<typeof working>[0]> = {}, base?: CredentialRecord): CredentialRecord =>
  after(stage({ ...working(over, base), intents: [intentFacts(1)] }, 'op-a', 1, freshKey(2)));
const publishing = { nowMs: t0, verified: true, force: false, rotation: rotationFacts('op-a') };

describe('begin', () => {
  test('opens the operation and starts with no intents', () => {
    const begun = after(begin(recordOf({ intents: [intentFacts(1)] }), operationOf(recordOf())));
    expect(begun).toMatchObject({ operation: { operationId: 'op-a' }, intents: [] });
  });

  test('twice is done', () => {
    const record = working();
    expect(begin(record, operationOf(record))).toEqual({ kind: 'done' });
  });

  test('loses while another operation is at work', () => {
    const record = working();
    expect(begin(record, operationOf(record, { operationId: 'op-b' }))).toEqual(lost);
  });

  test('loses when the version it started from is not current any more', () => {
    const record = recordOf();
    expect(begin(record, operationOf(record, { fromVersion: 7 }))).toEqual(lost);
    expect(begin({ ...record, versions: [] }, operationOf(record))).toEqual(lost);
  });

  test('never opens an operation again that has ended, though its version is still current', () => {
    const record = recordOf({ history: [rotationFacts('op-a', { outcome: 'failed' })] });
    expect(begin(record, operationOf(record))).toEqual(lost);
  });

  test('loses when another rotation has ended since it was decided upon', () => {
    const record = recordOf({ history: [rotationFacts('op-0', { outcome: 'failed' })] });
    expect(begin(record, operationOf(record), null)).toEqual(lost);
    expect(begin(record, operationOf(record), 'op-0')).toMatchObject({ kind: 'next' });
    expect(begin(recordOf(), operationOf(recordOf()), null)).toMatchObject({ kind: 'next' });
  });

  test('takes its own request out of the waiting ones and leaves the others', () => {
    const record = recordOf({ waiting: [request(), request({ requestId: 'r-2' })] });
    expect(after(begin(record, operationOf(record))).waiting.map((w) => w.requestId)).toEqual(['r-2']);
  });
});

describe('stage', () => {
  test('seals the answer as pending, one above the highest version ever, with its intent answered', () => {
    const base = recordOf({ highestVersion: 9 });
    const record = sealed({ refusedAtMs: t0 }, base);
    expect(record).toMatchObject({
      highestVersion: 10,
      operation: { toVersion: 10, refusedAtMs: null },
      intents: [{ n: 1, settled: 'answered' }],
    });
    expect(version(record, 10)).toMatchObject({ stage: 'pending', keyId: 'key-2', publishedAtMs: null, leaked: false });
    expect(currentOf(record)?.version).toBe(1);
  });

  test('of the same key twice is done, of another one loses', () => {
    expect(stage(sealed(), 'op-a', 1, freshKey(2))).toEqual({ kind: 'done' });
    expect(stage(sealed(), 'op-a', 1, freshKey(3))).toEqual(lost);
  });

  test('by a stale operation loses', () => {
    expect(stage(working(), 'op-b', 1, freshKey(2))).toEqual(lost);
    expect(stage(recordOf(), 'op-a', 1, freshKey(2))).toEqual(lost);
    expect(stage({ ...working(), versions: [] }, 'op-a', 1, freshKey(2)), 'nothing is current').toEqual(lost);
  });

  test('is possible while taking back, so that a late answer is found and removed', () => {
    expect(pendingOf(sealed({ compensating: true }))?.keyId).toBe('key-2');
  });
});

describe('a secret key', () => {
  test('is added to the pending version once', () => {
    const intents = [intentFacts(1, { settled: 'unknown' }), intentFacts(2)];
    const record = after(stageSecretKey({ ...sealed(), intents }, 2, 'lost'));
    expect(record.intents).toMatchObject([{ settled: 'unknown' }, { settled: 'answered' }]);
    expect(record.versions.map((v) => v.secretKey)).toEqual(['ok', 'lost']);
    expect(stageSecretKey(record, 2, 'lost')).toEqual({ kind: 'done' });
    expect(stageSecretKey(record, null, 'lost')).toEqual({ kind: 'done' });
    expect(pendingOf(after(stageSecretKey(record, null, 'ok')))?.secretKey).toBe('ok');
  });

  test('settles its own intent even where the version is known to have one', () => {
    const intents = [intentFacts(1, { settled: 'answered' }), intentFacts(2)];
    expect(after(stageSecretKey({ ...sealed(), intents }, 2, 'ok')).intents).toMatchObject([
      { settled: 'answered' },
      { settled: 'answered' },
    ]);
  });

  test('has nowhere to go without a pending version', () => {
    expect(stageSecretKey(recordOf(), 1, 'ok')).toEqual(lost);
  });
});

describe('publish', () => {
  test('moves pending to current and current to previous in one step and ends the operation', () => {
    const record = after(publish(sealed(), 'op-a', publishing));
    expect(record.versions.map((v) => [v.version, v.stage])).toEqual([
      [1, 'previous'],
      [2, 'current'],
    ]);
    expect(version(record, 2)).toMatchObject({ publishedAtMs: t0, verifiedAtMs: t0, retirement: null });
    expect(retirementOf(record, 1)).toMatchObject({ state: 'in-grace', supersededBy: 2, supersededAtMs: t0 });
    expect(record).toMatchObject({ operation: null, intents: [] });
    expect(record.history).toMatchObject([{ operationId: 'op-a', version: 2 }]);
    expect(hasSeen(record.seen, publishing.rotation.requestId, t0)).toBe(true);
  });

  test('twice is done and demotes nothing more', () => {
    const record = after(publish(sealed(), 'op-a', publishing));
    expect(publish(record, 'op-a', publishing)).toEqual({ kind: 'done' });
  });

  test('by a stale operation loses', () => {
    expect(publish(sealed(), 'op-b', publishing)).toEqual(lost);
    expect(publish(recordOf(), 'op-a', publishing)).toEqual(lost);
    expect(publish(working(), 'op-a', publishing)).toEqual(lost);
  });

  test('loses once the rotation is being taken back: the key is about to be deleted', () => {
    expect(publish(sealed({ compensating: true }), 'op-a', publishing)).toEqual(lost);
  });

  test('loses when the version it started from is not current any more', () => {
    expect(publish(sealed({ fromVersion: 7 }), 'op-a', publishing)).toEqual(lost);
  });

  test('never lets an older version follow a newer one', () => {
    const base = recordOf({ highestVersion: 3, versions: [versionFacts(3), versionFacts(2, { stage: 'pending' })] });
    expect(publish(working({}, base), 'op-a', publishing)).toEqual(lost);
  });

  test('does not publish a pending version that leaked, unless the provider leaves no way back', () => {
    const record = markLeaked(sealed(), [2]);
    expect(publish(record, 'op-a', publishing)).toEqual(lost);
    const forced = after(publish(record, 'op-a', { ...publishing, force: true }));
    expect(currentOf(forced)).toMatchObject({ version: 2, leaked: true });
  });

  test('says so when the published key was not seen to work, and kills nothing then', () => {
    const record = after(publish(markLeaked(sealed(), [1]), 'op-a', { ...publishing, verified: false }));
    expect(currentOf(record)?.verifiedAtMs).toBeNull();
    expect(retirementOf(record, 1).killNow).toBe(false);
  });

  test('of a verified key kills every leaked version, also those that were in grace already', () => {
    const base = recordOf({
      versions: [previousFacts(3, { leaked: true }), previousFacts(4), versionFacts(5, { leaked: true })],
      highestVersion: 5,
    });
    const record = after(publish(sealed({}, base), 'op-a', publishing));
    expect(record.versions.map((v) => [v.version, v.retirement?.killNow])).toEqual([
      [3, true],
      [4, false],
      [5, true],
      [6, undefined],
    ]);
  });

  test('leaves the versions that were in grace already as they are', () => {
    const older = previousFacts(1, {}, { state: 'revoking', supersededAtMs: t0 - day });
    const base = recordOf({ versions: [older, versionFacts(2)], highestVersion: 2 });
    expect(version(after(publish(sealed({}, base), 'op-a', publishing)), 1)).toEqual(older);
  });

  test('names its version in the history even when an earlier operation had sealed it', () => {
    const left = { ...sealed(), operation: null, intents: [] };
    const record = working({ operationId: 'op-b' }, left);
    expect(after(publish(record, 'op-b', { ...publishing, rotation: rotationFacts('op-b') })).history).toMatchObject([
      { operationId: 'op-b', version: 2 },
    ]);
  });

  test('raises the lost ability to rotate, with the death of the key, and clears an older alarm', () => {
    const alarmed = {
      ...sealed(),
      capabilityLost: { sinceMs: t0 - day, message: 'x', deadlineMs: null, retryAtMs: null, attempts: 0 },
    };
    expect(after(publish(alarmed, 'op-a', publishing)).capabilityLost).toBeNull();
    const bare = after(stage(working(), 'op-a', 1, { ...freshKey(2), secretKey: 'lost', expiresAtMs: t0 + day }));
    expect(after(publish(bare, 'op-a', publishing)).capabilityLost).toMatchObject({
      sinceMs: t0,
      deadlineMs: t0 + day,
    });
  });

  test('asks for the missing secret key itself where it can, with a key that was seen to work', () => {
    const retryAt = (strategy: typeof classD, verified: boolean): number | null | undefined => {
      const bare = stage(working({ strategy }), 'op-a', 1, { ...freshKey(2), secretKey: 'lost' });
      return after(publish(after(bare), 'op-a', { ...publishing, verified })).capabilityLost?.retryAtMs;
    };
    expect(retryAt(classD, true)).toBe(t0);
    expect(retryAt(classD, false)).toBeNull();
    expect(retryAt({ ...classD, intents: ['rotate', 'create-key'] }, true)).toBeNull();
  });

  test('keeps an old id from being deleted before the last rotation that may have happened is surely over', () => {
    const rotate = (n: number, settled: 'unknown' | 'answered' | 'not-sent', sendBeforeMs: number) =>
      intentFacts(n, { kind: 'rotate', settled, sendBeforeMs });
    const notBefore = (...intents: ReturnType<typeof rotate>[]): number | null => {
      const record = { ...sealed({ strategy: classD }), intents };
      return retirementOf(after(publish(record, 'op-a', publishing)), 1).notBeforeMs;
    };
    const graceAndSkewMs = 30 * minute + 2 * second;
    expect(notBefore(rotate(1, 'answered', t0))).toBeNull();
    expect(notBefore(intentFacts(1, { settled: 'unknown' })), 'a key beside it').toBeNull();
    expect(notBefore(rotate(1, 'unknown', t0))).toBe(t0 + graceAndSkewMs);
    expect(notBefore(rotate(1, 'unknown', t0), rotate(2, 'answered', t0 + 9))).toBe(t0 + 9 + graceAndSkewMs);
    expect(notBefore(rotate(1, 'unknown', t0), rotate(2, 'not-sent', t0 + 9))).toBe(t0 + graceAndSkewMs);
  });
});

describe('close', () => {
  const failed = rotationFacts('op-a', { outcome: 'failed', requestId: 'r-9' });

  test('ends the operation, remembers its request and its outcome', () => {
    const record = after(close({ ...working(), intents: [intentFacts(1)] }, failed, null));
    expect(record).toMatchObject({ operation: null, intents: [], history: [{ operationId: 'op-a' }] });
    expect(hasSeen(record.seen, failed.requestId, t0)).toBe(true);
  });

  test('twice is done', () => {
    expect(close(after(close(working(), failed, null)), failed, null)).toEqual({ kind: 'done' });
  });

  test('records an operation that was refused before it had begun', () => {
    expect(after(close(recordOf(), failed, null)).history).toHaveLength(1);
  });

  test('never ends the operation of another', () => {
    expect(close(working({ operationId: 'op-b' }), failed, null)).toEqual(lost);
    const ended = { ...working({ operationId: 'op-b' }), history: [failed] };
    expect(close(ended, failed, null)).toEqual({ kind: 'done' });
  });

  test('keeps an alarm that is not its own', () => {
    const alarm = { sinceMs: t0, message: 'x', deadlineMs: null, retryAtMs: null, attempts: 0 };
    expect(after(close({ ...working(), capabilityLost: alarm }, failed, null)).capabilityLost).toEqual(alarm);
    expect(after(close(working(), failed, alarm)).capabilityLost).toEqual(alarm);
  });

  test('as rotated turns into rotated-with-debt when the first attempt to kill what leaked fails, nothing else does', () => {
    const history = [rotationFacts('op-b'), rotationFacts('op-a'), rotationFacts('op-c', { outcome: 'failed' })];
    const outcomes = (id: string) => owing(recordOf({ history }), id).history.map((h) => h.outcome);
    expect(outcomes('op-a')).toEqual(['rotated', 'rotated-with-debt', 'failed']);
    expect(outcomes('op-c')).toEqual(['rotated', 'rotated', 'failed']);
  });

  test('keeps 50 rotations, newest first, and the steps of ten', () => {
    const steps = [{ step: 'plan' as const, startedAtMs: t0, endedAtMs: t0, attempts: 1 }];
    let record = recordOf();
    for (let i = 0; i < 60; i++) record = after(close(record, rotationFacts(`op-${i}`, { steps }), null));
    expect(record.history.map((h) => h.operationId)).toEqual(Array.from({ length: 50 }, (_, i) => `op-${59 - i}`));
    expect(record.history.filter((h) => h.steps.length > 0)).toHaveLength(10);
  });
});

describe('a pending version that is given up', () => {
  test('leaves no version behind, and its number is never used again', () => {
    const dropped = dropPending(sealed({ refusedAtMs: t0 }), null);
    expect(dropped).toMatchObject({ highestVersion: 2, operation: { toVersion: null, refusedAtMs: null } });
    expect(pendingOf(dropped)).toBeUndefined();
    expect(after(stage(dropped, 'op-a', 2, freshKey(3))).highestVersion).toBe(3);
  });

  test('that nobody works on any more becomes a debt, so that its key is removed', () => {
    const record = abandonPending({ ...sealed(), operation: null }, t0);
    expect(pendingOf(record)).toBeUndefined();
    expect(record.debts).toMatchObject([{ kind: 'orphan', version: 2, keyId: 'key-2', nextAttemptAtMs: t0 }]);
    expect(abandonPending(record, t0)).toBe(record);
  });

  test('never becomes a debt where its id names a living version too', () => {
    const record = after(stage(working(), 'op-a', 1, { ...freshKey(2), keyId: 'key-1' }));
    expect(abandonPending(record, t0).debts).toEqual([]);
  });
});

describe('destroy', () => {
  const record = recordOf({ versions: [previousFacts(1), versionFacts(2)], highestVersion: 2 });

  test('takes a previous version out and keeps its proof', () => {
    const gone = destroy(record, 1, 'listed', t0);
    expect(gone.versions.map((v) => v.version)).toEqual([2]);
    expect(gone.destroyed).toMatchObject([{ version: 1, fingerprint: 'hmac:1', proof: 'listed', destroyedAtMs: t0 }]);
    expect(destroy(gone, 1, 'listed', t0)).toBe(gone);
  });

  test('never touches the current or a pending version', () => {
    expect(destroy(record, 2, 'elapsed', t0)).toBe(record);
    const pending = sealed();
    expect(destroy(pending, 2, 'elapsed', t0)).toBe(pending);
  });

  test('keeps the last 50', () => {
    let r = record;
    for (let n = 10; n < 70; n++) {
      r = destroy({ ...r, versions: [...r.versions, previousFacts(n)] }, n, 'listed', t0);
    }
    expect(r.destroyed).toHaveLength(50);
    expect(r.destroyed[0]?.version).toBe(69);
  });
});

describe('debts', () => {
  const debt = (kind: 'orphan' | 'suspected-orphan' | 'mirror', attempts = 0) => ({
    kind,
    version: null,
    keyId: 'k',
    sinceMs: t0,
    attempts,
    nextAttemptAtMs: t0,
    lastError: null,
    identity,
  });

  test('are one per key and kind: a repeated one keeps its age and attempts', () => {
    const known = [debt('orphan', 3)];
    expect(addDebt(known, debt('orphan'))).toBe(known);
  });

  test('turn from suspicion to certainty, never back', () => {
    expect(addDebt([debt('suspected-orphan')], debt('orphan'))).toMatchObject([{ kind: 'orphan' }]);
    expect(addDebt([debt('orphan', 3)], debt('suspected-orphan'))).toMatchObject([{ kind: 'orphan', attempts: 3 }]);
  });

  test('of other keys and kinds stay', () => {
    const other = { ...debt('orphan'), keyId: 'other' };
    expect(addDebt([other], debt('orphan'))).toEqual([other, debt('orphan')]);
    expect(addDebt([debt('mirror')], debt('suspected-orphan'))).toHaveLength(2);
    expect(addDebt([debt('suspected-orphan')], debt('mirror'))).toHaveLength(2);
    expect(addDebt([debt('suspected-orphan'), debt('mirror')], debt('orphan')).map((d) => d.kind)).toEqual([
      'mirror',
      'orphan',
    ]);
  });

  test('are changed and paid by key, the others stay', () => {
    const record = recordOf({ debts: [debt('orphan'), { ...debt('orphan'), keyId: 'other' }] });
    expect(patchDebt(record, 'k', { attempts: 7 }).debts.map((d) => d.attempts)).toEqual([7, 0]);
    expect(patchDebt(record, 'k', null).debts.map((d) => d.keyId)).toEqual(['other']);
  });

  test('of a mirror and of an orphan stand side by side', () => {
    expect(addDebt([debt('orphan')], debt('mirror')).map((d) => d.kind)).toEqual(['orphan', 'mirror']);
  });
});
