/** docs/guarantees.md names the tests that show each guarantee and the mutants that prove that they bite; `npm run mutants` runs those. */
import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { mutants } from '../mutants/mutants.mjs';
import { mutated, problemsOf } from '../mutants/texts.mjs';
import { read, root } from '../support/markdown.js';

const page = read('docs/guarantees.md');

/** Cells of the rows under a heading, by the number in their first cell. */
function rowsUnder(heading: string): ReadonlyMap<number, readonly string[]> {
  const section = page.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? '';
  const rows = [...section.matchAll(/^\| (\d+) +\|(.*)\|$/gm)];
  return new Map(rows.map(([, number, cells = '']) => [Number(number), cells.split('|')]));
}

const spans = (cell = ''): readonly string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, text = '']) => text);

const guarantees = rowsUnder('Guaranteed');
const shown = rowsUnder('How it is shown');

describe('docs/guarantees.md', () => {
  test('says of every guarantee how it is shown, and of nothing else', () => {
    expect(guarantees.size).toBeGreaterThan(17);
    expect([...shown.keys()]).toEqual([...guarantees.keys()]);
  });

  test.each([...shown])('%d has tests that exist, and all of its mutants', (number, [tests, names]) => {
    expect(spans(tests).length).toBeGreaterThan(0);
    for (const file of spans(tests)) expect(existsSync(new URL(`test/${file}`, root)), file).toBe(true);
    expect(spans(names).length).toBeGreaterThan(0);
    const own = mutants.filter(({ guarantee }) => guarantee === number);
    expect(spans(names)).toEqual(own.map(({ name }) => name));
  });
});

describe('mutants', () => {
  test('have names of their own, a guarantee, and test files that exist', () => {
    expect(new Set(mutants.map(({ name }) => name)).size).toBe(mutants.length);
    for (const { name, guarantee, tests, edits } of mutants) {
      expect([...guarantees.keys()], name).toContain(guarantee);
      expect(tests.length, name).toBeGreaterThan(0);
      expect(edits.length, name).toBeGreaterThan(0);
      for (const file of tests) expect(existsSync(new URL(file, root)), `${name}: ${file}`).toBe(true);
    }
  });

  test('fit the code: what each replaces stands in its file once', () => {
    expect(problemsOf(mutants, read)).toEqual([]);
  });

  test('are found out when they do not', () => {
    const one = (from: string, to = 'x') => [{ name: 'one', file: 'f', edits: [{ from, to }] }];
    expect(problemsOf(one('b'), () => 'abc')).toEqual([]);
    expect(problemsOf(one('d'), () => 'abc')).toEqual(['one: "d" stands 0 times in f, not once']);
    expect(problemsOf(one('b'), () => 'abcb')).toEqual(['one: "b" stands 2 times in f, not once']);
    expect(problemsOf(one('b', 'b'), () => 'abc')).toEqual(['one: changes nothing']);
    expect(mutated('a$&c', [{ from: '$&', to: '$1' }])).toBe('a$1c');
  });
});
