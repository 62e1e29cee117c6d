/** What the Schedule of a credential has to be, and where one that Temporal describes differs from it. Pure. */
import { isDeepStrictEqual } from 'node:util';
import type {
  CalendarSpecDescription,
  DayOfWeek,
  Month,
  ScheduleDescription,
  ScheduleOptions,
  ScheduleOptionsStartWorkflowAction,
} from '@temporalio/client';
import type { Workflow } from '@temporalio/common';
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

type Described = Pick<ScheduleDescription, 'spec' | 'action' | 'policies'>;

export interface DesiredSchedule extends Pick<ScheduleOptions, 'spec'> {
  readonly action: ScheduleOptionsStartWorkflowAction<Workflow>;
  readonly policies: Required<NonNullable<ScheduleOptions['policies']>>;
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

/** What a hand edit or a changed keyturn.yaml has made different: `spec`, `action`, `policies`. */
export function differences(found: Described, desired: DesiredSchedule): readonly string[] {
  const parts = ['spec', 'action', 'policies'] as const;
  const is = comparable(found);
  const should = comparable(asDescribed(desired));
  return parts.filter((part) => !isDeepStrictEqual(is[part], should[part]));
}

type Calendar = Omit<CalendarSpecDescription, 'comment'> & { readonly comment: string };

/** The cron as Temporal's own calendar; parsed by the rules that Temporal reads cron by. */
function calendarOf(cron: string): Calendar {
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

/** Runs of neighbours: 1,2,3,7 → 1–3, 7. */
function ranges<Unit>(values: Iterable<number>, unit: (value: number) => Unit): { start: Unit; end: Unit; step: number }[] {
  const runs: { first: number; last: number }[] = [];
  for (const value of [...values].sort((a, b) => a - b)) {
    const run = runs.at(-1);
    if (run !== undefined && run.last + 1 === value) run.last = value;
    else runs.push({ first: value, last: value });
  }
  return runs.map(({ first, last }) => ({ start: unit(first), end: unit(last), step: 1 }));
}

function asDescribed({ spec, action, policies }: DesiredSchedule): Described {
  throw new Error(String([spec, action, policies]));
}

function comparable(described: Described): Record<'spec' | 'action' | 'policies', unknown> {
  throw new Error(String(described));
}
