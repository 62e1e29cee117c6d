import type { Condition } from './condition.js';
import type { Expression } from './expression.js';
import type { Json, JsonObject, Path } from './json.js';

/** An Arazzo 1.0.x document in which everything has its shape. Reusable objects stand in the place of their references. */
export interface ArazzoDocument {
  /** Of the specification, for example `1.0.1`. */
  readonly version: string;
  readonly title: string;
  readonly sources: readonly Source[];
  readonly workflows: readonly Workflow[];
}

export interface Placed {
  /** Where it stands in the document. */
  readonly at: Path;
}

export interface Source extends Placed {
  readonly name: string;
  readonly url: string;
  readonly type?: SourceType;
}
export type SourceType = 'openapi' | 'arazzo';

export interface Workflow extends Placed {
  readonly workflowId: string;
  readonly inputs?: InputSchema;
  readonly dependsOn: readonly Reference[];
  readonly parameters: readonly Parameter[];
  readonly steps: readonly Step[];
  readonly successActions: readonly Action[];
  readonly failureActions: readonly Action[];
  readonly outputs: readonly Output[];
}

/** A JSON Schema 2020-12 without references, and what of it matters before anything is sent. */
export interface InputSchema extends Placed {
  readonly schema: Json;
  /** Declared properties with their schemas. */
  readonly properties: JsonObject;
  readonly required: readonly string[];
}

export interface Reference extends Placed {
  readonly text: string;
}

export interface Parameter extends Placed {
  readonly name: string;
  /** Absent where it is an input of a sub-workflow. */
  readonly in?: ParameterPlace;
  /** With expressions unresolved. */
  readonly value: Json;
}
export const parameterPlaces = ['path', 'query', 'header', 'cookie'] as const;
export type ParameterPlace = (typeof parameterPlaces)[number];

export interface Step extends Placed {
  readonly stepId: string;
  readonly target: Target;
  readonly parameters: readonly Parameter[];
  readonly body?: RequestBody;
  /** All must hold. */
  readonly successCriteria: readonly Criterion[];
  readonly onSuccess: readonly Action[];
  readonly onFailure: readonly Action[];
  readonly outputs: readonly Output[];
}

/** What a step calls, as it is written. */
export interface Target extends Reference {
  readonly kind: 'operationId' | 'operationPath' | 'workflowId';
}

export interface RequestBody extends Placed {
  readonly contentType?: string;
  readonly payload?: Json;
  readonly replacements: readonly Replacement[];
}

export interface Replacement extends Placed {
  readonly target: readonly string[];
  readonly value: Json;
}

export interface Output {
  readonly at: Path;
  readonly name: string;
  readonly expression: Expression;
}

export type Criterion = Placed &
  (
    | { readonly type: 'simple'; readonly condition: Condition }
    | { readonly type: 'regex' | 'jsonpath'; readonly context: Expression; readonly condition: string }
  );

export interface Action extends Placed {
  readonly name: string;
  readonly type: 'end' | 'goto' | 'retry';
  /** Of goto: where to go. Of retry: what to run before the step is tried again. */
  readonly to?: { readonly kind: 'step' | 'workflow'; readonly id: string };
  /** Seconds, of retry. */
  readonly retryAfter: number;
  readonly retryLimit: number;
  /** All must hold; with none it always applies. */
  readonly criteria: readonly Criterion[];
}
