import { describe, expect, test } from 'vitest';
import { BudgetExceeded, checkJsonpath, compile, engines } from '../../../src/arazzo/engines.js';
import { ArazzoError } from '../../../src/arazzo/failure.js';
import { prepare } from '../../../src/arazzo/prepare.js';
import { problemText } from '../../../src/arazzo/problems.js';
import { changed, read } from './documents.js';

const bound = { timeout: 5_000 };

describe('regular expressions', () => {
  test('find their pattern anywhere in the text', () => {
    expect(engines.regex('^(429|503)$', '503')).toBe(true);
    expect(engines.regex('b+', 'abbc')).toBe(true);
    expect(engines.regex('^b', 'ab')).toBe(false);
  });

  test('take linear time, or are refused', bound, () => {
    expect(engines.regex('(x+x+)+y', 'x'.repeat(50_000))).toBe(false);
    expect(() => engines.regex('([a-z]{0,500}){2}1', 'x'.repeat(1_000_000))).toThrow(BudgetExceeded);
  });

  test.each(['(?=a)', '(?<!a)b', '(a)\\1', '(', '(a{1000}){1000}'])('%s is not one of RE2', (pattern) => {
    expect(() => compile(pattern)).toThrow(ArazzoError);
  });
});

describe('queries', () => {
  const body = { list: [{ id: 1, ok: true }, { id: 2 }], done: true };

  test('select nodes as RFC 9535 says', () => {
    expect(engines.jsonpath('$.list[?@.ok == true]', body)).toBe(1);
    expect(engines.jsonpath('$..id', body)).toBe(2);
    expect(engines.jsonpath('$[?count(@[*]) > 1]', body)).toBe(1);
    expect(engines.jsonpath('$.none', body)).toBe(0);
    expect(engines.jsonpath('$.list[?@.id == value($.list[1].id)]', body)).toBe(1);
    expect(engines.jsonpath('$[?@ == "match(1)"]', ['match(1)'])).toBe(1);
  });

  test('an index in a comparison is refused: the engine would never find it', () => {
    for (const text of ['$[?@.a[0] == 1]', '$[?@.a[0] != 1]', '$.list[?@.id == $.list[1].id]'])
      expect(() => checkJsonpath(text)).toThrow(/value\(/);
    expect(engines.jsonpath('$[?@.a[0]]', [{ a: [1] }, { a: [] }])).toBe(1);
    expect(engines.jsonpath('$[?value(@.a[0]) != 1]', [{ a: [1] }, { a: [2] }])).toBe(1);
  });

  test('own properties count', () => {
    expect(engines.jsonpath('$.constructor', {})).toBe(0);
    expect(engines.jsonpath("$['__proto__']", {})).toBe(0);
  });

  test('read no more than their budget', bound, () => {
    const wide = Array.from({ length: 2_000 }, (_, id) => ({ id }));
    expect(engines.jsonpath('$[?@.id == 7]', wide)).toBe(1);
    expect(() => engines.jsonpath('$[?$[?@.id == $.none]]', wide)).toThrow(BudgetExceeded);
    const deep = JSON.parse('[1,2,3,'.repeat(60) + '0' + ']'.repeat(60)) as never;
    expect(() => engines.jsonpath('$..*..*..*..*', deep)).toThrow(BudgetExceeded);
  });

  test.each([
    '$.done == true',
    '$.a[',
    'a',
    '$[?match(@.a, "x")]',
    '$[?search(@, "(a+)+")]',
    `$${'[?@'.repeat(20)}${']'.repeat(20)}`,
  ])('%s is refused', (text) => {
    expect(() => checkJsonpath(text)).toThrow(ArazzoError);
  });
});

test('a criterion that its engine does not take is found before anything is sent', () => {
  const criterion = { context: '$response.body', type: 'regex', condition: '(?<=a)b' };
  const document = changed((d) => d.workflows.at(1).steps.at(0).successCriteria.push(criterion));
  const { problems } = prepare(document, new Map([['lockers', read('lockers.openapi.yaml')]]));
  expect(problems.map(problemText)).toEqual([
    expect.stringMatching(/^#\/workflows\/1\/steps\/0\/successCriteria\/1\/condition: .*RE2/),
  ]);
});
