import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Condition, comparisons, parseCondition } from '../../../src/arazzo/condition.js';
import { holds } from '../../../src/arazzo/condition-value.js';
import { allHold } from '../../../src/arazzo/criteria.js';
import { formatExpression, parseExpression } from '../../../src/arazzo/expression.js';
import { ArazzoError } from '../../../src/arazzo/failure.js';
import { limits } from '../../../src/arazzo/limits.js';
import { checkQuery } from '../../../src/arazzo/query-shape.js';
import { scope } from './documents.js';

const isTrue = (text: string): boolean => holds(parseCondition(text), scope);

describe('simple conditions', () => {
  test.each([
    '$statusCode == 200',
    '$statusCode==200',
    '$statusCode >= 200 && $statusCode < 300',
    '$statusCode <= 200 && $statusCode > 199.5 && $statusCode != 2e3',
    "$response.body#/state == 'ACTIVE'",
    "'it''s' == 'IT''S'",
    "'abc' < 'ABD'",
    '!($statusCode == 404)',
    '$response.body#/done',
    '!false && true',
    'false || true && true',
    'true || false && false',
    '(true || false) && true',
    "$response.body#/list[0].id == 'one'",
    "$response.body#/list[0]['id'] == 'one'",
    '$response.body#/none == null',
    "'x' != null",
    '-1 < 0',
    '$inputs.absent == 1 || $statusCode == 200',
  ])('%s holds', (text) => {
    expect(isTrue(text)).toBe(true);
  });

  test.each([
    '$statusCode == 201',
    "$response.body#/state == 'x'",
    'true && false',
    '(true || true) && false',
    '!$response.body#/done',
    'null < 1',
    "$response.body#/list[1].id == 'one'",
  ])('%s does not hold', (text) => {
    expect(isTrue(text)).toBe(false);
  });

  test.each([
    '$inputs.absent == 1',
    "$statusCode == '200'",
    '$response.body#/list == 1',
    '$response.body#/n',
    "'true'",
  ])('of %s neither it nor its opposite holds: it cannot be known', (text) => {
    expect(isTrue(text)).toBe(false);
    expect(isTrue(`!(${text})`)).toBe(false);
  });

  test.each([
    ['', 'ends where'],
    ['$statusCode = 200', 'write =='],
    ['$statusCode == ', 'ends where'],
    ['$statusCode == "200"', 'single quotes'],
    ['$response.body#/a == active', 'single quotes'],
    ["'open", 'closing'],
    ['(true', '")" is missing'],
    ['true)', 'should end'],
    ['1 < 2 < 3', 'two values only'],
    ['$statusCode === 200', 'write =='],
    ['a + b', 'single quotes'],
    ['1e999 > 1', 'too large'],
    ['$nope == 1', 'not a runtime expression'],
    ['(true).1', 'cannot go on|name must follow'],
  ])('%j is refused: %s', (text, message) => {
    expect(() => parseCondition(text)).toThrow(new RegExp(message.replace(/[()"]/g, '\\$&')));
    expect(() => parseCondition(text)).toThrow(ArazzoError);
  });

  test('long, deep and wide conditions are refused', () => {
    expect(() => parseCondition(' '.repeat(limits.conditionLength + 1))).toThrow(/longer/);
    expect(() => parseCondition(`${'('.repeat(400)}true`)).toThrow(/deeper/);
    expect(() => parseCondition(`${'!'.repeat(400)}true`)).toThrow(/deeper/);
    expect(() => parseCondition(Array.from({ length: 400 }, () => '1==1').join('&&'))).toThrow(/more than/);
  });

  test('what is written is read again as the same', () => {
    fc.assert(
      fc.property(conditions, (condition) => {
        expect(parseCondition(written(condition))).toEqual(condition);
      }),
    );
  });

  test('no text makes reading or evaluating throw anything but its own error', () => {
    const pieces = fc.constantFrom(
      '$statusCode',
      '$response.body#/list',
      '(',
      ')',
      '[',
      ']',
      '.',
      '!',
      '==',
      '<',
      '&&',
      '||',
      "'a'",
      '1',
      'null',
      'x',
      ' ',
    );
    const hostile = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(pieces, { maxLength: 20 }).map((all) => all.join('')),
    );
    fc.assert(
      fc.property(hostile, (text) => {
        try {
          expect(typeof isTrue(text)).toBe('boolean');
        } catch (error) {
          expect(error).toBeInstanceOf(ArazzoError);
        }
      }),
      { numRuns: 1000 },
    );
  });
});

const { tree: conditions } = fc.letrec<{ tree: Condition }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.oneof(
      fc
        .oneof(fc.boolean(), fc.constant(null), fc.string(), fc.integer())
        .map((value) => ({ kind: 'literal', value }) as const),
      fc
        .constantFrom('$statusCode', '$inputs.a-b', '$response.body#/a/0')
        .map((text) => ({ kind: 'expression', expression: parseExpression(text) }) as const),
    ),
    fc.record({ kind: fc.constant('not' as const), of: tie('tree') }),
    fc.record({ kind: fc.constant('member' as const), of: tie('tree'), key: tie('tree') }),
    fc.record({
      kind: fc.constant('compare' as const),
      by: fc.constantFrom(...comparisons),
      left: tie('tree'),
      right: tie('tree'),
    }),
    fc.record({ kind: fc.constantFrom('and' as const, 'or' as const), left: tie('tree'), right: tie('tree') }),
  ),
}));

