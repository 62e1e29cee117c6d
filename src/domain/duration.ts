/** Durations as people write them in keyturn.yaml: a whole number and one unit, `250ms 10s 5m 6h 30d`. */

const unitMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

type Unit = keyof typeof unitMs;

export const durationPattern = /^(\d{1,12})(ms|s|m|h|d)$/;

const isUnit = (text: string | undefined): text is Unit => text !== undefined && Object.hasOwn(unitMs, text);

/** Milliseconds; undefined when the text is no duration. */
export function parseDuration(text: string): number | undefined {
  const [, digits, unit] = durationPattern.exec(text) ?? [];
  if (digits === undefined || !isUnit(unit)) return undefined;
  const ms = Number(digits) * unitMs[unit];
  return Number.isSafeInteger(ms) ? ms : undefined;
}

/** The shortest exact form: 90000 → `90s`, 86400000 → `1d`, 0 → `0s`. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0s';
  const units: readonly Unit[] = ['d', 'h', 'm', 's'];
  const unit = units.find((one) => ms % unitMs[one] === 0) ?? 'ms';
  return `${ms / unitMs[unit]}${unit}`;
}
