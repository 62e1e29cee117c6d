export interface Interval {
  fromMs: number;
  toMs: number;
}

/** From `fromMs` until just before `toMs`; null: no end in sight. */
export interface Life {
  fromMs: number;
  toMs: number | null;
}

/** What was published to consumers, and when. */
export type Publication = Interval & { sha256: string };

export const livesAt = (lives: readonly Life[], atMs: number): boolean =>
  lives.some(({ fromMs, toMs }) => atMs >= fromMs && atMs < (toMs ?? Infinity));

/** The intervals in which what was published then did not live; one without any life is one long gap. */
export function gapsOf(timeline: readonly Publication[], livesOf: (sha256: string) => readonly Life[]): Interval[] {
  const gaps = timeline.flatMap(({ fromMs, toMs, sha256 }) =>
    livesOf(sha256).reduce((rest, life) => rest.flatMap((gap) => outside(life, gap)), [{ fromMs, toMs }]),
  );
  return mergedIntervals(gaps);
}

/** What of the interval lies before the life, and what after it. */
function outside(life: Life, { fromMs, toMs }: Interval): Interval[] {
  const endMs = life.toMs ?? Infinity;
  if (endMs <= life.fromMs) return [{ fromMs, toMs }];
  const before = { fromMs, toMs: Math.min(toMs, life.fromMs) };
  const after = { fromMs: Math.max(fromMs, endMs), toMs };
  return [before, after].filter((one) => one.fromMs < one.toMs);
}

/** The same instants in as few intervals as possible, in order. */
export function mergedIntervals(gaps: readonly Interval[]): Interval[] {
  const result: Interval[] = [];
  for (const gap of gaps.toSorted((a, b) => a.fromMs - b.fromMs)) {
    const last = result.at(-1);
    if (last !== undefined && gap.fromMs <= last.toMs) last.toMs = Math.max(last.toMs, gap.toMs);
    else if (gap.fromMs < gap.toMs) result.push({ ...gap });
  }
  return result;
}
