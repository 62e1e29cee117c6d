import { query } from 'jsonpath-rfc9535';
import parse from 'jsonpath-rfc9535/parser';
import { RE2JS } from 're2js';
import type { CriteriaEngines } from './criteria.js';
import { syntaxError } from './failure.js';
import { isList, isObject, type Json, type JsonObject } from './json.js';
import { checkQuery } from './query-shape.js';

/** Instructions of a compiled pattern times characters: some seconds at most. */
const maxRegexWork = 50_000_000;
/** Reads of properties and items by one query; a long query may make fewer, because it does more with each. */
const maxQueryReads = 500_000;
const maxQueryDepth = 16;

/** A criterion needs more work than a document may ask for. */
export class BudgetExceeded extends Error {
  override readonly name = 'BudgetExceeded';
}

/** Linear-time regular expressions and bounded queries: what a document asks for cannot stop the worker that evaluates it. */
export const engines: CriteriaEngines = {
  regex(pattern, text) {
    const compiled = compile(pattern);
    if (compiled.programSize() * text.length > maxRegexWork)
      throw new BudgetExceeded('the regular expression and its text are too long together');
    return compiled.matcher(text).find();
  },
  jsonpath(text, value) {
    checkJsonpath(text);
    return query(counted(value, { left: maxQueryReads / (1 + text.length / 200) }), text).length;
  },
};

/** RE2 syntax: no look-around, no back-references. @throws ArazzoError syntax */
export function compile(pattern: string): RE2JS {
  try {
    return RE2JS.compile(pattern);
  } catch {
    throw syntaxError('is not a regular expression of RE2 (which has no look-around and no back-references)');
  }
}

const queryFunctions = ['count', 'length', 'value'];

/** @throws ArazzoError syntax */
export function checkJsonpath(text: string): void {
  checkQuery(text);
  if (depthOf(text) > maxQueryDepth) throw syntaxError(`is nested deeper than ${maxQueryDepth} brackets`);
  for (const node of nodesOf(parsed(text))) {
    const { type, name } = node;
    if (type === 'FunctionExpr' && typeof name === 'string' && !queryFunctions.includes(name))
      throw syntaxError(`the function ${name}() is not supported: length, count and value are; or use type: regex`);
    // The engine takes an index there for a name that is never found (1.3.0), and `!=` would hold for everything.
    if (type === 'SingularQuerySegment' && isObject(node['node']) && node['node']['type'] === 'IndexSelector')
      throw syntaxError('an index in a comparison is not supported as such: write value(@.list[0].name) == …');
  }
}

function parsed(text: string): Json {
  try {
    return JSON.parse(JSON.stringify(parse(text))) as Json;
  } catch {
    throw syntaxError('is not a JSONPath query of RFC 9535');
  }
}

const nodesOf = (value: Json): readonly JsonObject[] =>
  isList(value) ? value.flatMap(nodesOf) : isObject(value) ? [value, ...Object.values(value).flatMap(nodesOf)] : [];

function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  for (const sign of text) {
    if (sign === '[' || sign === '(') depth += 1;
    if (sign === ']' || sign === ')') depth -= 1;
    deepest = Math.max(deepest, depth);
  }
  return deepest;
}

interface Budget {
  left: number;
}

/** The same value, on which every read of a part costs; reading long text costs more. */
function counted<T extends Json>(value: T, budget: Budget): never;
function counted(value: Json, budget: Budget): Json {
  if (!isObject(value) && !Array.isArray(value)) return value;
  const pay = (cost: number): void => {
    budget.left -= cost;
    if (budget.left < 0) throw new BudgetExceeded('the query reads too much of the answer');
  };
  return new Proxy<Record<PropertyKey, Json>>(value as Record<PropertyKey, Json>, {
    get(target, key) {
      const part = Reflect.get(target, key) as Json;
      pay(typeof part === 'string' ? 1 + part.length / 256 : 1);
      return counted(part, budget);
    },
    ownKeys(target) {
      const keys = Reflect.ownKeys(target);
      pay(keys.length);
      return keys;
    },
    getOwnPropertyDescriptor(target, key) {
      pay(1);
      return Reflect.getOwnPropertyDescriptor(target, key);
    },
  });
}
