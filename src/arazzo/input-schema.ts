import type { Components } from './components.js';
import type { InputSchema } from './document.js';
import { quoted } from './failure.js';
import { isList, isObject, type Json, type JsonObject, own, type Path } from './json.js';
import type { Reader } from './problems.js';

const componentRef = /^#\/components\/inputs\/([A-Za-z0-9._-]+)$/;

/** Values of one schema. */
const maxNodes = 10_000;

/** Reads the JSON Schema of a workflow's inputs. A reference may lead to `#/components/inputs/…` only. */
export function parseInputs(reader: Reader, components: Components, value: Json, at: Path): InputSchema | undefined {
  if (!isObject(value)) return reader.problem(at, 'must be a JSON Schema, an object');
  const schema = new Inliner(reader, components).inlined(value, at, []);
  const type = isObject(schema) ? own(schema, 'type') : undefined;
  if (type !== undefined && type !== 'object')
    return reader.problem([...at, 'type'], 'must be object: inputs have names');
  return { at, schema, ...declared(schema) };
}

/** Puts every component in the place of its reference. Few references can name a great deal: what they make is bounded. */
class Inliner {
  readonly #reader: Reader;
  readonly #components: Components;
  #nodes = 0;

  constructor(reader: Reader, components: Components) {
    this.#reader = reader;
    this.#components = components;
  }

  inlined(value: Json, at: Path, within: readonly string[]): Json {
    this.#nodes += 1;
    if (this.#nodes > maxNodes) {
      this.#reader.problem(['components', 'inputs'], `references make a schema of more than ${maxNodes} values`);
      return {};
    }
    if (isList(value)) return value.map((item, index) => this.inlined(item, [...at, index], within));
    if (!isObject(value)) return value;
    const ref = own(value, '$ref');
    if (typeof ref === 'string') return this.#target(value, ref, at, within);
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [key, this.inlined(item, [...at, key], within)]),
    );
  }

  #target(value: JsonObject, ref: string, at: Path, within: readonly string[]): Json {
    const refuse = (message: string): Json => {
      this.#reader.problem([...at, '$ref'], `${quoted(ref)} ${message}`);
      return {};
    };
    const name = componentRef.exec(ref)?.[1];
    if (name === undefined) return refuse('must be such as #/components/inputs/name: copy the schema there');
    const found = this.#components.input(name);
    if (found === undefined) return refuse('is not among the components');
    if (within.includes(name)) return refuse('leads back to itself');
    if (within.length >= 8) return refuse('is the ninth reference within references: 8 at most');
    const target = this.inlined(found, ['components', 'inputs', name], [...within, name]);
    const { $ref: _, ...beside } = value;
    const siblings = this.inlined(beside, at, within);
    if (!isObject(siblings) || Object.keys(siblings).length === 0) return target;
    return { ...siblings, allOf: [target, ...listOf(own(siblings, 'allOf'))] };
  }
}

/** Properties and required names of the schema itself and of its allOf. */
function declared(schema: Json): Pick<InputSchema, 'properties' | 'required'> {
  if (!isObject(schema)) return { properties: {}, required: [] };
  const parts = listOf(own(schema, 'allOf')).map(declared);
  const properties = own(schema, 'properties');
  const merged: JsonObject = Object.fromEntries(
    [...parts.map((part) => part.properties), isObject(properties) ? properties : {}].flatMap(Object.entries<Json>),
  );
  const names = listOf(own(schema, 'required')).filter((name) => typeof name === 'string');
  return { properties: merged, required: [...new Set([...names, ...parts.flatMap(({ required }) => required)])] };
}

const listOf = (value: Json | undefined): readonly Json[] => (value !== undefined && isList(value) ? value : []);