function written(condition: Condition): string {
  switch (condition.kind) {
    case 'literal':
      return typeof condition.value === 'string'
        ? `'${condition.value.replaceAll("'", "''")}'`
        : String(condition.value);
    case 'expression':
      return formatExpression(condition.expression);
    case 'member':
      return `(${written(condition.of)})[${written(condition.key)}]`;
    case 'not':
      return `!(${written(condition.of)})`;
    case 'compare':
      return `(${written(condition.left)}) ${condition.by} (${written(condition.right)})`;
    case 'and':
      return `(${written(condition.left)}) && (${written(condition.right)})`;
    case 'or':
      return `(${written(condition.left)}) || (${written(condition.right)})`;
    default:
      return condition satisfies never;
  }
}

describe('criteria', () => {
  const engines = { regex: (pattern: string, text: string) => pattern === `^${text}$`, jsonpath: () => 1 };
  const context = parseExpression('$statusCode');
  const simple = (text: string) => ({ at: [], type: 'simple', condition: parseCondition(text) }) as const;

  test('all must hold', () => {
    expect(allHold([simple('true'), simple('$statusCode == 200')], scope, engines)).toBe(true);
    expect(allHold([simple('true'), simple('$statusCode == 500')], scope, engines)).toBe(false);
    expect(allHold([], scope, engines)).toBe(true);
  });

  test('a regular expression sees text, numbers and booleans; a query selects at least one node', () => {
    expect(allHold([{ at: [], type: 'regex', context, condition: '^200$' }], scope, engines)).toBe(true);
    const body = parseExpression('$response.body');
    expect(allHold([{ at: [], type: 'regex', context: body, condition: '^[object Object]$' }], scope, engines)).toBe(
      false,
    );
    expect(allHold([{ at: [], type: 'jsonpath', context: body, condition: '$.n' }], scope, engines)).toBe(true);
    const none = { ...engines, jsonpath: () => 0 };
    expect(allHold([{ at: [], type: 'jsonpath', context: body, condition: '$.n' }], scope, none)).toBe(false);
  });

  test('without its context a criterion does not hold', () => {
    const absent = parseExpression('$inputs.absent');
    expect(allHold([{ at: [], type: 'jsonpath', context: absent, condition: '$' }], scope, engines)).toBe(false);
  });

  test.each(['$.done == true', 'done', '$[?@.a == 1', '$]'])('%s is refused as a JSONPath query', (text) => {
    expect(() => checkQuery(text)).toThrow(ArazzoError);
  });

  test.each(['$', "$['a=b']", '$[?@.done == true]', '$..pets[?count(@.x) > 0]'])('%s is accepted', (text) => {
    expect(() => checkQuery(text)).not.toThrow();
  });
});
