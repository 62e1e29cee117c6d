/** What a run of the matrix has found, for machines and as a table. */
import { z } from 'zod';
import { circumstances, type Cell } from './cells.js';
import type { CellResult } from './run-cell.js';
import { strategies } from './surface.js';

export interface Report {
  /** Names what was tested: a hash of all that the build is made of. */
  readonly build: string;
  /** Cells of the product that were asked for; `run` and `notApplicable` add up to it. */
  readonly enumerated: number;
  readonly run: number;
  /** How many there are for each reason. */
  readonly notApplicable: Readonly<Record<string, number>>;
  readonly outcomes: Readonly<Record<string, number>>;
  readonly violations: number;
  readonly gapSeconds: number;
  readonly orphans: number;
  /** The most that one cell has caused at its tenant, where `strikeBudget` are allowed. */
  readonly strikes: number;
  readonly strikeBudget: number;
  readonly plaintext: number;
  readonly durationSeconds: number;
  readonly cells: readonly CellResult[];
}

/** Default of `lockout.limit`. */
const STRIKE_BUDGET = 4;

export function reportOf(
  build: string,
  cells: readonly Cell[],
  results: readonly CellResult[],
  durationMs: number,
): Report {
  const sum = (of: (result: CellResult) => number): number => results.reduce((total, one) => total + of(one), 0);
  return {
    build,
    enumerated: cells.length,
    run: results.length,
    notApplicable: counted(cells.flatMap(({ notApplicable }) => notApplicable ?? [])),
    outcomes: counted(results.map(({ outcome }) => outcome)),
    violations: sum(({ violations }) => violations.length),
    gapSeconds: sum(({ gapMs }) => gapMs) / 1_000,
    orphans: sum(({ orphans }) => orphans),
    strikes: Math.max(0, ...results.map(({ strikes }) => strikes)),
    strikeBudget: STRIKE_BUDGET,
    plaintext: sum(({ plaintext }) => plaintext),
    durationSeconds: Math.round(durationMs / 1_000),
    cells: results,
  };
}

function counted(names: readonly string[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

/**
 * Reports that stand for a part of these cells.
 * @throws Error naming the report that is none, or is about another build
 */
export function earlierOf(
  build: string,
  cells: readonly Cell[],
  reports: readonly { readonly name: string; readonly text: string }[],
): Pick<Report, 'cells' | 'durationSeconds'> {
  const read = reports.map(({ name, text }) => {
    const { data } = earlierSchema.safeParse(parsed(text));
    if (data === undefined) throw new Error(`${name} is no report of this matrix`);
    if (data.build !== build) throw new Error(`${name} is about another build: ${data.build}, not ${build}`);
    return data;
  });
  const asked = new Set(cells.map(({ id }) => id));
  const results = new Map(read.flatMap((report) => report.cells.map((result) => [result.cell, result])));
  return {
    cells: [...results.values()].filter(({ cell }) => asked.has(cell)),
    durationSeconds: read.reduce((sum, report) => sum + report.durationSeconds, 0),
  };
}

const earlierSchema = z.object({
  build: z.string(),
  durationSeconds: z.number(),
  cells: z.array(
    z.strictObject({
      cell: z.string(),
      outcome: z.string(),
      durationMs: z.number(),
      violations: z.array(z.string()),
      gapMs: z.number(),
      orphans: z.number(),
      strikes: z.number(),
      plaintext: z.number(),
    }),
  ),
});

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Failed cells of those that were run, for each strategy and circumstance; then every failure with the command that replays it. */
export function tableOf(cells: readonly Cell[], report: Report): string {
  const results = new Map(report.cells.map((result) => [result.cell, result]));
  const entry = (strategy: string, circumstance: string): string => {
    const run = cells.flatMap((cell) =>
      cell.strategy === strategy && cell.circumstance === circumstance ? (results.get(cell.id) ?? []) : [],
    );
    const failed = run.filter(({ violations }) => violations.length > 0).length;
    return run.length === 0 ? '-' : failed === 0 ? `${run.length}` : `${run.length}, ${failed} failed`;
  };
  const rows = [
    ['cells run', ...circumstances],
    ...strategies.map((strategy) => [strategy, ...circumstances.map((one) => entry(strategy, one))]),
  ];
  const excluded = Object.values(report.notApplicable).reduce((sum, n) => sum + n, 0);
  return [
    ...aligned(rows),
    '',
    `${report.enumerated} enumerated: ${report.run} run, ${excluded} not applicable`,
    ...Object.entries(report.notApplicable).map(([reason, n]) => `  ${n} not applicable: ${reason}`),
    ...Object.entries(report.outcomes).map(([outcome, n]) => `  ${n} ended as ${outcome}`),
    ...report.cells.flatMap(failureOf),
    `violations ${report.violations}, gap seconds ${report.gapSeconds}, orphans ${report.orphans}, ` +
      `strikes ${report.strikes} of ${report.strikeBudget}, plaintext ${report.plaintext}, ${report.durationSeconds} s`,
  ].join('\n');
}

/** Empty where all is well. */
export function failureOf({ cell, violations }: CellResult): readonly string[] {
  if (violations.length === 0) return [];
  return [`FAILED ${cell}`, ...violations.map((v) => `  ${v}`), `  npm run faults -- --cell ${cell}`];
}

function aligned(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((text, column) => text.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
