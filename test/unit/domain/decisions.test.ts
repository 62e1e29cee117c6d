import { describe, expect, test } from 'vitest';
import {
  decide,
  leakedVersions,
  parkDelayMs,
  retryDelayMs,
  type Decision,
  type Situation,
} from '../../../src/domain/decisions.js';
import type { CredentialRecord, RecordView } from '../../../src/domain/record.js';
import type { RequestSource, RotationRequest } from '../../../src/domain/request.js';
import { viewOf } from '../../../src/domain/view.js';
import { day, hour, minute, policy, previousFacts, recordOf, request, t0, versionFacts } from './facts.js';

const sources: readonly RequestSource[] = ['schedule', 'webhook', 'operator', 'workflow', 'expiry'];
const view = (over: Partial<CredentialRecord> = {}): RecordView =>
  viewOf(recordOf({ versions: [previousFacts(2), versionFacts(3)], highestVersion: 3, ...over }), null);
const paused = { paused: { sinceMs: t0, by: null, reason: null } };
const rotating = { keyMade: false };
const made = { keyMade: true };
const late = t0 + day;

function decided(r: Partial<RotationRequest>, s: Partial<Situation> = {}): Decision {
  return decide(request(r), { view: view(), policy, active: null, nowMs: late, ...s });
}
const skip = (because: string) => ({ do: 'skip', because });
const rotate = { do: 'rotate' };

describe.each(sources)('a routine request from %s', (source) => {
  const bounded = source === 'schedule' || source === 'webhook' || source === 'workflow';

  test('rotates when nothing stands against it', () => {
    expect(decided({ source })).toEqual(rotate);
    expect(decided({ source }, { view: null })).toEqual(rotate);
  });

  test('joins the rotation in progress, also while paused or out of the config', () => {
    for (const active of [rotating, made]) {
      expect(decided({ source }, { active, view: view(paused), policy: null })).toEqual({ do: 'join' });
    }
  });

  test(`within minInterval is ${bounded ? 'skipped' : 'served'}`, () => {
    expect(decided({ source }, { nowMs: t0 + hour - 1 })).toEqual(bounded ? skip('min-interval') : rotate);
    expect(decided({ source }, { nowMs: t0 + hour })).toEqual(rotate);
  });

  test(`while paused is ${source === 'expiry' ? 'held' : 'skipped'}`, () => {
    expect(decided({ source }, { view: view(paused) })).toEqual(source === 'expiry' ? { do: 'hold' } : skip('paused'));
  });

  test('is skipped when the credential is not in the config', () => {
    expect(decided({ source }, { policy: null })).toEqual(skip('not-in-config'));
  });

  test('is not bounded by an import', () => {
    const imported = recordOf();
    expect(decided({ source }, { view: viewOf(imported, null), nowMs: t0 - day + minute })).toEqual(rotate);
  });

  test('is bounded by a rollback like by a rotation', () => {
    const back = view({ versions: [versionFacts(3, { operationId: 'rollback/r' })] });
    expect(decided({ source }, { view: back, nowMs: t0 + minute })).toEqual(bounded ? skip('min-interval') : rotate);
  });
});

describe('a schedule’s nominal time', () => {
  const scheduled = (nominal: string, over: Partial<RotationRequest> = {}) =>
    decided({ source: 'schedule', requestId: `schedule/core-prod/${nominal}`, ...over });

  test('older than the last rotation is superseded, however late it comes', () => {
    expect(scheduled('2026-11-21T03:59:59Z')).toEqual(skip('superseded'));
    expect(scheduled('2026-11-21T03:59:59.999Z')).toEqual(skip('superseded'));
    expect(scheduled('2026-11-21T04:00:00Z')).toEqual(rotate);
  });

  test('counts for schedules only', () => {
    expect(scheduled('2020-01-01T00:00:00Z', { source: 'webhook' })).toEqual(rotate);
  });

  test('is not read out of ids that only look like dates', () => {
    expect(Date.parse('nightly-2')).not.toBeNaN();
    for (const id of ['nightly-2', '2001', 'no date at all', '', 'nightly-2020-01-01T00:00:00Z'])
      expect(scheduled(id)).toEqual(rotate);
  });

  test('is superseded before it is too early', () => {
    expect(decided({ source: 'schedule', requestId: 'x/2020-01-01T00:00:00Z' }, { nowMs: t0 + minute })).toEqual(
      skip('superseded'),
    );
  });
});

describe.each(sources)('a compromise from %s', (source) => {
  const compromised = (leakedVersion?: number, s: Partial<Situation> = {}) =>
    decided({ source, reason: 'compromise', ...(leakedVersion === undefined ? {} : { leakedVersion }) }, s);

  test('rotates at once, whatever minInterval says', () => {
    expect(compromised(undefined, { nowMs: t0 })).toEqual(rotate);
    expect(compromised(3, { nowMs: t0 })).toEqual(rotate);
    expect(compromised(undefined, { view: null })).toEqual(rotate);
  });

  test('of an old version only kills that one: in grace or dead already, rotating or paused', () => {
    for (const leaked of [1, 2])
      for (const s of [{}, { active: rotating }, { active: made }, { view: view(paused) }])
        expect(compromised(leaked, s)).toEqual({ do: 'kill-old' });
  });

  test('joins a rotation that has not made its key, and waits for one that has', () => {
    expect(compromised(undefined, { active: rotating })).toEqual({ do: 'join' });
    expect(compromised(undefined, { active: made })).toEqual({ do: 'hold' });
    expect(compromised(3, { active: made })).toEqual({ do: 'hold' });
  });

  test('of a pending version is not about an old one', () => {
    const pending = view({ versions: [versionFacts(3), versionFacts(4, { stage: 'pending' })], highestVersion: 4 });
    expect(compromised(4, { view: pending, active: made })).toEqual({ do: 'hold' });
  });

  test('is held while paused', () => {
    expect(compromised(undefined, { view: view(paused) })).toEqual({ do: 'hold' });
  });
});

describe('what counts as leaked', () => {
  const alive = view({ versions: [previousFacts(2), versionFacts(3), versionFacts(4, { stage: 'pending' })] });

  test('is every version alive, the pending one too, unless one is named', () => {
    expect(leakedVersions(request({ reason: 'compromise' }), alive)).toEqual([2, 3, 4]);
    expect(leakedVersions(request({ reason: 'compromise', leakedVersion: 2 }), alive)).toEqual([2]);
  });

  test('is every version alive where the named one never was', () => {
    const two = view({ versions: [previousFacts(2), versionFacts(3)], highestVersion: 3 });
    expect(leakedVersions(request({ reason: 'compromise', leakedVersion: 4 }), two)).toEqual([2, 3]);
    expect(leakedVersions(request({ reason: 'compromise', leakedVersion: 3 }), two)).toEqual([3]);
  });

  test('is nothing for a version that is gone, a routine request or an unknown record', () => {
    expect(leakedVersions(request({ reason: 'compromise', leakedVersion: 1 }), alive)).toEqual([]);
    expect(leakedVersions(request({ leakedVersion: 3 }), alive)).toEqual([]);
    expect(leakedVersions(request({ reason: 'compromise' }), null)).toEqual([]);
  });
});

test('waits grow and are bounded; Retry-After counts', () => {
  expect([1, 2, 3, 50].map(retryDelayMs)).toEqual([minute, 2 * minute, 4 * minute, hour]);
  expect([1, 2, 3, 50].map((n) => parkDelayMs(n, undefined))).toEqual([1_000, 2_000, 4_000, minute]);
  expect(parkDelayMs(1, 5 * minute)).toBe(5 * minute);
});
