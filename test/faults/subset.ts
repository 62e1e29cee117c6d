/** The fixed part of the matrix that runs with every `npm test`: for each strategy every call, every fault and every circumstance at least once. */
import { allCells, circumstances, faultNames, type Cell, type FaultName } from './cells.js';
import { strategies, type Strategy } from './surface.js';

/** Faults on writes of the record, for each strategy, besides one cell for each fault on a call. */
const storeFaults: readonly FaultName[] = ['refused', 'lost', 'slow', 'conflict'];

export function subset(): readonly Cell[] {
  const applicable = allCells().filter(({ notApplicable }) => notApplicable === null);
  return strategies.flatMap((strategy, index) => subsetOf(strategy, index, applicable));
}

/** The same cells each time: of those that fit, the one whose target was used least so far. */
function subsetOf(strategy: Strategy, index: number, applicable: readonly Cell[]): readonly Cell[] {
  const own = applicable.filter((cell) => cell.strategy === strategy);
  const calls = own.filter(({ target }) => target.kind === 'call');
  const writes = own.filter(({ target }) => target.kind === 'store' && target.operation.includes('.write-credential'));
  const chosen: Cell[] = [];
  const choose = (from: readonly Cell[], fault: FaultName): void => {
    const circumstance = circumstances[(chosen.length + index) % circumstances.length];
    const fitting = from.filter((cell) => cell.fault === fault && cell.circumstance === circumstance);
    const uses = (cell: Cell): number => chosen.filter(({ target }) => target === cell.target).length;
    const [best] = fitting.toSorted((a, b) => uses(a) - uses(b));
    if (best) chosen.push(best);
  };
  for (const fault of faultNames) choose(calls, fault);
  for (const fault of storeFaults) choose(writes, fault);
  return chosen;
}
