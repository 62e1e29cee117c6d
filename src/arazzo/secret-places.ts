import type { Step, Workflow } from './document.js';
import type { Expression } from './expression.js';
import { isList, isObject, type Json, own } from './json.js';
import { definitionOf, type Operation } from './openapi.js';
import { parametersOf } from './parameters.js';
import type { Prepared } from './prepare.js';
import { actionsIn } from './resolve-flow.js';
import { isMarkedSecret, requestSchemas } from './schema-marks.js';
import { hasSecretName, isSecretName, isSecretPathValue, endsInSecretName } from './secret-names.js';
import { expressionsIn, parseTemplate } from './template.js';

/**
 * Inputs of a workflow that are secrets, whatever the document says: by their name or schema, or by the place where they are used, in this
 * workflow and in those that it calls, awaits or goes to.
 */
export function secretInputs(prepared: Prepared, workflow: Workflow): ReadonlySet<string> {
  return search(prepared, workflow, new Set());
}

function search(prepared: Prepared, workflow: Workflow, before: ReadonlySet<Workflow>): ReadonlySet<string> {
  const declared = workflow.inputs?.properties ?? {};
  const found = new Set<string>();
  const add = (name: string): void => {
    const root = Object.hasOwn(declared, name) ? name : (name.split('.')[0] ?? name);
    if (Object.hasOwn(declared, root)) found.add(root);
  };
  const addFrom = (expressions: readonly Expression[]): void => {
    for (const expression of expressions) if (expression.kind === 'inputs') add(expression.name);
  };
  for (const [name, schema] of Object.entries(declared)) {
    if (isSecretName(name) || hasSecretName(schema) || hasPassword(schema)) add(name);
  }
  if (before.has(workflow)) return found;
  const seen = new Set([...before, workflow]);
  const secretsOf = (id: string): ReadonlySet<string> => {
    const called = prepared.document.workflows.find(({ workflowId }) => workflowId === id);
    return called === undefined ? new Set() : search(prepared, called, seen);
  };
  for (const step of workflow.steps) {
    const operation = prepared.operations.get(step);
    if (operation === undefined) {
      const called = secretsOf(step.target.text);
      for (const { name, value } of parametersOf(workflow, step)) {
        if (called.has(name) || isSecretName(name)) addFrom(expressionsIn(value));
      }
    } else addFrom(secretUses(prepared, workflow, step, operation));
  }
  const others = [
    ...workflow.dependsOn.map(({ text }) => text),
    ...actionsIn(workflow).flatMap(({ to }) => (to?.kind === 'workflow' ? [to.id] : [])),
  ];
  // These get the inputs that they declare under the same names.
  for (const id of others) for (const name of secretsOf(id)) add(name);
  return found;
}

/** Every expression that stands where a request has a secret. */
function secretUses(prepared: Prepared, workflow: Workflow, step: Step, operation: Operation): readonly Expression[] {
  const parameters = parametersOf(workflow, step).filter(({ name, in: place }) =>
    place === 'path' ? isSecretPathValue(operation.path, name) : place === 'cookie' || isSecretName(name),
  );
  const { payload, replacements = [] } = step.body ?? {};
  const description = prepared.descriptions.get(operation.source) ?? null;
  const schemas = requestSchemas(description, definitionOf(description, operation).operation);
  const isSecretField = (pointer: readonly string[]): boolean =>
    endsInSecretName(pointer) || schemas.some((schema) => isMarkedSecret(description, schema, pointer));
  return [
    ...parameters.flatMap(({ value }) => expressionsIn(value)),
    ...(payload === undefined ? [] : inPayload(payload, [], isSecretField)),
    ...replacements.flatMap(({ target, value }) => inPayload(value, target, isSecretField)),
  ];
}

function inPayload(
  value: Json,
  at: readonly string[],
  isSecretField: (pointer: readonly string[]) => boolean,
): readonly Expression[] {
  if (typeof value === 'string') {
    if (at.length > 0 && isSecretField(at)) return expressionsIn(value);
    return inText(value);
  }
  if (isList(value)) return value.flatMap((item, index) => inPayload(item, [...at, String(index)], isSecretField));
  if (!isObject(value)) return [];
  return Object.entries(value).flatMap(([key, item]) =>
    isSecretName(key) ? expressionsIn(item) : inPayload(item, [...at, key], isSecretField),
  );
}

/** In a text of JSON, XML or a form the last name before an embedded expression says what it is. */
function inText(text: string): readonly Expression[] {
  const template = parseTemplate(text);
  if (template.kind === 'expression') return [];
  return template.parts.filter((part, index): part is Expression => {
    const before = template.parts[index - 1];
    if (typeof part === 'string' || typeof before !== 'string') return false;
    return isSecretName(/([A-Za-z_][\w.-]*)[^A-Za-z0-9_]*$/.exec(before)?.[1] ?? '');
  });
}

function hasPassword(schema: Json): boolean {
  if (isList(schema)) return schema.some(hasPassword);
  if (!isObject(schema)) return false;
  return own(schema, 'format') === 'password' || Object.values(schema).some(hasPassword);
}
