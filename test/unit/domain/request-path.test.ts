import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { pathProblem } from '../../../src/domain/requestPath.js';

describe('a request path', () => {
  test.each([
    '/',
    '/branches',
    '/branches?limit=1&filter=a%2Fb&next=//x/../y',
    '/loans/8a81%208f/transactions',
    '/a.b/..c/c../...',
    '/deposits:search;v=2',
    `/${'x'.repeat(2_047)}`,
  ])('%s is taken', (path) => {
    expect(pathProblem(path)).toBeNull();
  });

  test.each([
    ['no leading slash', 'branches'],
    ['empty', ''],
    ['an absolute URL', 'https://evil.example/branches'],
    ['a scheme-relative URL', '//evil.example/branches'],
    ['an empty segment', '/a//b'],
    ['a trailing double slash', '/a//'],
    ['a parent', '/a/../b'],
    ['a parent at the end', '/a/..'],
    ['a parent before the query', '/..?x=1'],
    ['the folder itself', '/./a'],
    ['a parent with parameters, as Tomcat reads it', '/a/..;x=1/b'],
    ['encoded dots', '/a/%2e%2E/b'],
    ['half encoded dots', '/a/.%2e/b'],
    ['an encoded slash', '/a%2fb'],
    ['an encoded slash in capitals', '/a%2Fb'],
    ['an encoded backslash', '/a%5cb'],
    ['doubly encoded dots', '/a/%252e%252e/b'],
    ['trebly encoded slash', '/a%25252Fb'],
    ['an encoded line break', '/a%0d%0aHost:%20b'],
    ['an encoded zero', '/a%00'],
    ['a backslash', '/a\\b'],
    ['a backslash in the query', '/a?b=\\'],
    ['a fragment', '/a#b'],
    ['a space', '/a b'],
    ['a tab', '/a\tb'],
    ['a line break', '/a\nHost: b'],
    ['a zero', '/a\u0000'],
    ['a delete', '/a\u007f'],
    ['non-ASCII', '/straße'],
    ['a full-width slash', '/a\uff0fb'],
    ['an emoji', '/a\u{1f600}'],
    ['more than 2048 characters', `/${'x'.repeat(2_048)}`],
  ])('with %s is refused', (_name, path) => {
    expect(pathProblem(path)).toMatch(/^must /);
  });

  test.each([undefined, null, 7, {}, ['/a']])('that is no text is refused: %s', (path) => {
    expect(pathProblem(path)).toMatch(/^must be a text/);
  });

  test('that is taken never leaves the base URL and is read in one way only', () => {
    const piece = fc.constantFrom('/', '.', '..', '%2e', '%2f', '\\', 'a', '?', '#', ';', '@', ':', '//', '%', '%25');
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const path = pieces.join('');
        if (pathProblem(path) !== null) return;
        const url = `https://acme.mambu.com/api${path}`;
        expect(new URL(url).href).toBe(url);
      }),
      { numRuns: 5_000 },
    );
  });
});
