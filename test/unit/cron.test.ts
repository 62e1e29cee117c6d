import { describe, expect, test } from 'vitest';
import { CronError, parseCron, shortestGapMs, timezoneProblem } from '../../src/domain/cron.js';

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;
/** Before both clock changes of that year in Europe. */
const now = Date.UTC(2026, 0, 15);
const gap = (expression: string, timezone = 'UTC') => shortestGapMs(parseCron(expression), timezone, now);

describe('the shortest gap of a schedule', () => {
  test.each([
    ['* * * * *', minute],
    ['*/15 * * * *', 15 * minute],
    ['*/25 * * * *', 10 * minute],
    ['5/20 * * * *', 20 * minute],
    ['0 * * * *', hour],
    ['0 4 * * *', day],
    ['0 4,5 * * *', hour],
    ['0 0,23 * * *', hour],
    ['30 8-18/2 * * 1-5', 2 * hour],
    ['0 23,1 * * *', 2 * hour],
    ['0 4 * * MON', 7 * day],
    ['0 4 * * mon,THU', 3 * day],
    ['0 4 * * 5-7', day],
    ['0 4 * * 7', 7 * day],
    ['0 4 * * 0,7', 7 * day],
    ['0 4 1 * *', 28 * day],
    ['0 4 31 * *', 31 * day],
    ['0 4 1 jan *', 365 * day],
    ['0 4 1 January,July *', 181 * day],
    ['0 4 29 2 *', 1461 * day],
    ['0 22 1,15 * *', 14 * day],
    ['0 12 */10 * *', day],
    ['0 4,5 * * 1', hour],
    ['5-5 4 * * *', day],
    ['  0\t 4  * * * ', day],
  ])('%s fires at least %d ms apart', (expression, expected) => {
    expect(gap(expression)).toBe(expected);
  });

  test('is found over the turn of the year', () => {
    expect(gap('0 0 31,1 12,1 *')).toBe(day);
  });

  test('counts only days on which day of month AND day of week match, as Temporal does', () => {
    expect(gap('0 4 13 * 5')).toBe(28 * day);
    expect(gap('0 4 29 2 1')).toBe((12 * 365 + 2) * day);
  });

  test('is an hour shorter for a daily schedule in a zone whose clocks go forward', () => {
    expect(gap('0 4 * * *', 'Europe/Berlin')).toBe(23 * hour);
    expect(gap('0 4 * * 1', 'America/New_York')).toBe(7 * day - hour);
    expect(gap('0 4 * * *', 'Australia/Lord_Howe')).toBe(day - 30 * minute);
    expect(gap('0 4 * * *', 'Asia/Kolkata')).toBe(day);
  });

  test('is that of the coming year, not of the past one', () => {
    const daily = (timezone: string, nowMs: number) => shortestGapMs(parseCron('0 4 * * *'), timezone, nowMs);
    expect(daily('Europe/Berlin', Date.UTC(1979, 6, 1)), 'summer time began in 1980').toBe(23 * hour);
    expect(daily('Asia/Tehran', Date.UTC(2022, 9, 1)), 'summer time ended in 2022').toBe(day);
  });

  test('leaves out wall-clock times that do not exist when the clocks go forward', () => {
    expect(gap('30 2 * * *', 'Europe/Berlin')).toBe(day);
    expect(gap('30 2 * * *', 'America/New_York')).toBe(day);
    expect(gap('0 3 * * *', 'Europe/Berlin')).toBe(23 * hour);
    expect(gap('0 */2 * * *', 'Europe/Berlin')).toBe(2 * hour);
    expect(gap('0 * * * *', 'Europe/Berlin')).toBe(hour);
    expect(gap('59 1 * * *', 'Europe/Berlin')).toBe(23 * hour);
    expect(gap('0 1,4 * * *', 'Europe/Berlin')).toBe(2 * hour);
  });
});

describe('a cron expression is refused', () => {
  test.each([
    ['', 'five fields'],
    ['0 4 * *', 'five fields'],
    ['0 0 4 * * *', 'five fields'],
    ['@daily', 'five fields'],
    ['60 4 * * *', 'minute must be 0-59'],
    ['0 24 * * *', 'hour must be 0-23'],
    ['0 4 0 * *', 'day of month must be 1-31'],
    ['0 4 * 13 *', 'month must be 1-12 or a name'],
    ['0 4 * * 8', 'day of week must be 0-7 or a name'],
    ['0 4 * ju *', 'month must be'],
    ['0 4 * * m', 'day of week must be'],
    ['*/0 4 * * *', 'wrong step'],
    ['*/x 4 * * *', 'wrong step'],
    ['*/5x 4 * * *', 'wrong step'],
    ['*/x5 4 * * *', 'wrong step'],
    ['1/2/3 4 * * *', 'wrong step'],
    ['5-1 4 * * *', 'ends before it starts'],
    ['1-2-3 4 * * *', 'ends before it starts'],
    ['1, 4 * * *', 'minute must be'],
    ['1,,2 4 * * *', 'minute must be'],
    ['-1 4 * * *', 'minute must be'],
    ['0 4 L * *', 'day of month must be'],
    ['0 4 ? * *', 'day of month must be'],
    ['0 4 30 2 *', 'never fire'],
  ])('%j: %s', (expression, message) => {
    expect(() => parseCron(expression)).toThrow(CronError);
    expect(() => parseCron(expression)).toThrow(message);
  });
});

test('a time zone is taken by its exact IANA name only', () => {
  expect(timezoneProblem('UTC')).toBeNull();
  expect(timezoneProblem('Europe/Berlin')).toBeNull();
  for (const name of ['Asia/Calcutta', 'Asia/Kolkata', 'Etc/GMT+5']) expect(timezoneProblem(name)).toBeNull();
  expect(timezoneProblem('europe/berlin')).toContain('Europe/Berlin');
  expect(timezoneProblem('Europe/Atlantis')).toContain('no time zone');
  expect(timezoneProblem('+02:00')).toContain('UTC or Europe/Berlin');
});
