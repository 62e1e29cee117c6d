import { stripVTControlCharacters, styleText } from 'node:util';
import type { KeyturnError } from '../domain/errors.js';
import { plainJson } from '../domain/foreignText.js';

/** A stream of the process, or of a test. */
export interface TextStream {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
}

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow';

/**
 * What a command may say. stdout is for the answer: with --json one envelope per answer, else text. stderr is for talk.
 * Text given to it is cleaned of control characters and terminal escapes, wherever it comes from.
 */
export interface Output {
  readonly json: boolean;
  /** An answer on stdout: `data` with --json, else `text`. */
  answer(data: unknown, text?: string): void;
  /** True once there was an answer. */
  readonly hasAnswered: boolean;
  /** Part of the answer's `warnings` with --json, else a line on stderr. */
  warn(message: string): void;
  /** A line on stderr. */
  say(message: string): void;
  fail(error: KeyturnError): void;
  /** Colours for stdout; plain text where it is no terminal, with --json or with NO_COLOR. */
  style(style: Style, text: string): string;
}

export function createOutput(options: {
  readonly json: boolean;
  readonly stdout: TextStream;
  readonly stderr: TextStream;
  readonly env: Readonly<NodeJS.ProcessEnv>;
}): Output {
  const { json, stdout, stderr, env } = options;
  const mayStyle = (stream: TextStream): boolean => stream.isTTY === true && !env.NO_COLOR && !json;
  /** What `style` made: the only escapes that may pass. */
  const made = new Set<string>();
  const styledOn = (stream: TextStream, style: Style, text: string): string => {
    if (!mayStyle(stream)) return clean(text);
    const styled = styleText(style, clean(text), { validateStream: false });
    made.add(styled);
    return styled;
  };
  const shown = (text: string): string =>
    text
      .split(coloured)
      .map((part) => (made.has(part) ? part : clean(part)))
      .join('');
  const warnings: string[] = [];
  let hasAnswered = false;

  const envelope = (content: object): void => {
    hasAnswered = true;
    stdout.write(`${plainJson(JSON.stringify({ ...content, warnings }))}\n`);
  };
  const line = (text: string): unknown => stderr.write(`${text}\n`);

  return {
    json,
    get hasAnswered() {
      return hasAnswered;
    },
    answer(data, text) {
      if (json) envelope({ ok: true, data: data ?? null });
      else if (text !== undefined && text !== '') stdout.write(`${shown(text)}\n`);
    },
    warn(message) {
      if (json) warnings.push(clean(message));
      else line(`${styledOn(stderr, 'yellow', 'warning:')} ${indented(message)}`);
    },
    say: (message) => line(indented(message)),
    fail({ code, message, hint }) {
      if (json) {
        envelope({ ok: false, error: { code, message: clean(message), hint: clean(hint) } });
        return;
      }
      line(`${styledOn(stderr, 'red', `error ${code}:`)} ${indented(message)}`);
      if (hint !== '') line(indented(hint));
    },
    style: (style, text) => styledOn(stdout, style, text),
  };
}

/** Cleaned, and no line after the first poses as one of its own. */
const indented = (text: string): string => clean(text).replaceAll(/\n(?=\S)/g, '\n  ');

/** A piece of text between two escapes that set colours. */
const coloured = /(\p{Cc}\[\d+m\P{Cc}*\p{Cc}\[\d+m)/u;

/** Control characters but line break and tab, marks without width or of direction, and other line breaks. */
const unsafe = /[^\P{Cc}\n\t]|[\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** Foreign text, safe to show on a terminal: without escapes and control characters. Line breaks and tabs stay. */
export function clean(text: string): string {
  return stripVTControlCharacters(text).replaceAll(unsafe, '');
}
