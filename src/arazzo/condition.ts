import type { Expression } from './expression.js';
import { quoted, syntaxError } from './failure.js';
import { limits } from './limits.js';
import { type Literal, type Operator, type Token, tokensOf } from './condition-tokens.js';

export const comparisons = ['==', '!=', '<', '<=', '>', '>='] as const;
export type Comparison = (typeof comparisons)[number];

/** A `simple` condition, parsed. */
export type Condition =
  | { readonly kind: 'literal'; readonly value: Literal }
  | { readonly kind: 'expression'; readonly expression: Expression }
  | { readonly kind: 'member'; readonly of: Condition; readonly key: Condition }
  | { readonly kind: 'not'; readonly of: Condition }
  | { readonly kind: 'compare'; readonly by: Comparison; readonly left: Condition; readonly right: Condition }
  | { readonly kind: 'and' | 'or'; readonly left: Condition; readonly right: Condition };

/**
 * Binding, loosest first: `||`, `&&`, one comparison, `!`, `.` and `[]`.
 * @throws ArazzoError syntax
 */
export function parseCondition(text: string): Condition {
  const parser = new Parser(tokensOf(text));
  const condition = parser.either();
  parser.end();
  return condition;
}

class Parser {
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  either(): Condition {
    let left = this.#both();
    while (this.#take('||')) left = { kind: 'or', left, right: this.#both() };
    return left;
  }

  end(): void {
    const token = this.#tokens[this.#at];
    if (token !== undefined) throw syntaxError(`the condition should end before ${shown(token)}`);
  }

  #both(): Condition {
    let left = this.#comparison();
    while (this.#take('&&')) left = { kind: 'and', left, right: this.#comparison() };
    return left;
  }

  #comparison(): Condition {
    const left = this.#negation();
    const by = comparisons.find((one) => this.#take(one));
    if (by === undefined) return left;
    const right = this.#negation();
    if (comparisons.some((one) => this.#sees(one)))
      throw syntaxError('compare two values only: use && and parentheses');
    return { kind: 'compare', by, left, right };
  }

  #negation(): Condition {
    if (!this.#take('!')) return this.#operand();
    return this.#deeper(() => ({ kind: 'not', of: this.#negation() }));
  }

  #operand(): Condition {
    let value = this.#primary();
    for (;;) {
      if (this.#take('[')) {
        const key = this.#deeper(() => this.either());
        this.#expect(']');
        value = { kind: 'member', of: value, key };
      } else if (this.#take('.')) {
        const token = this.#next('a name after "."');
        if (token.kind !== 'name') throw syntaxError(`a name must follow ".", not ${shown(token)}`);
        value = { kind: 'member', of: value, key: { kind: 'literal', value: token.name } };
      } else return value;
    }
  }

  #primary(): Condition {
    const token = this.#next('a value');
    switch (token.kind) {
      case 'literal':
        return { kind: 'literal', value: token.value };
      case 'expression':
        return { kind: 'expression', expression: token.expression };
      case 'name':
        throw syntaxError(`write text in single quotes: ${quoted(token.name)}`);
      case 'operator': {
        if (token.text !== '(') throw syntaxError(`a value must stand before ${shown(token)}`);
        const inner = this.#deeper(() => this.either());
        this.#expect(')');
        return inner;
      }
      default:
        return token satisfies never;
    }
  }

  #deeper<T>(parse: () => T): T {
    this.#depth += 1;
    if (this.#depth > limits.conditionDepth)
      throw syntaxError(`the condition is nested deeper than ${limits.conditionDepth} levels`);
    const result = parse();
    this.#depth -= 1;
    return result;
  }

  #next(wanted: string): Token {
    const token = this.#tokens[this.#at];
    if (token === undefined) throw syntaxError(`the condition ends where ${wanted} should stand`);
    this.#at += 1;
    return token;
  }

  #sees(operator: Operator): boolean {
    const token = this.#tokens[this.#at];
    return token?.kind === 'operator' && token.text === operator;
  }

  #take(operator: Operator): boolean {
    const isThere = this.#sees(operator);
    if (isThere) this.#at += 1;
    return isThere;
  }

  #expect(operator: Operator): void {
    if (!this.#take(operator)) throw syntaxError(`"${operator}" is missing`);
  }
}

function shown(token: Token): string {
  switch (token.kind) {
    case 'operator':
      return quoted(token.text);
    case 'literal':
      return quoted(String(token.value));
    case 'name':
      return quoted(token.name);
    case 'expression':
      return 'an expression';
    default:
      return token satisfies never;
  }
}
