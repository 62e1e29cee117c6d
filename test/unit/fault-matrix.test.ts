/** The fault matrix is what it says: a whole product, of which every part has a name and is reached. */
import { expect, it } from 'vitest';
import { allCells, circumstances, faultNames, pairCells, targetsOf, type Cell } from '../faults/cells.js';
import { earlierOf, reportOf } from '../faults/report.js';
import type { CellResult } from '../faults/run-cell.js';
import { subset } from '../faults/subset.js';
import { strategies } from '../faults/surface.js';

it('has one cell for each target, fault and circumstance, each with an id of its own', () => {
  const targets = strategies.flatMap((strategy) => targetsOf(strategy)).length;
  const cells = allCells();
  expect(cells).toHaveLength(targets * faultNames.length * circumstances.length);
  const ids = [...cells, ...pairCells()].map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
});

it('leaves out no call and no circumstance, and no fault of a call but where an answer has no such body', () => {
  const left = allCells().filter(({ target, notApplicable }) => target.kind === 'call' && notApplicable !== null);
  expect(new Set(left.map(({ notApplicable }) => notApplicable))).toEqual(
    new Set(['a 204 has no body', 'a token names no consumer']),
  );
});

it.each(strategies)('%s: the fixed part has every call and every circumstance', (strategy) => {
  const cells = subset().filter((cell) => cell.strategy === strategy);
  const calls = targetsOf(strategy).filter(({ kind }) => kind === 'call');
  const named = (targets: readonly unknown[]): ReadonlySet<string> => new Set(targets.map((t) => JSON.stringify(t)));
  expect(named(cells.map(({ target }) => target).filter(({ kind }) => kind === 'call'))).toEqual(named(calls));
  expect(new Set(cells.map(({ circumstance }) => circumstance))).toEqual(new Set(circumstances));
});

it('the fixed part has every fault at least twice', () => {
  const faults = subset().map(({ fault }) => fault);
  expect(faultNames.filter((name) => faults.filter((fault) => fault === name).length < 2)).toEqual([]);
});

it('goes on from earlier reports of the same build, and from no others', () => {
  const [first, second, other] = allCells();
  if (!first || !second || !other) throw new Error('the matrix is empty');
  const figures = { durationMs: 1, gapMs: 0, orphans: 0, strikes: 0, plaintext: 0 };
  const resultOf = ({ id }: Cell): CellResult => ({ cell: id, outcome: 'rotated', violations: ['one'], ...figures });
  const cells = [first, second, other];
  const report = (name: string, build: string, cell: Cell) => ({
    name,
    text: JSON.stringify(reportOf(build, [cell], [resultOf(cell)], 2_000)),
  });
  const reports = [report('a', 'b-1', first), report('b', 'b-1', second), report('c', 'b-1', first)];
  expect(earlierOf('b-1', [first, second], reports)).toEqual({
    cells: [resultOf(first), resultOf(second)],
    durationSeconds: 6,
  });
  expect(earlierOf('b-1', [other], reports).cells).toEqual([]);
  expect(() => earlierOf('b-2', cells, reports)).toThrow('a is about another build: b-1, not b-2');
  expect(() => earlierOf('b-1', cells, [{ name: 'd', text: '{' }])).toThrow('d is no report of this matrix');
});
