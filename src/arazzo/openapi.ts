import { type ParameterPlace, parameterPlaces } from './document.js';
import { quoted, syntaxError } from './failure.js';
import { isList, isObject, type Json, type JsonObject, own } from './json.js';
import { parsePointer, valueAt } from './pointer.js';

/** What keyturn needs to know of an operation of an OpenAPI description. */
export interface Operation {
  readonly source: string;
  /** In capitals. */
  readonly method: string;
  /** Template, for example `/apps/{appId}`. */
  readonly path: string;
  /** The first server of the operation, its path or the description, as it is written. */
  readonly server?: string;
  readonly parameters: readonly OperationParameter[];
  /** Media types of the request body; none when the operation takes none. */
  readonly bodyTypes: readonly string[];
  readonly isBodyRequired: boolean;
}

export interface OperationParameter {
  readonly name: string;
  readonly in: ParameterPlace;
  readonly isRequired: boolean;
  /** A list is sent as the name once for each item (style `form`, exploded). */
  readonly isExploded: boolean;
}

const methods = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'] as const;

/** @throws ArazzoError syntax when it is not there, is there twice, or leads out of the description */
export function operationById(source: string, description: Json, operationId: string): Operation {
  const [one, another] = indexOf(description).get(operationId) ?? [];
  if (one === undefined) throw syntaxError(`source ${source} has no operation ${quoted(operationId)}`);
  if (another !== undefined) throw syntaxError(`source ${source} has several operations ${quoted(operationId)}`);
  return operationOf(source, description, one.path, one.item, one.method);
}

interface Found {
  readonly path: string;
  readonly item: JsonObject;
  readonly method: string;
}

/** Each description is searched once, however many steps there are. */
const indexes = new WeakMap<object, ReadonlyMap<string, readonly Found[]>>();

function indexOf(description: Json): ReadonlyMap<string, readonly Found[]> {
  if (!isObject(description)) return new Map();
  const known = indexes.get(description);
  if (known !== undefined) return known;
  const index = new Map<string, Found[]>();
  for (const [path, value] of pathsOf(description)) {
    const item = dereferenced(description, value);
    for (const method of methods) {
      const operation = own(item, method);
      const id = isObject(operation) ? own(operation, 'operationId') : undefined;
      if (typeof id !== 'string') continue;
      const found = index.get(id);
      if (found === undefined) index.set(id, [{ path, item, method }]);
      else found.push({ path, item, method });
    }
  }
  indexes.set(description, index);
  return index;
}

/** @param tokens of `/paths/~1apps~1{appId}/get` @throws ArazzoError syntax */
export function operationAt(source: string, description: Json, tokens: readonly string[]): Operation {
  const [paths, path = '', name, ...rest] = tokens;
  const method = methods.find((one) => one === name);
  if (paths !== 'paths' || method === undefined || rest.length > 0)
    throw syntaxError('the pointer must be such as #/paths/~1apps~1{appId}/get');
  const value = pathsOf(description).find(([key]) => key === path)?.[1];
  const item = value === undefined ? {} : dereferenced(description, value);
  if (!isObject(own(item, method))) throw syntaxError(`source ${source} has no ${method} ${quoted(path)}`);
  return operationOf(source, description, path, item, method);
}

/** An operation as the description has it, and the path item that it stands in. */
export function definitionOf(
  description: Json,
  { path, method }: Pick<Operation, 'path' | 'method'>,
): { readonly item: JsonObject; readonly operation: JsonObject } {
  const value = pathsOf(description).find(([key]) => key === path)?.[1];
  const item = value === undefined ? {} : dereferenced(description, value);
  const operation = own(item, method.toLowerCase());
  return { item, operation: operation !== undefined && isObject(operation) ? operation : {} };
}

/** Whether the data is an OpenAPI 3.x description. */
export function isOpenApi(description: Json): boolean {
  const version = isObject(description) ? own(description, 'openapi') : undefined;
  return typeof version === 'string' && /^3\.[01]\.\d+/.test(version);
}

function operationOf(source: string, root: Json, path: string, item: JsonObject, method: string): Operation {
  const operation = own(item, method);
  const object = isObject(operation) ? operation : {};
  const server = [object, item, root].map(serverOf).find((url) => url !== undefined);
  const body = own(object, 'requestBody');
  const request = body === undefined ? {} : dereferenced(root, body);
  const content = own(request, 'content');
  return {
    source,
    method: method.toUpperCase(),
    path,
    ...(server === undefined ? {} : { server }),
    parameters: parametersOf(root, [own(item, 'parameters'), own(object, 'parameters')]),
    bodyTypes: isObject(content) ? Object.keys(content) : [],
    isBodyRequired: own(request, 'required') === true,
  };
}

/** Of the path and of the operation, which has precedence. */
function parametersOf(root: Json, lists: readonly (Json | undefined)[]): readonly OperationParameter[] {
  const parameters = new Map<string, OperationParameter>();
  for (const list of lists) {
    if (list === undefined || !isList(list)) continue;
    for (const value of list) {
      const parameter = dereferenced(root, value);
      const name = own(parameter, 'name');
      const place = parameterPlaces.find((one) => one === own(parameter, 'in'));
      if (typeof name !== 'string' || place === undefined) continue;
      parameters.set(`${place} ${name}`, {
        name,
        in: place,
        isRequired: own(parameter, 'required') === true,
        isExploded:
          place === 'query' && (own(parameter, 'style') ?? 'form') === 'form' && own(parameter, 'explode') !== false,
      });
    }
  }
  return [...parameters.values()];
}

function serverOf(holder: Json): string | undefined {
  const servers = isObject(holder) ? own(holder, 'servers') : undefined;
  const first = servers !== undefined && isList(servers) ? servers[0] : undefined;
  const url = first !== undefined && isObject(first) ? own(first, 'url') : undefined;
  return typeof url === 'string' ? url : undefined;
}

function pathsOf(description: Json): readonly [string, Json][] {
  const paths = isObject(description) ? own(description, 'paths') : undefined;
  return paths !== undefined && isObject(paths) ? Object.entries(paths) : [];
}

/** Follows `$ref` within the description. @throws ArazzoError syntax */
export function dereferenced(root: Json, value: Json): JsonObject {
  let at: Json = value;
  for (let hops = 0; hops < 8; hops += 1) {
    if (!isObject(at)) return {};
    const ref = own(at, '$ref');
    if (typeof ref !== 'string') return at;
    if (!ref.startsWith('#'))
      throw syntaxError(`the reference ${quoted(ref)} leads out of the file: bundle it into one file`);
    const found = valueAt(root, parsePointer(ref.slice(1)));
    if (found === undefined) throw syntaxError(`the reference ${quoted(ref)} leads nowhere`);
    at = found;
  }
  throw syntaxError('references lead to each other without end');
}
