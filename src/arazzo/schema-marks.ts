import { isList, isObject, type Json, type JsonObject, own } from './json.js';
import { dereferenced } from './openapi.js';

/** Schemas seen in one question: descriptions may refer to themselves. */
const maxSchemas = 300;

/** Whether the schema marks what stands at the pointer, something within it or around it with `format: password`. */
export function isMarkedSecret(description: Json, schema: Json | undefined, pointer: readonly string[]): boolean {
  if (schema === undefined) return false;
  return new Marks(description).at(schema, pointer);
}

class Marks {
  readonly #description: Json;
  readonly #within = new Set<JsonObject>();
  #left = maxSchemas;

  constructor(description: Json) {
    this.#description = description;
  }

  at(value: Json, pointer: readonly string[]): boolean {
    const schema = this.#taken(value);
    if (schema === undefined) return false;
    if (own(schema, 'format') === 'password') return true;
    const [token, ...rest] = pointer;
    const next = token === undefined ? partsOf(schema) : partsAt(schema, token);
    if (token === undefined) {
      if (this.#within.has(schema)) return false;
      this.#within.add(schema);
    }
    return next.some((part) => this.at(part, rest)) || alternativesOf(schema).some((part) => this.at(part, pointer));
  }

  #taken(value: Json): JsonObject | undefined {
    this.#left -= 1;
    return this.#left < 0 ? undefined : dereferenced(this.#description, value);
  }
}

/** Every schema of a part of the value. */
function partsOf(schema: JsonObject): readonly Json[] {
  const properties = own(schema, 'properties');
  return [
    ...(properties !== undefined && isObject(properties) ? Object.values(properties) : []),
    ...present(own(schema, 'items'), own(schema, 'additionalProperties')),
    ...listOf(own(schema, 'prefixItems')),
  ];
}

function partsAt(schema: JsonObject, token: string): readonly Json[] {
  const properties = own(schema, 'properties');
  const named = properties !== undefined && isObject(properties) ? own(properties, token) : undefined;
  if (named !== undefined) return [named];
  return [...present(own(schema, 'items'), own(schema, 'additionalProperties')), ...listOf(own(schema, 'prefixItems'))];
}

const alternativesOf = (schema: JsonObject): readonly Json[] =>
  ['allOf', 'anyOf', 'oneOf'].flatMap((key) => listOf(own(schema, key)));

const present = (...values: readonly (Json | undefined)[]): readonly Json[] =>
  values.filter((value) => value !== undefined && isObject(value)) as readonly Json[];

const listOf = (value: Json | undefined): readonly Json[] => (value !== undefined && isList(value) ? value : []);

/** Schemas of the bodies of an operation's answers, of any status. */
export const responseSchemas = (description: Json, operation: JsonObject): readonly Json[] =>
  Object.values(objectOf(own(operation, 'responses'))).flatMap((response) => contentSchemas(description, response));

/** Schemas of the bodies that an operation takes. */
export const requestSchemas = (description: Json, operation: JsonObject): readonly Json[] =>
  contentSchemas(description, own(operation, 'requestBody') ?? null);

function contentSchemas(description: Json, holder: Json): readonly Json[] {
  const content = objectOf(own(dereferenced(description, holder), 'content'));
  return Object.values(content).flatMap((media) => (isObject(media) ? present(own(media, 'schema')) : []));
}

const objectOf = (value: Json | undefined): JsonObject => (value !== undefined && isObject(value) ? value : {});
