/** Instants for people: UTC to the second, and how far away they are. */

const units = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
] as const;

/** `2026-11-21 04:00:04Z` */
export function instantText(at: string | number): string {
  return `${new Date(at).toISOString().slice(0, 19).replace('T', ' ')}Z`;
}

/** `in 23h 50m`, `3m 4s ago`, `now`: the two largest units. */
export function distanceText(at: string | number, nowMs: number): string {
  const ms = new Date(at).getTime() - nowMs;
  const length = lengthText(Math.abs(ms));
  if (length === '') return 'now';
  return ms > 0 ? `in ${length}` : `${length} ago`;
}

/** `23h 50m`; empty below a second. */
function lengthText(ms: number): string {
  const first = units.findIndex(([, size]) => ms >= size);
  if (first < 0) return '';
  let rest = ms;
  const parts = units.slice(first, first + 2).map(([unit, size]) => {
    const count = Math.floor(rest / size);
    rest -= count * size;
    return count === 0 ? '' : `${count}${unit}`;
  });
  return parts.filter((part) => part !== '').join(' ');
}
