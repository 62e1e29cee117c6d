import { ArazzoError } from './failure.js';
import { type Expression, formatExpression } from './expression.js';
import { type Json, type JsonObject, own } from './json.js';
import { child, valueAt } from './pointer.js';

/** What a request or response holds for expressions. Absent parts cannot be resolved. */
export interface Message {
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** JSON bodies parsed, others as text. */
  readonly body?: Json;
}

/** The values that are there while an expression is evaluated. */
export interface Scope {
  readonly inputs: JsonObject;
  /** Of the sub-workflow that the step has called. */
  readonly outputs?: JsonObject;
  /** Outputs of the steps that have run, by step id. */
  readonly steps: Readonly<Record<string, JsonObject>>;
  /** Workflows that have run. */
  readonly workflows: Readonly<Record<string, { readonly inputs: JsonObject; readonly outputs: JsonObject }>>;
  readonly sources: Readonly<Record<string, { readonly url: string; readonly type: string }>>;
  /** The step's own call, after it was made. */
  readonly call?: Call;
}

export interface Call {
  readonly url: string;
  readonly method: string;
  readonly request: Message & {
    readonly query: Readonly<Record<string, string>>;
    readonly path: Readonly<Record<string, string>>;
  };
  /** Absent after a transport failure. */
  readonly response?: Message & { readonly statusCode: number };
}

/** The value, with its type kept. @throws ArazzoError unresolved */
export function evaluate(expression: Expression, scope: Scope): Json {
  const value = find(expression, scope);
  if (value === undefined) throw new ArazzoError('unresolved', `${formatExpression(expression)} has no value`);
  return value;
}

/** The value, or undefined where there is none. */
export function find(expression: Expression, scope: Scope): Json | undefined {
  switch (expression.kind) {
    case 'url':
    case 'method':
      return scope.call?.[expression.kind];
    case 'statusCode':
      return scope.call?.response?.statusCode;
    case 'header': {
      const headers = scope.call?.[expression.of]?.headers;
      return headers && own(headers, expression.name.toLowerCase());
    }
    case 'query':
    case 'path': {
      const values = scope.call?.request[expression.kind];
      return values && own(values, expression.name);
    }
    case 'body': {
      const body = scope.call?.[expression.of]?.body;
      return body === undefined ? undefined : valueAt(body, expression.pointer);
    }
    case 'inputs':
      return within(scope.inputs, expression);
    case 'outputs':
      return within(scope.outputs, expression);
    case 'steps':
      return within(own(scope.steps, expression.stepId), expression);
    case 'workflows':
      return within(own(scope.workflows, expression.workflowId)?.[expression.field], expression);
    case 'sourceDescriptions': {
      const source = own(scope.sources, expression.source);
      if (source === undefined) return undefined;
      return expression.field === 'url' || expression.field === 'type' ? source[expression.field] : undefined;
    }
    case 'components':
      return undefined; // components are reused by reference and have no value of their own
    default:
      return expression satisfies never;
  }
}

/** The whole name first, because names may hold dots; then its parts as properties within each other. */
function within(
  values: JsonObject | undefined,
  { name, pointer }: { readonly name: string; readonly pointer: readonly string[] },
): Json | undefined {
  if (values === undefined) return undefined;
  const value = own(values, name) ?? byParts(values, name.split('.'));
  return value === undefined ? undefined : valueAt(value, pointer);
}

const byParts = (values: JsonObject, parts: readonly string[]): Json | undefined =>
  parts.reduce<Json | undefined>((at, part) => (at === undefined ? undefined : child(at, part)), values);
