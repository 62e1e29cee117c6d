import type { ScheduleDescription } from '@temporalio/client';
import { describe, expect, test } from 'vitest';
import {
  desiredReconcileSchedule,
  desiredSchedule,
  differences,
  type DesiredSchedule,
} from '../../src/schedule-spec.js';

const spec = { cron: '0 4 * * *', timezone: 'Europe/Berlin', jitterMs: 300_000 };
const desired = desiredSchedule('core-prod', spec, 'keyturn');

test('a Schedule starts rotateCredential with the credential, on the task queue, with a day to end', () => {
  expect(desired.action).toEqual({
    type: 'startWorkflow',
    workflowType: 'rotateCredential',
    workflowId: 'rotate/core-prod/scheduled',
    taskQueue: 'keyturn',
    args: [{ credentialId: 'core-prod' }],
    workflowExecutionTimeout: 86_400_000,
    staticSummary: 'scheduled rotation of core-prod',
  });
});

test('a fire during a rotation is skipped, a missed one made up for within a day', () => {
  expect(desired.policies).toEqual({ overlap: 'SKIP', catchupWindow: 86_400_000, pauseOnFailure: false });
});

test('a cron becomes a calendar with time zone and jitter', () => {
  expect(desired.spec).toEqual({
    calendars: [
      {
        second: [{ start: 0, end: 0, step: 1 }],
        minute: [{ start: 0, end: 0, step: 1 }],
        hour: [{ start: 4, end: 4, step: 1 }],
        dayOfMonth: [{ start: 1, end: 31, step: 1 }],
        month: [{ start: 'JANUARY', end: 'DECEMBER', step: 1 }],
        year: [],
        dayOfWeek: [{ start: 'SUNDAY', end: 'SATURDAY', step: 1 }],
        comment: '0 4 * * *',
      },
    ],
    timezone: 'Europe/Berlin',
    jitter: 300_000,
  });
});

test('lists, ranges, steps and names of a cron are all in the calendar', () => {
  const [calendar] = desiredSchedule('x', { ...spec, cron: '*/20 1-3,22 15 jan,feb,12 mon-fri,7' }, 'keyturn').spec
    .calendars;
  expect(calendar).toMatchObject({
    minute: [0, 20, 40].map((minute) => ({ start: minute, end: minute, step: 1 })),
    hour: [
      { start: 1, end: 3, step: 1 },
      { start: 22, end: 22, step: 1 },
    ],
    dayOfMonth: [{ start: 15, end: 15, step: 1 }],
    month: [
      { start: 'JANUARY', end: 'FEBRUARY', step: 1 },
      { start: 'DECEMBER', end: 'DECEMBER', step: 1 },
    ],
    dayOfWeek: [{ start: 'SUNDAY', end: 'FRIDAY', step: 1 }],
  });
});

/** As Temporal describes it: with the parts that were left out, and without those that mean nothing. */
function describedAs({
  spec: made,
  action,
  policies,
}: DesiredSchedule): Pick<ScheduleDescription, 'spec' | 'action' | 'policies'> {
  return {
    spec: { ...made, intervals: [], skip: [] },
    action: { ...action, memo: {} },
    policies,
  };
}

describe('differences', () => {
  const found = describedAs(desired);

  test('there are none between a Schedule and what it was made from', () => {
    expect(differences(found, desired)).toEqual([]);
  });

  test.each([
    ['another hour', { spec: { ...found.spec, calendars: [] } }, ['spec']],
    ['another time zone', { spec: { ...found.spec, timezone: 'UTC' } }, ['spec']],
    ['an interval', { spec: { ...found.spec, intervals: [{ every: 60_000, offset: 0 }] } }, ['spec']],
    ['an end', { spec: { ...found.spec, endAt: new Date(0) } }, ['spec']],
    ['another task queue', { action: { ...found.action, taskQueue: 'other' } }, ['action']],
    ['another argument', { action: { ...found.action, args: [{ credentialId: 'other' }] } }, ['action']],
    ['a shorter time-out', { action: { ...found.action, workflowExecutionTimeout: 1_000 } }, ['action']],
    ['retries', { action: { ...found.action, retry: { maximumAttempts: 3 } } }, ['action']],
    ['another overlap policy', { policies: { ...found.policies, overlap: 'ALLOW_ALL' as const } }, ['policies']],
    ['a longer catch-up', { policies: { ...found.policies, catchupWindow: 31_536_000_000 } }, ['policies']],
  ])('a hand edit is seen: %s', (_, edit, expected) => {
    expect(differences({ ...found, ...edit }, desired)).toEqual(expected);
  });
});

describe('the daily comparison', () => {
  const daily = (id: string) => desiredReconcileSchedule(id, 'keyturn');
  const minuteOfDay = (id: string): number => {
    const [calendar] = daily(id).spec.calendars;
    return (calendar?.hour[0]?.start ?? Number.NaN) * 60 + (calendar?.minute[0]?.start ?? Number.NaN);
  };

  test('is at one minute of every day in UTC, whatever summer time does', () => {
    const { spec: made } = daily('core-prod');
    expect(made.timezone).toBe('UTC');
    expect(made.calendars).toHaveLength(1);
    expect(made.calendars[0]).toMatchObject({
      hour: [{ step: 1 }],
      minute: [{ step: 1 }],
      dayOfMonth: [{ start: 1, end: 31 }],
      month: [{ start: 'JANUARY', end: 'DECEMBER' }],
      dayOfWeek: [{ start: 'SUNDAY', end: 'SATURDAY' }],
    });
    expect(daily('core-prod')).toEqual(daily('core-prod'));
  });

  test('is spread over the day, by the id', () => {
    const minutes = Array.from({ length: 240 }, (_, n) => minuteOfDay(`core-${n}`));
    for (let hour = 0; hour < 24; hour++) expect(minutes.some((m) => Math.floor(m / 60) === hour)).toBe(true);
  });

  test('starts reconcileCredential, never two at once, and makes up for an hour only', () => {
    expect(daily('core-prod')).toMatchObject({
      action: { workflowType: 'reconcileCredential', args: [{ credentialId: 'core-prod' }], taskQueue: 'keyturn' },
      policies: { overlap: 'SKIP', catchupWindow: 3_600_000, pauseOnFailure: false },
    });
  });
});
