import { syntaxError, quoted } from './failure.js';
import { isList, isObject, type Json, type JsonObject, own } from './json.js';
import { definitionOf, type Operation } from './openapi.js';
import { parsePointer, valueAt } from './pointer.js';

/** What is kept of a source description for a run. */
export const maxSourceBytes = 512 * 1024;

/**
 * The description with nothing but these operations and what they refer to.
 * @throws ArazzoError syntax for a reference that leads out of it or nowhere
 */
export function reduced(description: Json, operations: readonly Operation[]): Json {
  if (!isObject(description)) return description;
  const paths: Record<string, Json> = {};
  for (const operation of operations) {
    const { item, operation: definition } = definitionOf(description, operation);
    const kept = paths[operation.path] ?? pick(item, ['parameters', 'servers']);
    paths[operation.path] = { ...(isObject(kept) ? kept : {}), [operation.method.toLowerCase()]: usedOf(definition) };
  }
  const root = { ...pick(description, ['openapi', 'info', 'servers']), paths };
  return withReferences(description, root);
}

const usedOf = (operation: JsonObject): JsonObject =>
  pick(operation, ['operationId', 'parameters', 'requestBody', 'responses', 'servers']);

const pick = (object: JsonObject, keys: readonly string[]): JsonObject =>
  Object.fromEntries(Object.entries(object).filter(([key]) => keys.includes(key)));

/** Adds what the references name, at the same places, until nothing is missing. */
function withReferences(description: JsonObject, root: JsonObject): JsonObject {
  let whole: Json = root;
  const known = new Set<string>();
  const open = [...referencesIn(root)];
  for (let ref = open.pop(); ref !== undefined; ref = open.pop()) {
    if (known.has(ref)) continue;
    known.add(ref);
    if (!ref.startsWith('#/'))
      throw syntaxError(`the reference ${quoted(ref)} leads out of the description: bundle it into one file`);
    const tokens = parsePointer(ref.slice(1));
    const target = valueAt(description, tokens);
    if (target === undefined) throw syntaxError(`the reference ${quoted(ref)} leads nowhere`);
    whole = withValue(whole, tokens, target);
    open.push(...referencesIn(target));
  }
  return isObject(whole) ? whole : root;
}

function referencesIn(value: Json): readonly string[] {
  if (isList(value)) return value.flatMap(referencesIn);
  if (!isObject(value)) return [];
  const ref = own(value, '$ref');
  return [...(typeof ref === 'string' ? [ref] : []), ...Object.values(value).flatMap(referencesIn)];
}

/** A copy that has the value at this place. A list on the way is whole already. */
function withValue(into: Json | undefined, [token, ...rest]: readonly string[], value: Json): Json {
  if (token === undefined) return value;
  if (into !== undefined && isList(into)) return into;
  const base = into !== undefined && isObject(into) ? into : {};
  return { ...base, [token]: withValue(own(base, token), rest, value) };
}
