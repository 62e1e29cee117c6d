import type { Condition } from './condition.js';
import type { ArazzoDocument, Criterion, Step, Workflow } from './document.js';
import { type Expression, formatExpression } from './expression.js';
import type { JsonObject, Path } from './json.js';
import type { Reader } from './problems.js';
import { actionsIn } from './resolve-flow.js';
import { expressionsIn } from './template.js';

/** `request`: before a call; `answer`: after it; `result`: at the end of a workflow. */
type Moment = 'request' | 'answer' | 'result';

/** Everything that the expressions of a workflow name is declared, and can be there when it is asked for. */
export function checkExpressions(reader: Reader, document: ArazzoDocument, workflow: Workflow): void {
  const check = (expressions: readonly Expression[], moment: Moment, at: Path, step?: Step): void => {
    for (const expression of expressions) {
      const wrong =
        momentProblem(expression, moment, step) ??
        nameProblem(expression, document, workflow, step) ??
        orderProblem(expression, moment, workflow, step);
      if (wrong !== undefined) reader.problem(at, `${formatExpression(expression)} ${wrong}`);
    }
  };
  const checkCriteria = (criteria: readonly Criterion[], step?: Step): void => {
    for (const criterion of criteria) check(expressionsOf(criterion), 'answer', criterion.at, step);
  };
  for (const { value, at } of workflow.parameters) {
    reader.attempt(at, () => check(expressionsIn(value), 'request', [...at, 'value']));
  }
  for (const step of workflow.steps) {
    const values = [
      ...step.parameters.map(({ value, at }) => ({ value, at: [...at, 'value'] })),
      ...(step.body?.payload === undefined ? [] : [{ value: step.body.payload, at: [...step.body.at, 'payload'] }]),
      ...(step.body?.replacements ?? []).map(({ value, at }) => ({ value, at: [...at, 'value'] })),
    ];
    for (const { value, at } of values) reader.attempt(at, () => check(expressionsIn(value), 'request', at, step));
    checkCriteria(step.successCriteria, step);
    for (const action of [...step.onSuccess, ...step.onFailure]) checkCriteria(action.criteria, step);
    for (const { expression, at } of step.outputs) check([expression], 'answer', at, step);
  }
  for (const action of [...workflow.successActions, ...workflow.failureActions]) checkCriteria(action.criteria);
  for (const { expression, at } of workflow.outputs) check([expression], 'result', at);
}

function expressionsOf(criterion: Criterion): readonly Expression[] {
  return criterion.type === 'simple' ? operandsOf(criterion.condition) : [criterion.context];
}

function operandsOf(condition: Condition): readonly Expression[] {
  switch (condition.kind) {
    case 'literal':
      return [];
    case 'expression':
      return [condition.expression];
    case 'member':
      return [...operandsOf(condition.of), ...operandsOf(condition.key)];
    case 'not':
      return operandsOf(condition.of);
    case 'compare':
    case 'and':
    case 'or':
      return [...operandsOf(condition.left), ...operandsOf(condition.right)];
    default:
      return condition satisfies never;
  }
}

/** What cannot be there yet, or any more. */
function momentProblem(expression: Expression, moment: Moment, step: Step | undefined): string | undefined {
  switch (expression.kind) {
    case 'url':
    case 'method':
    case 'statusCode':
    case 'header':
    case 'query':
    case 'path':
    case 'body':
      if (moment === 'request') return 'is not known before the call: use $inputs or $steps';
      if (moment === 'result') return 'belongs to one call: make it an output of a step, and name that';
      return step?.target.kind === 'workflowId'
        ? 'belongs to a call, and the step calls a workflow: use $outputs'
        : undefined;
    case 'outputs':
      return moment === 'answer' && (step === undefined || step.target.kind === 'workflowId')
        ? undefined
        : 'is known only after a step that calls a workflow: use $steps';
    case 'components':
      return 'is no value: components are reused with "reference"';
    default:
      return undefined;
  }
}

function nameProblem(
  expression: Expression,
  document: ArazzoDocument,
  workflow: Workflow,
  step: Step | undefined,
): string | undefined {
  const find = (id: string): Workflow | undefined => document.workflows.find(({ workflowId }) => workflowId === id);
  switch (expression.kind) {
    case 'inputs':
      return isDeclared(workflow.inputs?.properties ?? {}, expression.name)
        ? undefined
        : `is not among the inputs of the workflow ${workflow.workflowId}`;
    case 'outputs': {
      const called = step === undefined ? undefined : find(step.target.text);
      return called === undefined || hasOutput(called, expression.name)
        ? undefined
        : `is not among the outputs of the workflow ${called.workflowId}`;
    }
    case 'steps': {
      const named = workflow.steps.find(({ stepId }) => stepId === expression.stepId);
      if (named === undefined) return `names no step of the workflow ${workflow.workflowId}`;
      return hasOutput(named, expression.name) ? undefined : `is not among the outputs of the step ${named.stepId}`;
    }
    case 'workflows': {
      const named = find(expression.workflowId);
      if (named === undefined) return 'names no workflow of this document';
      const has =
        expression.field === 'outputs'
          ? hasOutput(named, expression.name)
          : isDeclared(named.inputs?.properties ?? {}, expression.name);
      return has ? undefined : `is not among the ${expression.field} of the workflow ${named.workflowId}`;
    }
    case 'sourceDescriptions':
      if (!document.sources.some(({ name }) => name === expression.source)) return 'names no source description';
      return ['url', 'type'].includes(expression.field) ? undefined : 'has no value: a source has url and type';
    default:
      return undefined;
  }
}

/** Where steps run in their order, a value comes from a step before; with a jump any step may have run. */
function orderProblem(
  expression: Expression,
  moment: Moment,
  workflow: Workflow,
  step: Step | undefined,
): string | undefined {
  if (expression.kind !== 'steps' || step === undefined || moment !== 'request') return undefined;
  if (jumps(workflow)) return undefined;
  const indexOf = (id: string): number => workflow.steps.findIndex(({ stepId }) => stepId === id);
  return indexOf(expression.stepId) < indexOf(step.stepId)
    ? undefined
    : 'is not known yet: that step does not run before';
}

/** Asked for each expression, and answered once. */
const jumping = new WeakMap<Workflow, boolean>();
function jumps(workflow: Workflow): boolean {
  const known = jumping.get(workflow) ?? actionsIn(workflow).some(({ to }) => to?.kind === 'step');
  jumping.set(workflow, known);
  return known;
}

/** The whole name, or its first part when the name goes into a value. */
const isDeclared = (properties: JsonObject, name: string): boolean =>
  Object.hasOwn(properties, name) || Object.hasOwn(properties, name.split('.')[0] ?? name);

const hasOutput = ({ outputs }: Pick<Workflow, 'outputs'>, name: string): boolean =>
  outputs.some((output) => output.name === name || output.name === name.split('.')[0]);
