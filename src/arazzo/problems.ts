import { ArazzoError, quoted } from './failure.js';
import { isList, isObject, type Json, type JsonObject, own, type Path } from './json.js';
import { formatPointer } from './pointer.js';

/** A mistake in a document. */
export interface Problem {
  readonly at: Path;
  /** What is wrong and how to mend it. */
  readonly message: string;
}

/** `#/workflows/0/steps/1: message`. */
export const problemText = ({ at, message }: Problem): string => `#${formatPointer(at)}: ${message}`;

/** Reads values of the right shape and gathers everything that is wrong, so that it is said at once. */
export class Reader {
  readonly #problems = new Map<string, Problem>();

  get problems(): readonly Problem[] {
    return [...this.#problems.values()];
  }

  /** Notes it once, however often it is found. */
  problem(at: Path, message: string): undefined {
    this.#problems.set(problemText({ at, message }), { at, message });
  }

  /** What `parse` gives, or undefined when it refuses its text, which is then noted. */
  attempt<T>(at: Path, parse: () => T): T | undefined {
    try {
      return parse();
    } catch (error) {
      if (!(error instanceof ArazzoError)) throw error;
      return this.problem(at, error.message);
    }
  }

  /** An object with these fields and `x-…`. A name that ends in `!` is required. */
  object(value: Json | undefined, at: Path, fields: readonly string[]): JsonObject | undefined {
    const object = this.map(value, at);
    if (object === undefined) return undefined;
    const names = fields.map((field) => field.replace('!', ''));
    for (const key of Object.keys(object)) {
      if (key.startsWith('x-') || names.includes(key)) continue;
      this.problem([...at, key], `unknown field; known here: ${names.join(', ')}, and x-… for your own`);
    }
    for (const field of fields) {
      const name = field.slice(0, -1);
      if (field.endsWith('!') && !Object.hasOwn(object, name)) this.problem(at, `the field "${name}" is missing`);
    }
    return object;
  }

  /** An object with names of its own. */
  map(value: Json | undefined, at: Path): JsonObject | undefined {
    return isObject(value) ? value : this.problem(at, 'must be an object');
  }

  text(object: JsonObject, key: string, at: Path): string | undefined {
    const value = own(object, key);
    if (value === undefined) return undefined;
    if (typeof value === 'string' && value !== '') return value;
    return this.problem([...at, key], 'must be text that is not empty; write it in quotes');
  }

  /** Text of letters, digits, `_` and `-`, so that expressions can name it. */
  name(object: JsonObject, key: string, at: Path): string | undefined {
    const text = this.text(object, key, at);
    if (text === undefined || /^[A-Za-z0-9_-]+$/.test(text)) return text;
    return this.problem([...at, key], `${quoted(text)} must consist of letters, digits, _ and -: expressions name it`);
  }

  oneOf<T extends string>(object: JsonObject, key: string, at: Path, choices: readonly T[]): T | undefined {
    const value = own(object, key);
    if (value === undefined) return undefined;
    return choices.find((one) => one === value) ?? this.problem([...at, key], `must be one of ${choices.join(', ')}`);
  }

  /** The items with their places; those for which `read` gives undefined are left out. An absent list is empty. */
  list<T>(
    object: JsonObject,
    key: string,
    at: Path,
    read: (item: Json, at: Path) => T | undefined,
    options: { readonly isNonEmpty?: true } = {},
  ): readonly T[] {
    const value = own(object, key);
    if (value === undefined) return [];
    const place = [...at, key];
    if (!isList(value)) {
      this.problem(place, 'must be a list');
      return [];
    }
    if (options.isNonEmpty && value.length === 0) this.problem(place, 'must not be empty');
    return value.flatMap((item, index) => {
      const result = read(item, [...place, index]);
      return result === undefined ? [] : [result];
    });
  }

  /** Notes every item whose key another one has before it. */
  unique<T extends { readonly at: Path }>(items: readonly T[], what: string, keyOf: (item: T) => string): void {
    const seen = new Set<string>();
    for (const item of items) {
      const key = keyOf(item);
      if (seen.has(key)) this.problem(item.at, `another ${what} is called ${quoted(key)}: names must be unique`);
      seen.add(key);
    }
  }
}
