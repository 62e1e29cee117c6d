import { evaluate, type Scope } from './evaluate.js';
import { type Expression, parseExpression } from './expression.js';
import { ArazzoError, quoted, syntaxError } from './failure.js';
import { isList, isObject, type Json } from './json.js';
import { limits } from './limits.js';

/** Text of the document as a value: one expression, whose value keeps its type, or text with embedded expressions. */
export type Template =
  | { readonly kind: 'expression'; readonly expression: Expression }
  | { readonly kind: 'text'; readonly parts: readonly (string | Expression)[] };

/**
 * Text that begins with `$` is an expression, and `{$` begins an embedded one: never sent as it stands.
 * @throws ArazzoError syntax
 */
export function parseTemplate(text: string): Template {
  if (text.startsWith('$')) return { kind: 'expression', expression: parseExpression(text) };
  const parts: (string | Expression)[] = [];
  let at = 0;
  for (;;) {
    const start = text.indexOf('{$', at);
    if (start < 0) break;
    const end = text.indexOf('}', start);
    if (end < 0) throw syntaxError(`in ${quoted(text)} the "}" after "{$" is missing`);
    if (start > at) parts.push(text.slice(at, start));
    parts.push(parseExpression(text.slice(start + 1, end)));
    at = end + 1;
  }
  if (at < text.length) parts.push(text.slice(at));
  return { kind: 'text', parts };
}

/** Every expression in a value: in its texts, at any depth. @throws ArazzoError syntax */
export function expressionsIn(value: Json): readonly Expression[] {
  if (typeof value === 'string') {
    const template = parseTemplate(value);
    return template.kind === 'expression'
      ? [template.expression]
      : template.parts.filter((part) => typeof part !== 'string');
  }
  if (isList(value)) return value.flatMap(expressionsIn);
  return isObject(value) ? Object.values(value).flatMap(expressionsIn) : [];
}

/**
 * The value with its expressions replaced by what they stand for. Keys are left as they are.
 * @param escape makes a value safe within its text, for example within JSON
 * @throws ArazzoError syntax, unresolved, unsendable
 */
export function fill(value: Json, scope: Scope, escape: (text: string) => string = (text) => text): Json {
  if (typeof value === 'string') {
    const template = parseTemplate(value);
    if (template.kind === 'expression') return evaluate(template.expression, scope);
    return template.parts.reduce<string>((text, part) => {
      const longer = text + (typeof part === 'string' ? part : escape(asText(evaluate(part, scope), value)));
      if (longer.length <= limits.requestLength) return longer;
      throw new ArazzoError(
        'unsendable',
        `${quoted(value)} would become longer than ${limits.requestLength} characters`,
      );
    }, '');
  }
  if (isList(value)) return value.map((item) => fill(item, scope, escape));
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fill(item, scope, escape)]));
}

/** A number, a boolean or text, as text. @throws ArazzoError unsendable for null, lists and objects */
export function asText(value: Json, place: string): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  const what = value === null ? 'null' : isList(value) ? 'a list' : 'an object';
  throw new ArazzoError(
    'unsendable',
    `${quoted(place)} would hold ${what}: text, a number or a boolean can stand there`,
  );
}
