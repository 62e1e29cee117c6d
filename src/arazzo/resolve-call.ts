import type { Parameter, RequestBody, Step, Workflow } from './document.js';
import { quoted } from './failure.js';
import type { Json } from './json.js';
import { formatOf } from './media-type.js';
import type { Operation } from './openapi.js';
import { parametersOf, pathNames, refusalOf } from './parameters.js';
import { contentTypeOf } from './payload.js';
import { child, formatPointer } from './pointer.js';
import type { Reader } from './problems.js';

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'];

/** Checks what a step sends against what the operation takes. */
export function checkCall(reader: Reader, workflow: Workflow, step: Step, operation: Operation): void {
  if (!methods.includes(operation.method))
    reader.problem(step.target.at, `the method ${operation.method} is not supported: ${methods.join(', ')} are`);
  const parameters = parametersOf(workflow, step);
  for (const parameter of [...step.parameters, ...workflow.parameters]) {
    if (parameter.in === undefined && step.parameters.includes(parameter))
      reader.problem(parameter.at, 'the field "in" is missing: path, query, header or cookie');
    const refusal = refusalOf(parameter);
    if (refusal !== undefined) reader.problem(parameter.at, refusal);
  }
  const has = (place: Parameter['in'], name: string): boolean =>
    parameters.some((one) => one.in === place && sameName(place, one.name, name));
  const names = pathNames(operation.path);
  for (const name of names) {
    if (!has('path', name))
      reader.problem(step.at, `the path value ${quoted(name)} is missing: add a parameter with in: path`);
  }
  for (const parameter of step.parameters) {
    if (parameter.in === 'path' && !names.includes(parameter.name))
      reader.problem(parameter.at, `the path ${operation.path} has no {${parameter.name}}`);
  }
  for (const { name, in: place, isRequired } of operation.parameters) {
    if (place === 'path' || !isRequired || ['accept', 'content-type', 'authorization'].includes(name.toLowerCase()))
      continue;
    if (!has(place, name)) reader.problem(step.at, `the operation requires the ${place} parameter ${quoted(name)}`);
  }
  if (step.body !== undefined) checkBody(reader, step.body, operation);
  if (operation.isBodyRequired && step.body?.payload === undefined)
    reader.problem(step.at, 'the operation requires a body: add requestBody.payload');
}

const sameName = (place: Parameter['in'], a: string, b: string): boolean =>
  place === 'header' ? a.toLowerCase() === b.toLowerCase() : a === b;

function checkBody(reader: Reader, body: RequestBody, operation: Operation): void {
  const contentType = contentTypeOf(body, operation);
  if (body.payload === undefined) return;
  if (contentType === undefined) {
    reader.problem(body.at, 'the field "contentType" is missing, and the operation does not say one');
  } else if (formatOf(contentType) === undefined) {
    reader.problem(body.at, `bodies of type ${quoted(contentType)} are not supported: JSON, form, XML and text are`);
  }
  for (const { target, at } of body.replacements) {
    if (!mayExist(body.payload, target))
      reader.problem([...at, 'target'], `the payload has nothing at ${quoted(formatPointer(target))} to be replaced`);
  }
}

/** Whether the place is there, or lies within a value that only a run knows. */
function mayExist(payload: Json, [token, ...rest]: readonly string[]): boolean {
  if (token === undefined || typeof payload === 'string') return true;
  const next = child(payload, token);
  return next !== undefined && mayExist(next, rest);
}
