import { syntaxError, quoted } from './failure.js';
import { isList, isObject, type Json, own, type Path } from './json.js';

/** Unescaped reference tokens of a JSON Pointer (RFC 6901); none for the whole value. @throws ArazzoError syntax */
export function parsePointer(text: string): readonly string[] {
  if (text === '') return [];
  if (!text.startsWith('/')) throw syntaxError(`${quoted(text)} is not a JSON pointer: it must start with "/"`);
  if (/~(?![01])/.test(text)) throw syntaxError(`${quoted(text)} is not a JSON pointer: write "~" as "~0"`);
  return text
    .slice(1)
    .split('/')
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'));
}

export const formatPointer = (path: Path): string =>
  path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');

/** What stands at the pointer, by own properties and existing indexes only; undefined where nothing does. */
export function valueAt(value: Json, tokens: readonly string[]): Json | undefined {
  let at: Json | undefined = value;
  for (const token of tokens) {
    at = at === undefined ? undefined : child(at, token);
    if (at === undefined) return undefined;
  }
  return at;
}

/** A property or element. Of a string there is none. */
export function child(value: Json, token: string): Json | undefined {
  if (isList(value)) return isIndex(token) ? value[Number(token)] : undefined;
  return isObject(value) ? own(value, token) : undefined;
}

/** A copy with another value in an existing place; undefined where the place does not exist. */
export function replacedAt(value: Json, tokens: readonly string[], replacement: Json): Json | undefined {
  const [token, ...rest] = tokens;
  if (token === undefined) return replacement;
  const before = child(value, token);
  const after = before === undefined ? undefined : replacedAt(before, rest, replacement);
  if (after === undefined) return undefined;
  if (isList(value)) return value.with(Number(token), after);
  return isObject(value)
    ? Object.fromEntries(Object.entries(value).map(([key, old]) => [key, key === token ? after : old]))
    : undefined;
}

const isIndex = (token: string): boolean => /^(0|[1-9]\d{0,8})$/.test(token);
