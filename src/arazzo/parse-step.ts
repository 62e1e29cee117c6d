import type { Components } from './components.js';
import type { Output, Replacement, RequestBody, Step, Target } from './document.js';
import { parseExpression } from './expression.js';
import { type Json, type JsonObject, own, type Path } from './json.js';
import { parseCriterion } from './parse-criterion.js';
import { parsePointer } from './pointer.js';
import type { Reader } from './problems.js';
import { expressionsIn } from './template.js';

const targets = ['operationId', 'operationPath', 'workflowId'] as const;

export function parseStep(reader: Reader, components: Components, value: Json, at: Path): Step | undefined {
  const object = reader.object(value, at, [
    'stepId!',
    'description',
    ...targets,
    'parameters',
    'requestBody',
    'successCriteria',
    'onSuccess',
    'onFailure',
    'outputs',
  ]);
  if (object === undefined) return undefined;
  const stepId = reader.name(object, 'stepId', at);
  const target = targetOf(reader, object, at);
  const body = Object.hasOwn(object, 'requestBody')
    ? parseBody(reader, own(object, 'requestBody'), [...at, 'requestBody'])
    : undefined;
  const successCriteria = reader.list(
    object,
    'successCriteria',
    at,
    (item, place) => parseCriterion(reader, item, place),
    { isNonEmpty: true },
  );
  const parsed = {
    parameters: components.parameters(object, at),
    onSuccess: components.actions('success', object, 'onSuccess', at),
    onFailure: components.actions('failure', object, 'onFailure', at),
    outputs: parseOutputs(reader, object, at),
  };
  if (stepId === undefined || target === undefined) return undefined;
  if (target.kind === 'workflowId' && Object.hasOwn(object, 'requestBody'))
    reader.problem([...at, 'requestBody'], 'a workflow takes inputs, not a body: use parameters');
  return { at, stepId, target, ...(body === undefined ? {} : { body }), successCriteria, ...parsed };
}

function targetOf(reader: Reader, object: JsonObject, at: Path): Target | undefined {
  const named = targets.filter((kind) => Object.hasOwn(object, kind));
  const [kind, another] = named;
  if (kind === undefined || another !== undefined)
    return reader.problem(at, `exactly one of ${targets.join(', ')} must be there`);
  const text = reader.text(object, kind, at);
  return text === undefined ? undefined : { at: [...at, kind], kind, text };
}

function parseBody(reader: Reader, value: Json | undefined, at: Path): RequestBody | undefined {
  const object = reader.object(value, at, ['contentType', 'payload', 'replacements']);
  if (object === undefined) return undefined;
  const contentType = reader.text(object, 'contentType', at);
  const payload = own(object, 'payload');
  if (payload !== undefined) reader.attempt([...at, 'payload'], () => expressionsIn(payload));
  const replacements = reader.list(object, 'replacements', at, (item, place) => parseReplacement(reader, item, place));
  if (payload === undefined && replacements.length > 0)
    reader.problem([...at, 'replacements'], 'there is no payload in which to replace something');
  return {
    at,
    ...(contentType === undefined ? {} : { contentType }),
    ...(payload === undefined ? {} : { payload }),
    replacements,
  };
}

/** A value of any type: the text of the specification says so, its JSON Schema says text only. */
function parseReplacement(reader: Reader, item: Json, at: Path): Replacement | undefined {
  const object = reader.object(item, at, ['target!', 'value!']);
  const text = object && own(object, 'target');
  const value = object && own(object, 'value');
  if (text === undefined || value === undefined) return undefined;
  const place = [...at, 'target'];
  if (typeof text !== 'string') return reader.problem(place, 'must be a JSON pointer, for example /apiProducts/0');
  if (/^\/\/|^\/[^~]*(?:\[|::)|^[.@]/.test(text))
    return reader.problem(place, 'XPath is not supported: write a JSON pointer, for example /apiProducts/0');
  const target = reader.attempt(place, () => parsePointer(text));
  reader.attempt([...at, 'value'], () => expressionsIn(value));
  return target && { at, target, value };
}

/** Names with one expression each. */
export function parseOutputs(reader: Reader, object: JsonObject, at: Path): readonly Output[] {
  if (!Object.hasOwn(object, 'outputs')) return [];
  const place = [...at, 'outputs'];
  return Object.entries(reader.map(own(object, 'outputs'), place) ?? {}).flatMap(([name, text]) => {
    const here = [...place, name];
    if (!/^[A-Za-z0-9._-]+$/.test(name))
      reader.problem(here, 'the name of an output must consist of letters, digits, ".", "_" and "-"');
    if (typeof text !== 'string') {
      reader.problem(here, 'must be a runtime expression, for example $response.body#/name');
      return [];
    }
    const expression = reader.attempt(here, () => parseExpression(text));
    return expression === undefined ? [] : [{ at: here, name, expression }];
  });
}
