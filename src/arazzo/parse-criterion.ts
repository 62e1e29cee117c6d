import { parseCondition } from './condition.js';
import type { Criterion } from './document.js';
import { parseExpression } from './expression.js';
import { isObject, type Json, type JsonObject, own, type Path } from './json.js';
import { limits } from './limits.js';
import { checkQuery } from './query-shape.js';
import type { Reader } from './problems.js';

const types = ['simple', 'regex', 'jsonpath', 'xpath'] as const;
type CriterionType = (typeof types)[number];

export function parseCriterion(reader: Reader, value: Json, at: Path): Criterion | undefined {
  const object = reader.object(value, at, ['context', 'condition!', 'type']);
  if (object === undefined) return undefined;
  const type = Object.hasOwn(object, 'type') ? typeOf(reader, object, at) : 'simple';
  const condition = reader.text(object, 'condition', at);
  const contextText = reader.text(object, 'context', at);
  const context =
    contextText === undefined ? undefined : reader.attempt([...at, 'context'], () => parseExpression(contextText));
  if (contextText === undefined && Object.hasOwn(object, 'type')) {
    const mend = type === 'simple' ? 'delete type: simple is the default' : 'add it, for example $response.body';
    reader.problem(at, `with "type" the field "context" is required: ${mend}`);
  }
  if (type === undefined || condition === undefined) return undefined;
  if (condition.length > limits.conditionLength)
    return reader.problem([...at, 'condition'], `is longer than ${limits.conditionLength} characters`);
  if (type === 'simple') {
    const parsed = reader.attempt([...at, 'condition'], () => parseCondition(condition));
    return parsed && { at, type, condition: parsed };
  }
  if (type === 'jsonpath') reader.attempt([...at, 'condition'], () => checkQuery(condition));
  return context && { at, type, context, condition };
}

function typeOf(reader: Reader, object: JsonObject, at: Path): Exclude<CriterionType, 'xpath'> | undefined {
  const place = [...at, 'type'];
  const value = own(object, 'type');
  if (!isObject(value)) return supported(reader, reader.oneOf(object, 'type', at, types), place);
  const described = reader.object(value, place, ['type!', 'version!']) ?? {};
  const type = supported(reader, reader.oneOf(described, 'type', place, ['jsonpath', 'xpath']), place);
  const version = reader.text(described, 'version', place);
  if (type === undefined || version === undefined || version === 'draft-goessner-dispatch-jsonpath-00') return type;
  return reader.problem(
    [...place, 'version'],
    'must be draft-goessner-dispatch-jsonpath-00; or write `type: jsonpath` for RFC 9535',
  );
}

function supported(
  reader: Reader,
  type: CriterionType | undefined,
  at: Path,
): Exclude<CriterionType, 'xpath'> | undefined {
  if (type !== 'xpath') return type;
  return reader.problem(at, 'XPath is not supported: use simple, regex or jsonpath');
}
