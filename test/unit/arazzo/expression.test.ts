import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { evaluate, find } from '../../../src/arazzo/evaluate.js';
import { formatExpression, parseExpression } from '../../../src/arazzo/expression.js';
import { ArazzoError } from '../../../src/arazzo/failure.js';
import { formatPointer, parsePointer, replacedAt, valueAt } from '../../../src/arazzo/pointer.js';
import { fill, parseTemplate } from '../../../src/arazzo/template.js';
import { scope } from './documents.js';

const value = (text: string): unknown => evaluate(parseExpression(text), scope);

/** Fails unless the action returns or throws an ArazzoError. */
function onlyItsOwnError(action: () => unknown): void {
  try {
    action();
  } catch (error) {
    expect(error).toBeInstanceOf(ArazzoError);
  }
}

describe('runtime expressions', () => {
  test.each([
    ['$url', 'https://lockers.example/v2/x'],
    ['$method', 'POST'],
    ['$statusCode', 200],
    ['$request.header.X-Trace', 't'],
    ['$request.query.q', '1'],
    ['$request.path.site', 'p'],
    ['$request.body#/sent', true],
    ['$response.header.Retry-After', '3'],
    ['$response.body#/list/0/id', 'one'],
    ['$response.body#/a~1b', 'slash'],
    ['$response.body#/none', null],
    ['$inputs.size', 'L'],
    ['$inputs.dotted.name', 1],
    ['$inputs.deep.a.0.b', true],
    ['$inputs.deep#/a/0/b', true],
    ['$outputs.first', 'F'],
    ['$steps.add.outputs.locker', 'L-7'],
    ['$steps.add.outputs.list#/1', 2],
    ['$workflows.look.inputs.site', 'x'],
    ['$workflows.look.outputs.first', 9],
    ['$sourceDescriptions.lockers.url', './lockers.openapi.yaml'],
  ])('%s is %j, with its type', (text, expected) => {
    expect(value(text)).toEqual(expected);
  });

  test.each([
    '',
    '$',
    '$Inputs.a',
    '$inputs',
    '$inputs.',
    '$steps.a',
    '$steps.a.b.c',
    '$workflows.a.steps.b',
    '$response.body/x',
    '$response.body#x',
    '$response.body#/~2',
    '$response.query.a',
    '$response.path.a',
    '$request.cookie.a',
    '$request.header.a b',
    '$components.schemas.a',
    '$statusCode.x',
    '$5.00',
  ])('%j is refused when it is read', (text) => {
    expect(() => parseExpression(text)).toThrow(ArazzoError);
  });

  test.each([
    '$inputs.absent',
    '$inputs.constructor',
    '$inputs.__proto__',
    '$inputs.size.length',
    '$steps.toString.outputs.name',
    '$response.body#/list/1',
    '$response.body#/list/-1',
    '$response.body#/list/00',
    '$response.body#/list/length',
    '$response.body#/constructor/name',
    '$response.header.constructor',
    '$components.parameters.site',
    '$sourceDescriptions.lockers.toString',
  ])('%s has no value: only own properties and existing items count', (text) => {
    expect(() => value(text)).toThrow(/has no value/);
  });

  test('after a transport failure there is no answer to speak of', () => {
    const { url, method, request } = scope.call ?? {
      url: '',
      method: '',
      request: { headers: {}, query: {}, path: {} },
    };
    expect(find(parseExpression('$statusCode'), { ...scope, call: { url, method, request } })).toBeUndefined();
  });

  test('what is read and written again is the same', () => {
    const name = fc.stringMatching(/^[A-Za-z_][\w-]{0,8}$/);
    const pointer = fc.array(fc.string(), { maxLength: 3 }).map((path) => formatPointer(path));
    const hash = pointer.map((text) => (text === '' ? '' : `#${text}`));
    const texts = fc.oneof(
      fc.tuple(fc.constantFrom('$inputs.', '$outputs.', '$steps.s.outputs.', '$workflows.w.inputs.'), name, hash),
      fc.tuple(fc.constantFrom('$response.body', '$request.body'), hash),
      fc.tuple(fc.constantFrom('$request.header.', '$request.query.', '$components.parameters.'), name),
    );
    fc.assert(
      fc.property(texts, (parts) => {
        const text = parts.join('');
        expect(formatExpression(parseExpression(text))).toBe(text);
      }),
    );
  });

  test('no text makes reading or evaluating throw anything but its own error', () => {
    const pieces = fc.constantFrom(
      '$',
      '{',
      '}',
      'steps',
      '.',
      '#',
      '/',
      '~',
      'inputs',
      'body',
      'response',
      '__proto__',
      'outputs',
      'a',
    );
    const hostile = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(pieces, { maxLength: 12 }).map((all) => all.join('')),
    );
    fc.assert(
      fc.property(hostile, (text) => {
        onlyItsOwnError(() => evaluate(parseExpression(text), scope));
        onlyItsOwnError(() => evaluate(parseExpression(`$response.body#${text}`), scope));
        onlyItsOwnError(() => fill(`x${text}`, scope));
      }),
      { numRuns: 500 },
    );
  });
});

describe('pointers', () => {
  test('every place of a value is found by its pointer, and replaced without changing the rest', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' }), { maxLength: 6 }), (path) => {
        expect(parsePointer(formatPointer(path))).toEqual(path);
        const nested = path.reduceRight<object | number>(
          (inner, key) => Object.fromEntries([[key, inner]]),
          1,
        ) as never;
        expect(valueAt(nested, path)).toBe(1);
        expect(valueAt(replacedAt(nested, path, 2) ?? null, path)).toBe(2);
        expect(valueAt(nested, path)).toBe(1);
      }),
    );
  });

  test('nothing is replaced that is not there', () => {
    expect(replacedAt({ a: [1] }, ['a', '1'], 2)).toBeUndefined();
    expect(replacedAt({ a: [1] }, ['a', '-'], 2)).toBeUndefined();
    expect(replacedAt({}, ['__proto__', 'polluted'], true)).toBeUndefined();
  });
});

describe('embedded expressions', () => {
  test('a whole expression keeps its type, an embedded one becomes text', () => {
    expect(fill({ a: '$statusCode', b: '{$statusCode}', c: 'x{$inputs.size}y{$statusCode}' }, scope)).toEqual({
      a: 200,
      b: '200',
      c: 'xLy200',
    });
  });

  test('other braces are text', () => {
    expect(fill('{"a":{"b":"{$inputs.size}"}}', scope)).toBe('{"a":{"b":"L"}}');
  });

  test.each(['$5.00', '$unknown', 'x {$inputs.size', 'x {$nope}'])('%j is refused, never sent as it stands', (text) => {
    expect(() => parseTemplate(text)).toThrow(ArazzoError);
  });

  test.each(['x{$inputs.absent}', '$inputs.absent', 'x{$response.body#/none}', 'x{$inputs.deep}'])(
    '%j cannot be filled, and is not sent as empty text',
    (text) => {
      expect(() => fill(text, scope)).toThrow(ArazzoError);
    },
  );
});
