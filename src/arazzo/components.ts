import { type Action, type Parameter, parameterPlaces } from './document.js';
import { type ComponentSection, parseExpression } from './expression.js';
import { quoted } from './failure.js';
import { isObject, type Json, type JsonObject, own, type Path } from './json.js';
import { type ActionKind, parseAction } from './parse-action.js';
import type { Reader } from './problems.js';
import { expressionsIn } from './template.js';

type ObjectSection = Exclude<ComponentSection, 'inputs'>;

/** The reusable objects of a document. Lists of steps and workflows are read through it: a reference becomes what it names. */
export class Components {
  readonly #reader: Reader;
  readonly #sections: JsonObject;

  constructor(reader: Reader, document: JsonObject) {
    this.#reader = reader;
    const fields = ['inputs', 'parameters', 'successActions', 'failureActions'];
    this.#sections = Object.hasOwn(document, 'components')
      ? (reader.object(own(document, 'components'), ['components'], fields) ?? {})
      : {};
    for (const field of fields) this.#check(field);
  }

  /** A reusable input schema. */
  input(name: string): Json | undefined {
    return this.#find('inputs', name);
  }

  parameters(object: JsonObject, at: Path): readonly Parameter[] {
    const parameters = this.#reader.list(object, 'parameters', at, (item, place) =>
      this.#read('parameters', item, place, (value, from) => this.#parameter(value, from)),
    );
    this.#reader.unique(parameters, 'parameter', ({ name, in: place }) =>
      place === undefined ? name : `${name} in ${place}`,
    );
    return parameters;
  }

  actions(kind: ActionKind, object: JsonObject, key: string, at: Path): readonly Action[] {
    const actions = this.#reader.list(object, key, at, (item, place) =>
      this.#read(`${kind}Actions`, item, place, (value, from) => parseAction(this.#reader, kind, value, from)),
    );
    this.#reader.unique(actions, 'action of this list', ({ name }) => name);
    return actions;
  }

  #parameter(value: Json, at: Path): Parameter | undefined {
    const object = this.#reader.object(value, at, ['name!', 'in', 'value!']);
    if (object === undefined) return undefined;
    const name = this.#reader.text(object, 'name', at);
    const place = this.#reader.oneOf(object, 'in', at, parameterPlaces);
    const content = own(object, 'value');
    if (name === undefined || content === undefined) return undefined;
    this.#reader.attempt([...at, 'value'], () => expressionsIn(content));
    return { at, name, ...(place === undefined ? {} : { in: place }), value: content };
  }

  /** The item itself, or what its `reference` names, with the reference's own `value` if it has one. */
  #read<T extends Action | Parameter>(
    section: ObjectSection,
    item: Json,
    at: Path,
    parse: (value: Json, at: Path) => T | undefined,
  ): T | undefined {
    if (!isObject(item) || !Object.hasOwn(item, 'reference')) return parse(item, at);
    const object = this.#reader.object(item, at, ['reference!', 'value']) ?? {};
    const text = this.#reader.text(object, 'reference', at);
    if (text === undefined) return undefined;
    const place = [...at, 'reference'];
    const expression = this.#reader.attempt(place, () => parseExpression(text));
    if (expression === undefined) return undefined;
    if (expression.kind !== 'components' || expression.section !== section)
      return this.#reader.problem(place, `${quoted(text)} must be such as $components.${section}.name`);
    const found = this.#find(section, expression.name);
    if (found === undefined) return this.#reader.problem(place, `${quoted(text)} is not among the components`);
    const value = own(object, 'value');
    if (value === undefined) {
      const parsed = parse(found, ['components', section, expression.name]);
      return parsed && { ...parsed, at };
    }
    if (section !== 'parameters')
      return this.#reader.problem([...at, 'value'], 'only parameters take a value: delete it');
    return isObject(found) ? parse({ ...found, value }, at) : undefined;
  }

  #find(section: ComponentSection, name: string): Json | undefined {
    const objects = own(this.#sections, section);
    return isObject(objects) ? own(objects, name) : undefined;
  }

  /** Reports what is wrong with components even where nothing refers to them. */
  #check(field: string): void {
    if (!Object.hasOwn(this.#sections, field)) return;
    const place = ['components', field];
    for (const [name, value] of Object.entries(this.#reader.map(own(this.#sections, field), place) ?? {})) {
      const at = [...place, name];
      if (!/^[A-Za-z0-9._-]+$/.test(name))
        this.#reader.problem(at, 'the name of a component must consist of letters, digits, ".", "_" and "-"');
      if (field === 'parameters') this.#parameter(value, at);
      if (field === 'successActions') parseAction(this.#reader, 'success', value, at);
      if (field === 'failureActions') parseAction(this.#reader, 'failure', value, at);
    }
  }
}
