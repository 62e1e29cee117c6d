import type { Comparison, Condition } from './condition.js';
import { find, type Scope } from './evaluate.js';
import type { Json } from './json.js';
import { child } from './pointer.js';

/**
 * Whether the condition holds. A missing value and a comparison of different types make neither a condition nor its opposite
 * true: `$response.body#/count != 0` does not hold for an answer without `count`, so nothing is sent because of a value that is not there.
 */
export function holds(condition: Condition, scope: Scope): boolean {
  return valueOf(condition, scope) === true;
}

/** Undefined: unknown. */
function valueOf(condition: Condition, scope: Scope): Json | undefined {
  switch (condition.kind) {
    case 'literal':
      return condition.value;
    case 'expression':
      return find(condition.expression, scope);
    case 'member': {
      const of = valueOf(condition.of, scope);
      const key = valueOf(condition.key, scope);
      if (of === undefined) return undefined;
      return typeof key === 'string' || typeof key === 'number' ? child(of, String(key)) : undefined;
    }
    case 'not': {
      const of = truthOf(condition.of, scope);
      return of === undefined ? undefined : !of;
    }
    case 'compare': {
      const left = valueOf(condition.left, scope);
      const right = valueOf(condition.right, scope);
      return left === undefined || right === undefined ? undefined : compared(condition.by, left, right);
    }
    case 'and':
    case 'or': {
      const decisive = condition.kind === 'or';
      const left = truthOf(condition.left, scope);
      if (left === decisive) return decisive;
      const right = truthOf(condition.right, scope);
      if (right === decisive) return decisive;
      return left === undefined || right === undefined ? undefined : !decisive;
    }
    default:
      return condition satisfies never;
  }
}

function truthOf(condition: Condition, scope: Scope): boolean | undefined {
  const value = valueOf(condition, scope);
  return typeof value === 'boolean' ? value : undefined;
}

/** Text without regard to case. Null equals null only, and nothing is before or after it. */
function compared(by: Comparison, left: Json, right: Json): boolean | undefined {
  if (by === '==' || by === '!=') {
    const isSame = equal(left, right);
    return isSame === undefined ? undefined : isSame === (by === '==');
  }
  const order = orderOf(left, right);
  if (order === undefined) return undefined;
  switch (by) {
    case '<':
      return order < 0;
    case '<=':
      return order <= 0;
    case '>':
      return order > 0;
    case '>=':
      return order >= 0;
    default:
      return by satisfies never;
  }
}

function equal(left: Json, right: Json): boolean | undefined {
  if (left === null || right === null) return left === right;
  if (typeof left === 'boolean' && typeof right === 'boolean') return left === right;
  const order = orderOf(left, right);
  return order === undefined ? undefined : order === 0;
}

function orderOf(left: Json, right: Json): number | undefined {
  if (typeof left === 'number' && typeof right === 'number') return left - right;
  if (typeof left !== 'string' || typeof right !== 'string') return undefined;
  const [a, b] = [left.toLowerCase(), right.toLowerCase()];
  return a < b ? -1 : a > b ? 1 : 0;
}
