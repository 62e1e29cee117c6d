/**
 * Cron expressions with five fields, read as Temporal's Schedules read them (server, service/worker/scheduler/calendar.go): a time
 * fires when ALL fields match, also day of month and day of week; a wall-clock time that a clock change jumps over does not fire.
 */
export interface Cron {
  /** Minutes of the day that fire, ascending. */
  readonly times: readonly number[];
  readonly daysOfMonth: ReadonlySet<number>;
  readonly months: ReadonlySet<number>;
  /** 0 is Sunday. */
  readonly daysOfWeek: ReadonlySet<number>;
}

/** The message says what is wrong with the expression. */
export class CronError extends Error {
  override readonly name = 'CronError';
}

interface Field {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  /** Names count from `min`; any prefix of at least `prefix` letters will do. */
  readonly names?: readonly string[];
  readonly prefix?: number;
}

const monthNames = 'january february march april may june july august september october november december'.split(' ');
const dayNames = 'sunday monday tuesday wednesday thursday friday saturday'.split(' ');
const minuteField: Field = { name: 'minute', min: 0, max: 59 };
const hourField: Field = { name: 'hour', min: 0, max: 23 };
const dayOfMonthField: Field = { name: 'day of month', min: 1, max: 31 };
const monthField: Field = { name: 'month', min: 1, max: 12, names: monthNames, prefix: 3 };
/** 7 is Sunday, too. */
const dayOfWeekField: Field = { name: 'day of week', min: 0, max: 7, names: dayNames, prefix: 2 };

const minuteMs = 60_000;
const dayMinutes = 1_440;
const dayMs = dayMinutes * minuteMs;
/** After this many days the Gregorian calendar repeats, weekdays included. */
const calendarCycleDays = 146_097;

/** @throws CronError */
export function parseCron(expression: string): Cron {
  const fields = expression.trim().split(/\s+/);
  const [minute, hour, dayOfMonth, month, dayOfWeek] = fields;
  if (fields.length !== 5 || !minute || !hour || !dayOfMonth || !month || !dayOfWeek) {
    throw new CronError('a cron expression has five fields: minute hour day-of-month month day-of-week');
  }
  const minutes = valuesOf(minute, minuteField);
  const hours = valuesOf(hour, hourField);
  const cron: Cron = {
    times: [...hours].flatMap((h) => [...minutes].map((m) => h * 60 + m)).sort((a, b) => a - b),
    daysOfMonth: valuesOf(dayOfMonth, dayOfMonthField),
    months: valuesOf(month, monthField),
    daysOfWeek: new Set([...valuesOf(dayOfWeek, dayOfWeekField)].map((day) => day % 7)),
  };
  if (shortestDayGap(cron) === null) throw new CronError('no day matches all fields: it would never fire');
  return cron;
}

function valuesOf(text: string, field: Field): Set<number> {
  const values = new Set<number>();
  for (const part of text.split(',')) {
    const [range = '', stepText, ...tooMuch] = part.split('/');
    const step = stepText === undefined ? 1 : wholeNumber(stepText);
    if (tooMuch.length > 0 || step === null || step < 1) throw new CronError(`the ${field.name} has a wrong step`);
    const [start, end] = endsOf(range, field, stepText !== undefined);
    for (let value = start; value <= end; value += step) values.add(value);
  }
  return values;
}

function endsOf(range: string, field: Field, hasStep: boolean): [number, number] {
  if (range === '*') return [field.min, field.max];
  const [startText = '', endText, ...tooMuch] = range.split('-');
  const start = valueOf(startText, field);
  if (endText === undefined) return [start, hasStep ? field.max : start];
  const end = valueOf(endText, field);
  if (tooMuch.length > 0 || end < start)
    throw new CronError(`the ${field.name} has a range that ends before it starts`);
  return [start, end];
}

function valueOf(text: string, { name, min, max, names = [], prefix = 0 }: Field): number {
  const number = wholeNumber(text);
  if (number !== null && number >= min && number <= max) return number;
  const named = text.length < prefix ? -1 : names.findIndex((full) => full.startsWith(text.toLowerCase()));
  if (text === '' || named < 0)
    throw new CronError(`the ${name} must be ${min}-${max}${names.length > 0 ? ' or a name' : ''}`);
  return min + named;
}

const wholeNumber = (text: string): number | null => (/^\d{1,4}$/.test(text) ? Number(text) : null);

