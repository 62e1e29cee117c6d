/** What people write in keyturn.yaml, and what they are shown. */
import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { isoOrNull } from '../../../src/domain/instant.js';
import { formatDuration, parseDuration } from '../../../src/domain/duration.js';
import { parseSecretRef } from '../../../src/domain/secret-ref.js';
import { Secret } from '../../../src/domain/secret.js';

describe('a duration', () => {
  test.each([
    ['0s', 0],
    ['250ms', 250],
    ['1500ms', 1_500],
    ['10s', 10_000],
    ['90s', 90_000],
    ['5m', 300_000],
    ['6h', 21_600_000],
    ['30d', 2_592_000_000],
    ['104249991d', 9_007_199_222_400_000],
  ])('%s is read, and written again in the same way', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
    expect(formatDuration(ms)).toBe(text);
  });

  test('is written in the largest unit that is exact', () => {
    expect([60_000, 3_600_000, 86_400_000, 86_460_000, 1].map(formatDuration)).toEqual([
      '1m',
      '1h',
      '1d',
      '1441m',
      '1ms',
    ]);
  });

  test.each(['', '5', 's', '5 m', ' 5m', '5m ', '-5m', '1.5h', '5M', '5w', '5minutes', '1h30m', '1234567890123s'])(
    '%j is none',
    (text) => {
      expect(parseDuration(text)).toBeUndefined();
    },
  );

  test('that milliseconds cannot count exactly is none', () => {
    expect(parseDuration('999999999999d')).toBeUndefined();
  });
});

describe('a reference to a secret', () => {
  test('names an environment variable or a file', () => {
    expect(parseSecretRef('${env:_KEY_2}')).toEqual({ from: 'env', name: '_KEY_2' });
    expect(parseSecretRef('${env:K}')).toEqual({ from: 'env', name: 'K' });
    expect(parseSecretRef('${file:../secrets/a key.txt}')).toEqual({ from: 'file', path: '../secrets/a key.txt' });
  });

  test.each([
    'hunter2',
    '',
    '${env:}',
    '${env:2K}',
    '${env:A-B}',
    '${file:}',
    '${file:a{b}',
    '${file:a}b}',
    '${file:a\nb}',
    'x${env:K}',
    '${env:K}x',
    'x${file:k}',
    '${file:k}x',
    '${vault:K}',
  ])('%j is none', (text) => {
    expect(parseSecretRef(text)).toBeUndefined();
  });
});

test('an instant that never comes is shown as none', () => {
  expect([isoOrNull(0), isoOrNull(Number.POSITIVE_INFINITY), isoOrNull(null)]).toEqual([
    '1970-01-01T00:00:00.000Z',
    null,
    null,
  ]);
});

test('a secret shows itself to nobody who does not ask for it by name', () => {
  const box = new Secret('hunter2');
  expect(box.reveal()).toBe('hunter2');
  expect([String(box), JSON.stringify({ box }), inspect(box), inspect({ deep: [box] }), `${String(box)}`]).toEqual([
    '[secret]',
    '{"box":"[secret]"}',
    '[secret]',
    '{ deep: [ [secret] ] }',
    '[secret]',
  ]);
});
