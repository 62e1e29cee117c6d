import type { ArazzoDocument, Criterion, Step, Workflow } from './document.js';
import { checkJsonpath, compile } from './engines.js';
import { checkSchema } from './inputs.js';
import type { Json } from './json.js';
import { countOf, limits } from './limits.js';
import type { Operation } from './openapi.js';
import { parseArazzo } from './parse.js';
import { type Problem, Reader } from './problems.js';
import { maxSourceBytes, reduced } from './reduce.js';
import { resolveArazzo } from './resolve.js';

/** A document in which everything is resolved, with as much of its sources as its steps use. */
export interface Prepared {
  readonly document: ArazzoDocument;
  readonly operations: ReadonlyMap<Step, Operation>;
  /** OpenAPI descriptions by the names of their sources. */
  readonly descriptions: ReadonlyMap<string, Json>;
}

export type Preparation =
  | { readonly prepared: Prepared; readonly problems: readonly [] }
  | { readonly prepared?: undefined; readonly problems: readonly Problem[] };

/** Everything that can be known before the first request. Never throws. */
export function prepare(data: unknown, descriptions: ReadonlyMap<string, Json>): Preparation {
  const { document, problems } = parseArazzo(data);
  if (document === undefined || problems.length > 0) return { problems };
  const resolved = resolveArazzo(document, descriptions);
  const reader = new Reader();
  const schemas = document.workflows.map(({ inputs }) => countOf(inputs?.schema ?? null));
  if (schemas.reduce((sum, count) => sum + count, 0) > limits.schemaNodes)
    return {
      problems: [{ at: ['workflows'], message: `the input schemas have more than ${limits.schemaNodes} values` }],
    };
  for (const workflow of document.workflows) {
    checkCriteria(reader, workflow);
    reader.attempt(workflow.inputs?.at ?? workflow.at, () => checkSchema(workflow));
  }
  const found = [...resolved.problems, ...reader.problems];
  if (found.length > 0) return { problems: found };
  const kept = reducedSources(reader, document, descriptions, [...resolved.operations.values()]);
  if (reader.problems.length > 0) return { problems: reader.problems };
  return { prepared: { document, operations: resolved.operations, descriptions: kept }, problems: [] };
}

/** What another engine evaluates is in that engine's language. */
function checkCriteria(reader: Reader, workflow: Workflow): void {
  const actions = [
    ...workflow.successActions,
    ...workflow.failureActions,
    ...workflow.steps.flatMap(({ onSuccess, onFailure }) => [...onSuccess, ...onFailure]),
  ];
  const criteria: readonly Criterion[] = [
    ...workflow.steps.flatMap(({ successCriteria }) => successCriteria),
    ...actions.flatMap((action) => action.criteria),
  ];
  for (const criterion of criteria) {
    if (criterion.type === 'simple') continue;
    reader.attempt([...criterion.at, 'condition'], () => {
      if (criterion.type === 'regex') compile(criterion.condition);
      else checkJsonpath(criterion.condition);
    });
  }
}

function reducedSources(
  reader: Reader,
  { sources }: ArazzoDocument,
  descriptions: ReadonlyMap<string, Json>,
  operations: readonly Operation[],
): ReadonlyMap<string, Json> {
  const kept = new Map<string, Json>();
  for (const { name, at } of sources) {
    const used = operations.filter(({ source }) => source === name);
    const description = descriptions.get(name);
    if (used.length === 0 || description === undefined) continue;
    const small = reader.attempt(at, () => reduced(description, used));
    if (small === undefined) continue;
    if (Buffer.byteLength(JSON.stringify(small)) > maxSourceBytes)
      reader.problem(at, `what the steps use of ${name} has more than ${maxSourceBytes / 1024} KiB`);
    kept.set(name, small);
  }
  return kept;
}
