/** What a run of the matrix has found, for machines and as a table. */
import { circumstances, type Cell } from './cells.js';
import type { CellResult } from './run-cell.js';
import { strategies } from './surface.js';

export interface Report {
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

export function reportOf(cells: readonly Cell[], results: readonly CellResult[], durationMs: number): Report {
  const sum = (of: (result: CellResult) => number): number => results.reduce((total, one) => total + of(one), 0);
  return {
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
