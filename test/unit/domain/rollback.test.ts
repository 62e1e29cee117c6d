import { describe, expect, test } from 'vitest';
import type { RetirementFacts, VersionFacts } from '../../../src/domain/record.js';
import { revokeAtMs } from '../../../src/domain/retirement.js';
import { rollBack, rollbackRefusal } from '../../../src/domain/rollback.js';
import {
  after,
  day,
  minute,
  policy,
  previousFacts,
  recordOf,
  retirementOf,
  rotationFacts,
  t0,
  version,
  versionFacts,
  working,
} from './facts.js';

const lost = expect.objectContaining({ kind: 'lost' });
const with1 = (over: Partial<VersionFacts> = {}, retirement: Partial<RetirementFacts> = {}) =>
  recordOf({ versions: [previousFacts(1, over, retirement), versionFacts(2)], highestVersion: 2 });
const back = rotationFacts('rollback/r', { reason: 'rollback', endedAtMs: t0 + minute });

describe('a rollback', () => {
  test('publishes the old value as a new version and puts the current one into grace', () => {
    const record = after(rollBack(with1(), 1, policy, back));
    expect(record.versions.map((v) => [v.version, v.stage, v.keyId])).toEqual([
      [2, 'previous', 'key-2'],
      [3, 'current', 'key-1'],
    ]);
    expect(version(record, 3)).toMatchObject({ publishedAtMs: t0 + minute, verifiedAtMs: t0, retirement: null });
    expect(revokeAtMs(retirementOf(record, 2))).toBe(t0 + minute + policy.refreshWithinMs + policy.graceMs);
    expect(record.history).toMatchObject([{ reason: 'rollback', version: 3 }]);
    expect(record.highestVersion).toBe(3);
  });

  test('leaves every other version as it is, and what the past rotations were', () => {
    const left = with1();
    const others = [previousFacts(5), previousFacts(6, {}, { state: 'revoking' })];
    const earlier = rotationFacts('op-2');
    const record = after(
      rollBack(
        { ...left, versions: [...left.versions, ...others], highestVersion: 6, history: [earlier] },
        1,
        policy,
        back,
      ),
    );
    expect(record.versions.map((v) => [v.version, v.stage])).toEqual([
      [2, 'previous'],
      [5, 'previous'],
      [6, 'previous'],
      [7, 'current'],
    ]);
    expect(record.versions).toEqual(expect.arrayContaining(others));
    expect(record.history.map((h) => h.operationId)).toEqual(['rollback/r', 'op-2']);
  });

  test('to a version that is held is possible, once the provider has restored it', () => {
    expect(version(after(rollBack(with1({}, { state: 'held' }), 1, policy, back)), 3).keyId).toBe('key-1');
  });

  test('twice is done', () => {
    expect(rollBack(after(rollBack(with1(), 1, policy, back)), 1, policy, back)).toEqual({ kind: 'done' });
  });

  test('kills the version it leaves at once when that one has leaked', () => {
    const leaked = recordOf({ versions: [previousFacts(1), versionFacts(2, { leaked: true })], highestVersion: 2 });
    expect(retirementOf(after(rollBack(leaked, 1, policy, back)), 2).killNow).toBe(true);
  });

  test('kills nothing where the version it goes back to was never seen to work', () => {
    const unproven = previousFacts(1, { verifiedAtMs: null });
    const leaked = recordOf({ versions: [unproven, versionFacts(2, { leaked: true })], highestVersion: 2 });
    expect(retirementOf(after(rollBack(leaked, 1, policy, back)), 2).killNow).toBe(false);
  });

  test('loses when the version is gone, current, leaked or being removed, or a rotation is at work', () => {
    expect(rollBack(with1(), 7, policy, back)).toEqual(lost);
    expect(rollBack(with1(), 2, policy, back)).toEqual(lost);
    expect(rollBack(recordOf({ versions: [previousFacts(1)] }), 1, policy, back)).toEqual(lost);
    expect(rollBack(with1({ leaked: true }), 1, policy, back)).toEqual(lost);
    expect(rollBack(with1({}, { state: 'revoking' }), 1, policy, back)).toEqual(lost);
    expect(rollBack(with1({}, { state: 'debt' }), 1, policy, back)).toEqual(lost);
    expect(rollBack(working({}, with1()), 1, policy, back)).toEqual(lost);
  });

  test('makes way for no pending key that was left behind', () => {
    const left = with1();
    const pending = versionFacts(3, { stage: 'pending' });
    const record = after(
      rollBack({ ...left, versions: [...left.versions, pending], highestVersion: 3 }, 1, policy, back),
    );
    expect(record.versions.map((v) => v.version)).toEqual([2, 4]);
    expect(record.debts).toMatchObject([{ kind: 'orphan', keyId: 'key-3' }]);
  });
});

describe('a rollback is refused', () => {
  const refusal = (record = with1(), to = 1, nowMs = t0, providerGrace = false, restorable = false) =>
    rollbackRefusal(record, to, policy, providerGrace, restorable, nowMs);
  const graceMs = policy.refreshWithinMs + policy.graceMs;

  test('never within grace', () => {
    expect(refusal()).toBeNull();
    expect(refusal(with1(), 1, t0 + graceMs - 1)).toBeNull();
    expect(refusal(with1({ expiresAtMs: t0 + graceMs }))).toBeNull();
  });

  test.each([
    ['during a rotation', working({}, with1()), /in progress/],
    ['to the current version', recordOf({ versions: [versionFacts(1)] }), /current already/],
    ['to a version that is gone', recordOf({ versions: [versionFacts(2)] }), /does not exist/],
    ['to a pending version', recordOf({ versions: [versionFacts(1, { stage: 'pending' })] }), /never published/],
    ['to a version that leaked', with1({ leaked: true }), /leaked/],
    ['to a version that is being revoked', with1({}, { state: 'revoking' }), /being revoked/],
    ['to a version in debt', with1({}, { state: 'debt' }), /removed/],
    ['to a version that is held and cannot be restored', with1({}, { state: 'held' }), /held/],
    ['to a version that the provider ends', with1({ providerDiesAtMs: t0 + day }), /provider ends/],
    ['to a version that expires too soon', with1({ expiresAtMs: t0 + graceMs - 1 }), /too soon/],
  ])('%s', (_name, record, why) => {
    expect(refusal(record)).toMatch(why);
  });

  test('when the grace is over: the delete may be under way', () => {
    expect(refusal(with1(), 1, t0 + graceMs)).toMatch(/grace/);
  });

  test('for a strategy whose provider ends old keys', () => {
    expect(refusal(with1(), 1, t0, true)).toMatch(/provider ends/);
  });

  test('not where the provider can restore a held key, unless that expires too soon', () => {
    const held = (over: Partial<VersionFacts> = {}) => with1(over, { state: 'held' });
    expect(refusal(held(), 1, t0 + day, false, true)).toBeNull();
    expect(refusal(held({ expiresAtMs: t0 + day + 1 }), 1, t0 + day, false, true)).toMatch(/too soon/);
    expect(refusal(held({ leaked: true }), 1, t0, false, true)).toMatch(/leaked/);
    expect(refusal(with1(), 1, t0 + graceMs, false, true)).toMatch(/grace/);
    expect(refusal(with1({}, { state: 'revoking' }), 1, t0, false, true)).toMatch(/being revoked/);
  });
});
