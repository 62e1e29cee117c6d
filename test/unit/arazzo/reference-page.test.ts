import { expect, test } from 'vitest';
import { limits } from '../../../src/arazzo/limits.js';
import { read } from '../../support/markdown.js';

const page = read('docs/reference/arazzo.md');
const rows = (page.split('## Clauses and their tests')[1] ?? '').matchAll(/^\| (.*?) +\| ([a-z-]+): (.+?) *\|$/gm);
const clauses = [...rows].map(([, clause = '', file = '', title = '']) => ({ clause, file, title }));

test('docs/reference/arazzo.md names a test for every clause', () => {
  const lines = (page.split('## Clauses and their tests')[1] ?? '').split('\n').filter((line) => line.startsWith('| '));
  expect(clauses.length).toBe(lines.length - 2);
  expect(clauses.length).toBeGreaterThan(40);
});

test.each(clauses)('$clause: the test is there', ({ file, title }) => {
  const folder = file.startsWith('arazzo-') ? 'e2e' : 'unit/arazzo';
  expect(read(`test/${folder}/${file}.test.ts`)).toContain(title);
});

test('docs/reference/arazzo.md names the limits that there are', () => {
  for (const limit of Object.values(limits)) {
    expect(page).toContain(limit.toString().replace(/\B(?=(\d{3})+$)/g, ' '));
  }
});
