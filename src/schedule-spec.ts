/** What the Schedules of a credential have to be, and where one that Temporal describes differs from it. Pure. */
import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type {
  CalendarSpecDescription,
  DayOfWeek,
  Month,
  ScheduleDescription,
  ScheduleSpecDescription,
} from '@temporalio/client';
import type { ScheduleSpec } from './config.js';
import { workflowNames } from './contract.js';
import { parseCron } from './domain/cron.js';

const DAY_MS = 86_400_000;

const months = [
  'JANUARY',
  'FEBRUARY',
  'MARCH',
  'APRIL',
  'MAY',
  'JUNE',
  'JULY',
  'AUGUST',
  'SEPTEMBER',
  'OCTOBER',
  'NOVEMBER',
  'DECEMBER',
] as const satisfies readonly Month[];
const daysOfWeek = [
  'SUNDAY',
  'MONDAY',
  'TUESDAY',
  'WEDNESDAY',
  'THURSDAY',
  'FRIDAY',
  'SATURDAY',
] as const satisfies readonly DayOfWeek[];

/** Durations are milliseconds. */
export interface DesiredSchedule {
  readonly spec: { readonly calendars: CalendarSpecDescription[]; readonly timezone: string; readonly jitter: number };
  readonly action: {
    readonly type: 'startWorkflow';
    readonly workflowType: string;
    readonly workflowId: string;
    readonly taskQueue: string;
    readonly args: [{ readonly credentialId: string }];
    readonly workflowExecutionTimeout: number;
    readonly staticSummary: string;
  };
  readonly policies: { readonly overlap: 'SKIP'; readonly catchupWindow: number; readonly pauseOnFailure: boolean };
}

/**
 * A missed fire is made up for within a day (Temporal's default is a year); a fire during a rotation is skipped. The workflow has 24 h:
 * its own time-out, an hour, is what ends it.
 */
export function desiredSchedule(credentialId: string, schedule: ScheduleSpec, taskQueue: string): DesiredSchedule {
  return {
    spec: { calendars: [calendarOf(schedule.cron)], timezone: schedule.timezone, jitter: schedule.jitterMs },
    action: {
      type: 'startWorkflow',
      workflowType: workflowNames.rotateCredential,
      // Temporal appends the nominal time of each fire.
      workflowId: `rotate/${credentialId}/scheduled`,
      taskQueue,
      args: [{ credentialId }],
      workflowExecutionTimeout: DAY_MS,
      staticSummary: `scheduled rotation of ${credentialId}`,
    },
    policies: { overlap: 'SKIP', catchupWindow: DAY_MS, pauseOnFailure: false },
  };
}

/** Around its minute of the day, so that many credentials with one id pattern do not ask at once. */
const RECONCILE_JITTER_MS = 10 * 60_000;
const HOUR_MS = 3_600_000;

/**
 * Once a day, at a minute of the day that the credential's id decides, in UTC: spread over the day, 24 hours apart, whatever summer time does.
 * A missed one is made up for within an hour, else the next day's tells as much.
 */
export function desiredReconcileSchedule(credentialId: string, taskQueue: string): DesiredSchedule {
  const minuteOfDay = createHash('sha256').update(credentialId).digest().readUInt32BE() % 1_440;
  const cron = `${minuteOfDay % 60} ${Math.floor(minuteOfDay / 60)} * * *`;
  return {
    spec: { calendars: [calendarOf(cron)], timezone: 'UTC', jitter: RECONCILE_JITTER_MS },
    action: {
      type: 'startWorkflow',
      workflowType: workflowNames.reconcileCredential,
      workflowId: `reconcile/${credentialId}/scheduled`,
      taskQueue,
      args: [{ credentialId }],
      workflowExecutionTimeout: HOUR_MS,
      staticSummary: `daily comparison of ${credentialId}`,
    },
    policies: { overlap: 'SKIP', catchupWindow: HOUR_MS, pauseOnFailure: false },
  };
}

export type SchedulePart = 'spec' | 'action' | 'policies';

/** What a changed keyturn.yaml or a hand edit has made different. */
export function differences(
  found: Pick<ScheduleDescription, SchedulePart>,
  desired: DesiredSchedule,
): readonly SchedulePart[] {
  const isSame: Record<SchedulePart, boolean> = {
    spec: isDeepStrictEqual(comparableSpec(found.spec), comparableSpec(desired.spec)),
    action: isDeepStrictEqual(comparableAction(found.action), comparableAction(desired.action)),
    policies: isDeepStrictEqual(found.policies, desired.policies),
  };
  return (['spec', 'action', 'policies'] as const).filter((part) => !isSame[part]);
}

function comparableSpec(spec: ScheduleSpecDescription): object {
  return {
    calendars: (spec.calendars ?? []).map((calendar) => ({ ...calendar, comment: '' })),
    timezone: spec.timezone ?? '',
    jitter: spec.jitter ?? 0,
    intervals: spec.intervals ?? [],
    skip: spec.skip ?? [],
    startAt: spec.startAt ?? null,
    endAt: spec.endAt ?? null,
  };
}

function comparableAction(action: DesiredSchedule['action'] | ScheduleDescription['action']): object {
  const { workflowType, workflowId, taskQueue, args, staticSummary, workflowExecutionTimeout } = action;
  const runTimeout = 'workflowRunTimeout' in action ? (action.workflowRunTimeout ?? 0) : 0;
  const retry = 'retry' in action ? (action.retry ?? null) : null;
  return { workflowType, workflowId, taskQueue, args, staticSummary, workflowExecutionTimeout, runTimeout, retry };
}

/** The cron as Temporal's own calendar; `parseCron` reads it by the rules that Temporal reads cron by. */
function calendarOf(cron: string): CalendarSpecDescription {
  const { times, daysOfMonth, months: monthNumbers, daysOfWeek: dayNumbers } = parseCron(cron);
  return {
    second: ranges([0], Number),
    minute: ranges(new Set(times.map((time) => time % 60)), Number),
    hour: ranges(new Set(times.map((time) => Math.floor(time / 60))), Number),
    dayOfMonth: ranges(daysOfMonth, Number),
    month: ranges(monthNumbers, (month) => months[month - 1] ?? 'JANUARY'),
    year: [],
    dayOfWeek: ranges(dayNumbers, (day) => daysOfWeek[day] ?? 'SUNDAY'),
    comment: cron,
  };
}

/** Runs of neighbours: 1, 2, 3, 7 is 1–3 and 7. */
function ranges<Unit>(
  values: Iterable<number>,
  unit: (value: number) => Unit,
): { start: Unit; end: Unit; step: number }[] {
  const runs: { first: number; last: number }[] = [];
  for (const value of [...values].sort((a, b) => a - b)) {
    const run = runs.at(-1);
    if (run !== undefined && run.last + 1 === value) run.last = value;
    else runs.push({ first: value, last: value });
  }
  return runs.map(({ first, last }) => ({ start: unit(first), end: unit(last), step: 1 }));
}
