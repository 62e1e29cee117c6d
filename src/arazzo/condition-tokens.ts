import { type Expression, parseExpression } from './expression.js';
import { quoted, syntaxError } from './failure.js';
import { limits } from './limits.js';

export type Literal = null | boolean | number | string;

export type Token =
  | { readonly kind: 'operator'; readonly text: Operator }
  | { readonly kind: 'literal'; readonly value: Literal }
  | { readonly kind: 'expression'; readonly expression: Expression }
  | { readonly kind: 'name'; readonly name: string };

const operators = ['<=', '>=', '==', '!=', '&&', '||', '<', '>', '!', '(', ')', '[', ']', '.'] as const;
export type Operator = (typeof operators)[number];

/** An expression ends where a blank or an operator begins; its own dots, slashes and dashes belong to it. */
const expressionText = /^\$[^\s=!<>&|()[\]',]*/u;
const numberText = /^-?\d+(\.\d+)?([eE][+-]?\d{1,3})?(?![\w.])/;
const stringText = /^'((?:[^']|'')*)'/;
const wordText = /^[A-Za-z_][\w-]*/;
const words: Readonly<Record<string, Literal>> = { true: true, false: false, null: null };

/** @throws ArazzoError syntax */
export function tokensOf(text: string): readonly Token[] {
  if (text.length > limits.conditionLength)
    throw syntaxError(`the condition is longer than ${limits.conditionLength} characters`);
  const tokens: Token[] = [];
  let rest = text.trimStart();
  while (rest !== '') {
    const [token, length] = tokenAt(rest, tokens.at(-1));
    tokens.push(token);
    if (tokens.length > limits.conditionNodes)
      throw syntaxError(`the condition has more than ${limits.conditionNodes} operands and operators`);
    rest = rest.slice(length).trimStart();
  }
  return tokens;
}

function tokenAt(rest: string, before: Token | undefined): readonly [Token, length: number] {
  const expression = expressionText.exec(rest)?.[0];
  if (expression !== undefined)
    return [{ kind: 'expression', expression: parseExpression(expression) }, expression.length];
  const [string, content = ''] = stringText.exec(rest) ?? [];
  if (string !== undefined) return [{ kind: 'literal', value: content.replaceAll("''", "'") }, string.length];
  const number = numberText.exec(rest)?.[0];
  if (number !== undefined) return [{ kind: 'literal', value: finite(number) }, number.length];
  const operator = operators.find((one) => rest.startsWith(one));
  if (operator !== undefined) return [{ kind: 'operator', text: operator }, operator.length];
  const word = wordText.exec(rest)?.[0];
  if (word !== undefined) {
    if (before?.kind === 'operator' && before.text === '.') return [{ kind: 'name', name: word }, word.length];
    if (Object.hasOwn(words, word)) return [{ kind: 'literal', value: words[word] ?? null }, word.length];
  }
  if (rest.startsWith("'")) throw syntaxError(`the closing ' is missing after ${quoted(rest)}`);
  if (rest.startsWith('"')) throw syntaxError(`write text in single quotes, at ${quoted(rest)}`);
  if (rest.startsWith('=')) throw syntaxError(`write == to compare, at ${quoted(rest)}`);
  throw syntaxError(`a condition cannot go on with ${quoted(rest)}; write text in single quotes`);
}

function finite(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value)) throw syntaxError(`${quoted(text)} is too large a number`);
  return value;
}
