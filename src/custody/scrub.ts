/**
 * Finds living secrets in text that is about to leave the process, in the forms in which they slip out: as they are, JSON-escaped,
 * URL- and form-encoded, hex, and base64 at any offset (so also inside a Basic authorization). The last line of defence, not the first.
 */
import type { Secret } from '../domain/secret.js';

export interface Scrubber {
  add(secret: Secret): void;
  addAll(fields: Readonly<Record<string, Secret>>): void;
  /** The text with `[secret]` in place of every form of every registered secret. */
  scrub(text: string): string;
}

/** Beyond it the ones that were added longest ago are forgotten. */
const MAX_SECRETS = 1_000;
/** Anything shorter would be found in ordinary words. */
const MIN_LENGTH = 6;
/** Each place in the text is looked up by its next characters: the cost does not grow with the number of secrets. */
const GRAM = 4;

export function createScrubber(): Scrubber {
  const secrets = new Map<string, readonly string[]>();
  const byGram = new Map<string, Set<string>>();

  function add(secret: Secret): void {
    const value = secret.reveal();
    if (value.length < MIN_LENGTH) return;
    const forms = secrets.get(value) ?? formsOf(value);
    secrets.delete(value);
    secrets.set(value, forms);
    for (const form of forms) index(form);
    const [oldest] = secrets.keys();
    if (secrets.size > MAX_SECRETS && oldest !== undefined) forget(oldest);
  }

  function index(form: string): void {
    const gram = form.slice(0, GRAM);
    const found = byGram.get(gram);
    if (found) found.add(form);
    else byGram.set(gram, new Set([form]));
  }

  function forget(value: string): void {
    for (const form of secrets.get(value) ?? []) {
      const found = byGram.get(form.slice(0, GRAM));
      found?.delete(form);
      if (found?.size === 0) byGram.delete(form.slice(0, GRAM));
    }
    secrets.delete(value);
  }

  function matchAt(text: string, at: number): number {
    let longest = 0;
    for (const form of byGram.get(text.slice(at, at + GRAM)) ?? []) {
      if (form.length > longest && text.startsWith(form, at)) longest = form.length;
    }
    return longest;
  }

  function scrub(text: string): string {
    let clean = '';
    let from = 0;
    for (let at = 0; at < text.length;) {
      const length = matchAt(text, at);
      if (length === 0) {
        at++;
        continue;
      }
      clean += `${text.slice(from, at)}[secret]`;
      at += length;
      from = at;
    }
    return clean + text.slice(from);
  }

  return { add, addAll: (fields) => Object.values(fields).forEach(add), scrub };
}

function formsOf(value: string): readonly string[] {
  const bytes = Buffer.from(value);
  const hex = bytes.toString('hex');
  const url = encodeURIComponent(value);
  const form = new URLSearchParams([['', value]]).toString().slice(1);
  const forms = [value, JSON.stringify(value).slice(1, -1), hex, hex.toUpperCase(), ...base64Forms(bytes)];
  for (const encoded of [url, form])
    forms.push(
      encoded,
      encoded.replace(/%../g, (escape) => escape.toLowerCase()),
    );
  return [...new Set(forms)].filter((text) => text.length >= MIN_LENGTH);
}

/** Where the secret starts within a group of three bytes decides its characters; those it shares with its neighbours are left out. */
function base64Forms(bytes: Buffer): readonly string[] {
  const whole = bytes.toString('base64');
  const shifted = [0, 1, 2].map((offset) => {
    const text = Buffer.concat([Buffer.alloc(offset), bytes]).toString('base64');
    return text.slice(Math.ceil((offset * 8) / 6), Math.floor(((offset + bytes.length) * 8) / 6));
  });
  const standard = [whole, whole.replace(/=+$/, ''), ...shifted];
  return [...standard, ...standard.map((text) => text.replaceAll('+', '-').replaceAll('/', '_'))];
}
