/** What became of a step, and what comes next by the document's criteria and actions. */
import { type Decision, decide } from '../arazzo/action.js';
import { allHold } from '../arazzo/criteria.js';
import type { Criterion, Step } from '../arazzo/document.js';
import { BudgetExceeded, engines } from '../arazzo/engines.js';
import { type Call, find, type Scope } from '../arazzo/evaluate.js';
import type { Expression } from '../arazzo/expression.js';
import type { Json, JsonObject } from '../arazzo/json.js';
import { definitionOf } from '../arazzo/openapi.js';
import { isMarkedSecret, responseSchemas } from '../arazzo/schema-marks.js';
import { endsInSecretName, hasSecretName, isSecretName } from '../arazzo/secret-names.js';
import { KeyturnError } from '../domain/errors.js';
import type { StateError } from '../domain/state.js';
import type { ArazzoStepEnd, ArazzoStepInput } from './arazzo-api.js';
import { type PlaceInRun, stepOf } from './arazzo-run.js';

/** What a step has come to. `none`: a transport failure, or a workflow that has failed. */
export type Outcome =
  | { readonly kind: 'answer'; readonly call: Call; readonly retryAfterMs?: number }
  | { readonly kind: 'outputs'; readonly outputs: JsonObject }
  | { readonly kind: 'none'; readonly call?: Call; readonly isUnknown: boolean; readonly error: StateError };

/** Never throws for what an answer holds: after a request was sent, everything is a result. */
export async function judged(
  place: PlaceInRun,
  { stepId, retries }: Pick<ArazzoStepInput, 'stepId' | 'retries'>,
  outcome: Outcome,
): Promise<ArazzoStepEnd> {
  const { step } = stepOf(place, stepId);
  const call = outcome.kind === 'outputs' ? undefined : outcome.call;
  const scope: Scope = {
    ...place.scope,
    ...(call === undefined ? {} : { call }),
    ...(outcome.kind === 'outputs' ? { outputs: outcome.outputs } : {}),
  };
  const status = call?.response?.statusCode ?? null;
  const met = (criteria: readonly Criterion[]): boolean => isMet(criteria, scope);
  const isSuccess =
    outcome.kind !== 'none' && (step.successCriteria.length > 0 ? met(step.successCriteria) : isFine(status));
  const decision = decide(place.workflow, step, {
    isSuccess,
    hasMet: ({ criteria }) => met(criteria),
    retries: new Map(Object.entries(retries)),
    ...(outcome.kind === 'answer' && outcome.retryAfterMs !== undefined ? { retryAfterMs: outcome.retryAfterMs } : {}),
  });
  const end = { isSuccess, isUnknown: false, status, decision, outputs: {}, error: null };
  if (outcome.kind === 'none') return { ...end, isUnknown: outcome.isUnknown, error: outcome.error };
  const missed = { code: 'KT-ARAZZO-STEP', message: `${describe(status)}; its success criteria do not hold` };
  try {
    const outputs = await place.values.close(found(step, scope), secretOutputs(place, step));
    return { ...end, outputs, error: isSuccess ? null : missed };
  } catch (error) {
    return { ...end, ...halted(error) };
  }
}

/** The workflow ends here: no action of the document was made for this. */
export function halted(error: unknown): Pick<ArazzoStepEnd, 'isSuccess' | 'decision' | 'error'> {
  const known = error instanceof KeyturnError ? error : new KeyturnError('KT-INTERNAL', 'the answer could not be read');
  const decision: Decision = { kind: 'stop' };
  return { isSuccess: false, decision, error: { code: known.code, message: known.message } };
}

/** A criterion that needs more work than it may does not hold. */
function isMet(criteria: readonly Criterion[], scope: Scope): boolean {
  try {
    return allHold(criteria, scope, engines);
  } catch (error) {
    if (error instanceof BudgetExceeded) return false;
    throw error;
  }
}

/** Without criteria, and of a workflow that has completed. */
const isFine = (status: number | null): boolean => status === null || (status >= 200 && status < 300);

const describe = (status: number | null): string =>
  status === null ? 'the workflow has completed' : `answered ${status}`;

/** Outputs that have a value. One that has none is left out: whoever names it later is refused. */
const found = ({ outputs }: Pick<Step, 'outputs'>, scope: Scope): JsonObject =>
  Object.fromEntries(
    outputs.flatMap(({ name, expression }): [string, Json][] => {
      const value = find(expression, scope);
      return value === undefined ? [] : [[name, value]];
    }),
  );

/** By name, by what the expression points at, or by what the description says of it. */
export function secretOutputs(place: PlaceInRun, step: Step | undefined): (name: string, value: Json) => boolean {
  const operation = step && place.prepared.operations.get(step);
  const outputs = step?.outputs ?? place.workflow.outputs;
  const marks = (pointer: readonly string[]): boolean => {
    if (operation === undefined) return false;
    const description = place.prepared.descriptions.get(operation.source) ?? null;
    const { operation: definition } = definitionOf(description, operation);
    return responseSchemas(description, definition).some((schema) => isMarkedSecret(description, schema, pointer));
  };
  return (name, value) => {
    const expression = outputs.find((output) => output.name === name)?.expression;
    return (
      isSecretName(name) || hasSecretName(value) || (expression !== undefined && pointsAtSecret(expression, marks))
    );
  };
}

function pointsAtSecret(expression: Expression, marks: (pointer: readonly string[]) => boolean): boolean {
  switch (expression.kind) {
    case 'body':
      return endsInSecretName(expression.pointer) || (expression.of === 'response' && marks(expression.pointer));
    case 'header':
    case 'query':
    case 'path':
      return isSecretName(expression.name);
    case 'inputs':
    case 'outputs':
    case 'steps':
    case 'workflows':
      return isSecretName(expression.name) || endsInSecretName(expression.pointer);
    default:
      return false;
  }
}

/** The workflow's own outputs, those that have a value. */
export const workflowOutputs = (place: PlaceInRun): JsonObject => found(place.workflow, place.scope);
