import type { Action } from './document.js';
import { type Json, type JsonObject, own, type Path } from './json.js';
import { parseCriterion } from './parse-criterion.js';
import type { Reader } from './problems.js';

/** Whether the action follows success or failure: `retry` exists after failure only. */
export type ActionKind = 'success' | 'failure';

const fields = ['name!', 'type!', 'workflowId', 'stepId', 'criteria'];

export function parseAction(reader: Reader, kind: ActionKind, value: Json, at: Path): Action | undefined {
  const object = reader.object(value, at, kind === 'success' ? fields : [...fields, 'retryAfter', 'retryLimit']);
  if (object === undefined) return undefined;
  const name = reader.text(object, 'name', at);
  const type = reader.oneOf(object, 'type', at, kind === 'success' ? ['end', 'goto'] : ['end', 'goto', 'retry']);
  const criteria = reader.list(object, 'criteria', at, (item, place) => parseCriterion(reader, item, place));
  const retryAfter = retryNumber(reader, object, 'retryAfter', at) ?? 0;
  const retryLimit = retryNumber(reader, object, 'retryLimit', at) ?? 1;
  if (type !== undefined && type !== 'retry') {
    for (const key of ['retryAfter', 'retryLimit']) {
      if (kind === 'failure' && Object.hasOwn(object, key))
        reader.problem([...at, key], 'has a meaning only with `type: retry`');
    }
  }
  const to = targetOf(reader, object, at);
  if (type === 'goto' && to === undefined && !hasTarget(object))
    reader.problem(at, 'goto needs a stepId or a workflowId');
  if (type === 'end' && hasTarget(object)) reader.problem(at, 'end goes nowhere: delete stepId and workflowId');
  if (name === undefined || type === undefined) return undefined;
  return { at, name, type, ...(to === undefined ? {} : { to }), retryAfter, retryLimit, criteria };
}

const hasTarget = (object: JsonObject): boolean =>
  Object.hasOwn(object, 'stepId') || Object.hasOwn(object, 'workflowId');

function targetOf(reader: Reader, object: JsonObject, at: Path): Action['to'] {
  const step = reader.text(object, 'stepId', at);
  const workflow = reader.text(object, 'workflowId', at);
  if (step !== undefined && workflow !== undefined)
    return reader.problem(at, 'stepId and workflowId exclude each other: delete one');
  if (step !== undefined) return { kind: 'step', id: step };
  return workflow === undefined ? undefined : { kind: 'workflow', id: workflow };
}

/** Seconds may be a decimal, up to a year; the limit is a whole number. */
function retryNumber(
  reader: Reader,
  object: JsonObject,
  key: 'retryAfter' | 'retryLimit',
  at: Path,
): number | undefined {
  const value = own(object, key);
  if (value === undefined) return undefined;
  const isWhole = key === 'retryLimit';
  const max = isWhole ? 1_000 : 31_536_000;
  if (typeof value === 'number' && value >= 0 && value <= max && (!isWhole || Number.isInteger(value))) return value;
  return reader.problem([...at, key], `must be a ${isWhole ? 'whole ' : ''}number from 0 to ${max}`);
}