/** Days from one matching day to the next, at the closest; null when none matches ever. */
function shortestDayGap({ daysOfMonth, months, daysOfWeek }: Cron): number | null {
  let first: number | null = null;
  let last: number | null = null;
  let shortest = Infinity;
  for (let day = 0; day < calendarCycleDays && shortest > 1; day += 1) {
    // 1970-01-01, day 0, was a Thursday.
    if (!daysOfWeek.has((day + 4) % 7)) continue;
    const date = new Date(day * dayMs);
    if (!daysOfMonth.has(date.getUTCDate()) || !months.has(date.getUTCMonth() + 1)) continue;
    if (last !== null) shortest = Math.min(shortest, day - last);
    first ??= day;
    last = day;
  }
  if (first === null || last === null) return null;
  return Math.min(shortest, first + calendarCycleDays - last);
}

/**
 * The shortest time between two fires in that time zone, milliseconds, clock changes of the coming year included: a daily schedule
 * fires 23 h apart when the clocks go forward. The second fire of a repeated hour is not counted: `minInterval` is there to skip it.
 */
export function shortestGapMs(cron: Cron, timezone: string, nowMs: number): number {
  const dayGap = shortestDayGap(cron) ?? calendarCycleDays;
  const jumps = [null, ...forwardJumps(timezone, nowMs)];
  return Math.min(...jumps.map((jump) => shortestGapMinutes(cron, dayGap, jump))) * minuteMs;
}

interface Jump {
  /** Minute of the local day at which the clock jumps. */
  readonly at: number;
  readonly minutes: number;
}

function shortestGapMinutes({ times }: Cron, dayGap: number, jump: Jump | null): number {
  const days = dayGap === 1 ? [-1, 0, 1] : [0];
  const fires = days
    .flatMap((day) => times.map((time) => elapsed(day * dayMinutes + time, jump)))
    .filter((t) => t !== null);
  const gaps = fires.slice(1).map((fire, index) => fire - (fires[index] ?? 0));
  const overNight = dayGap * dayMinutes + (times[0] ?? 0) - (times.at(-1) ?? 0) - (jump?.minutes ?? 0);
  return Math.min(...gaps, ...(dayGap === 1 ? [] : [overNight]));
}

/** Minutes on a clock that never jumps; null for a wall-clock time that does not exist. */
function elapsed(time: number, jump: Jump | null): number | null {
  if (jump === null || time < jump.at) return time;
  return time < jump.at + jump.minutes ? null : time - jump.minutes;
}

function forwardJumps(timezone: string, nowMs: number): readonly Jump[] {
  const offsetAt = zoneOffset(timezone);
  const jumps: Jump[] = [];
  for (let week = 0; week < 53; week += 1) {
    let before = nowMs + week * 7 * dayMs;
    let after = before + 7 * dayMs;
    const offset = offsetAt(before);
    const minutes = offsetAt(after) - offset;
    if (minutes <= 0) continue;
    while (after - before > minuteMs) {
      const middle = (before + after) / 2;
      if (offsetAt(middle) === offset) before = middle;
      else after = middle;
    }
    const at = (Math.floor(after / minuteMs) + offset) % dayMinutes;
    jumps.push({ at: (at + dayMinutes) % dayMinutes, minutes });
  }
  return jumps;
}

/** Minutes that the zone's clock is ahead of UTC. */
function zoneOffset(timezone: string): (atMs: number) => number {
  const format = new Intl.DateTimeFormat('en-US', { timeZone: timezone, timeZoneName: 'longOffset' });
  return (atMs) => {
    const name = format.formatToParts(atMs).find(({ type }) => type === 'timeZoneName')?.value ?? '';
    const [, sign, hours = '0', minutes = '0'] = /^GMT([+-])(\d\d):(\d\d)/.exec(name) ?? [];
    return (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes));
  };
}

/** What is wrong with the name of a time zone, or null. Temporal takes names of the IANA database, in their exact case. */
export function timezoneProblem(timezone: string): string | null {
  try {
    const { timeZone } = new Intl.DateTimeFormat('en-US', { timeZone: timezone }).resolvedOptions();
    if (/^[+-]/.test(timezone)) return 'write a time zone by name, for example UTC or Europe/Berlin';
    const isOtherCase = timeZone !== timezone && timeZone.toLowerCase() === timezone.toLowerCase();
    return isOtherCase ? `write the time zone as ${timeZone}` : null;
  } catch {
    return 'there is no time zone of that name; write for example UTC or Europe/Berlin';
  }
}
