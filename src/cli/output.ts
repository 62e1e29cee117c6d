import { stripVTControlCharacters, styleText } from 'node:util';
import type { KeyturnError } from '../domain/errors.js';

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
  const styledOn = (stream: TextStream, style: Style, text: string): string =>
    mayStyle(stream) ? styleText(style, clean(text), { validateStream: false }) : clean(text);
  const shown = (stream: TextStream, text: string): string => (mayStyle(stream) ? cleanButColours(text) : clean(text));
  const warnings: string[] = [];
  let hasAnswered = false;

  const envelope = (content: object): void => {
    hasAnswered = true;
    stdout.write(`${JSON.stringify({ ...content, warnings })}\n`);
  };
  const line = (text: string): unknown => stderr.write(`${text}\n`);

  return {
    json,
    get hasAnswered() {
      return hasAnswered;
    },
    answer(data, text) {
      if (json) envelope({ ok: true, data: data ?? null });
      else if (text !== undefined && text !== '') stdout.write(`${shown(stdout, text)}\n`);
    },
    warn(message) {
      if (json) warnings.push(clean(message));
      else line(`${styledOn(stderr, 'yellow', 'warning:')} ${clean(message)}`);
    },
    say: (message) => line(clean(message)),
    fail({ code, message, hint }) {
      if (json) {
        envelope({ ok: false, error: { code, message: clean(message), hint: clean(hint) } });
        return;
      }
      line(`${styledOn(stderr, 'red', `error ${code}:`)} ${clean(message)}`);
      if (hint !== '') line(clean(hint));
    },
    style: (style, text) => styledOn(stdout, style, text),
  };
}

/** Control characters but line break and tab, and the marks that turn the direction of what follows. */
const unsafe = /[^\P{Cc}\n\t]|[\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/** Foreign text, safe to show on a terminal: without escapes and control characters. Line breaks and tabs stay. */
export function clean(text: string): string {
  return stripVTControlCharacters(text).replaceAll(unsafe, '');
}

/** Keeps what `style` has made; foreign text in it went through `style` or a table, and so is clean already. */
function cleanButColours(text: string): string {
  return text
    .split(/(\x1b\[\d{1,2}m)/)
    .map((part, index) => (index % 2 === 1 ? part : clean(part)))
    .join('');
}
