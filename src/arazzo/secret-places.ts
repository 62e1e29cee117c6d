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
  const known = found.get(prepared) ?? search(prepared);
  found.set(prepared, known);
  return known.get(workflow.workflowId) ?? new Set();
}

type SecretNames = ReadonlyMap<string, Set<string>>;
const found = new WeakMap<Prepared, SecretNames>();

/** What an input becomes in another workflow. */
interface Handing {
  readonly from: string;
  readonly names: readonly string[];
  readonly to: string;
  readonly as: string;
}

/** By each workflow itself, and then from workflow to workflow until nothing is added: they may lead to each other in a circle. */
function search(prepared: Prepared): SecretNames {
  const { workflows } = prepared.document;
  const secrets = new Map(workflows.map((workflow) => [workflow.workflowId, ownSecrets(prepared, workflow)]));
  const handings = workflows.flatMap((workflow) => handingsOf(prepared, workflow));
  for (let isDone = false; !isDone;) {
    isDone = true;
    for (const { from, names, to, as } of handings) {
      const known = secrets.get(from);
      if (known === undefined || secrets.get(to)?.has(as) !== true) continue;
      for (const name of names) {
        if (known.has(name)) continue;
        known.add(name);
        isDone = false;
      }
    }
  }
  return secrets;
}

function ownSecrets(prepared: Prepared, workflow: Workflow): Set<string> {
  const declared = Object.entries(workflow.inputs?.properties ?? {});
  const byName = declared.flatMap(([name, schema]) =>
    isSecretName(name) || hasSecretName(schema) || hasPassword(schema) ? [name] : [],
  );
  const byUse = workflow.steps.flatMap((step) => {
    const operation = prepared.operations.get(step);
    if (operation !== undefined) return secretUses(prepared, workflow, step, operation);
    return parametersOf(workflow, step).flatMap(({ name, value }) => (isSecretName(name) ? expressionsIn(value) : []));
  });
  return new Set([...byName, ...inputsIn(workflow, byUse)]);
}

function handingsOf({ document, operations }: Prepared, workflow: Workflow): readonly Handing[] {
  const from = workflow.workflowId;
  const called = workflow.steps
    .filter((step) => !operations.has(step))
    .flatMap((step) =>
      parametersOf(workflow, step).map(({ name, value }): Handing => {
        return { from, names: inputsIn(workflow, expressionsIn(value)), to: step.target.text, as: name };
      }),
    );
  const others = new Set([
    ...workflow.dependsOn.map(({ text }) => text),
    ...actionsIn(workflow).flatMap(({ to }) => (to?.kind === 'workflow' ? [to.id] : [])),
  ]);
  const declared = workflow.inputs?.properties ?? {};
  const sameNames = document.workflows
    .filter(({ workflowId }) => others.has(workflowId))
    .flatMap(({ workflowId, inputs }) =>
      Object.keys(inputs?.properties ?? {})
        .filter((name) => Object.hasOwn(declared, name))
        .map((name): Handing => ({ from, names: [name], to: workflowId, as: name })),
    );
  return [...called, ...sameNames];
}

/** Declared inputs that these expressions name, or go into. */
function inputsIn(workflow: Workflow, expressions: readonly Expression[]): readonly string[] {
  const declared = workflow.inputs?.properties ?? {};
  return expressions.flatMap((expression) => {
    if (expression.kind !== 'inputs') return [];
    const { name } = expression;
    const root = Object.hasOwn(declared, name) ? name : (name.split('.')[0] ?? name);
    return Object.hasOwn(declared, root) ? [root] : [];
  });
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
