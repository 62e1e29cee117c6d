/** The fixed part of the matrix: every call once, every fault of a call, and with each strategy every circumstance. `npm test` runs its first third. */
import { allCells, circumstances, faultNames, type Cell, type FaultName } from './cells.js';
import { strategies } from './surface.js';

/** On writes of the record, one after the other. */
const storeFaults: readonly FaultName[] = ['lost', 'conflict', 'refused', 'slow'];
const storeCellsEach = 2;

/** The table is taken in steps of three, so that what comes first has every strategy and every circumstance. */
const THIRDS = [1, 2, 0] as const;

/** Always the same. */
export function subset(): readonly Cell[] {
  const applicable = allCells().filter(({ notApplicable }) => notApplicable === null);
  const chosen: Cell[] = [];
  let calls = 0;
  for (const [s, strategy] of strategies.entries()) {
    const own = applicable.filter((cell) => cell.strategy === strategy);
    const of = (kind: Cell['target']['kind'], part: string): readonly Cell['target'][] => [
      ...new Set(own.map(({ target }) => target).filter((t) => t.kind === kind && JSON.stringify(t).includes(part))),
    ];
    for (const [n, target] of of('call', '').entries()) {
      const from = own.filter((cell) => cell.target === target && cell.circumstance === turn(circumstances, n));
      const faults = faultNames.map((_, more) => turn(faultNames, calls + more));
      chosen.push(...first(from, faults));
      calls += 1;
    }
    const writes = of('store', '.write-credential');
    for (let n = 0; n < storeCellsEach; n += 1) {
      const target = turn(writes, s + 3 * n);
      const from = own.filter((cell) => cell.target === target && cell.circumstance === turn(circumstances, s + 4 * n));
      chosen.push(...first(from, [turn(storeFaults, s + n)]));
    }
  }
  return THIRDS.flatMap((third) => chosen.filter((_, n) => n % THIRDS.length === third));
}

function turn<T>(list: readonly T[], n: number): T {
  const one = list[n % list.length];
  if (one === undefined) throw new Error('the list is empty');
  return one;
}

/** The cell of the first of these faults that there is one of. */
function first(cells: readonly Cell[], faults: readonly FaultName[]): readonly Cell[] {
  return faults.flatMap((fault) => cells.filter((cell) => cell.fault === fault)).slice(0, 1);
}
