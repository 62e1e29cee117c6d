import { KeyturnError } from '../domain/errors.js';
import { Secret } from '../domain/secret.js';
import type { TextStream } from './output.js';

const maxInputBytes = 64 * 1024;

/** stdin of the process, or of a test. */
export interface InputStream extends AsyncIterable<Uint8Array | string> {
  readonly isTTY?: boolean | undefined;
  setRawMode?(mode: boolean): unknown;
}

/**
 * Reads stdin to its end: one JSON object of at most 64 KiB. No message quotes it.
 * @throws KeyturnError KT-INPUT
 */
export async function readJsonObject(stdin: InputStream): Promise<Readonly<Record<string, unknown>>> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of stdin) {
    const part = Buffer.from(chunk);
    bytes += part.length;
    if (bytes > maxInputBytes) throw new KeyturnError('KT-INPUT', 'stdin holds more than 64 KiB');
    chunks.push(part);
  }
  const value = parsed(Buffer.concat(chunks).toString('utf8'));
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new KeyturnError('KT-INPUT', 'stdin must hold one JSON object, for example {"apiKey":"…"}');
  }
  return Object.fromEntries(Object.entries(value));
}

function parsed(text: string): unknown {
  if (text.trim() === '') throw new KeyturnError('KT-INPUT', 'stdin is empty: it must hold one JSON object');
  try {
    return JSON.parse(text);
  } catch {
    // The parser's own message quotes the text, which holds secrets.
    throw new KeyturnError('KT-INPUT', 'stdin does not hold valid JSON');
  }
}

/**
 * Asks on a terminal without showing what is typed or pasted. The question goes to `talk` (stderr).
 * @throws KeyturnError KT-INPUT when there is no terminal or the input ends; KT-INTERRUPTED at Ctrl-C
 */
export async function readHidden(question: string, stdin: InputStream, talk: TextStream): Promise<Secret> {
  if (stdin.isTTY !== true || stdin.setRawMode === undefined) {
    throw new KeyturnError('KT-INPUT', 'there is no terminal to ask on: give the values as one JSON object on stdin');
  }
  talk.write(`${question}: `);
  stdin.setRawMode(true);
  let typed = '';
  try {
    for await (const chunk of iterateOpen(stdin)) {
      for (const key of Buffer.from(chunk).toString('utf8')) {
        if (key === '\r' || key === '\n') return new Secret(typed);
        if (key === '\u0003') throw new KeyturnError('KT-INTERRUPTED', 'interrupted: nothing was changed');
        if (key === '\u0004') throw new KeyturnError('KT-INPUT', 'the input ended: nothing was changed');
        typed = key === '\u007f' || key === '\b' ? Array.from(typed).slice(0, -1).join('') : typed + key;
      }
    }
    throw new KeyturnError('KT-INPUT', 'the input ended: nothing was changed');
  } finally {
    stdin.setRawMode(false);
    talk.write('\n');
  }
}

/** Leaves the stream open for the next question. */
function iterateOpen(stdin: InputStream): AsyncIterable<Uint8Array | string> {
  return 'iterator' in stdin && typeof stdin.iterator === 'function'
    ? stdin.iterator.call(stdin, { destroyOnReturn: false })
    : stdin;
}
