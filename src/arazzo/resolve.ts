import type { ArazzoDocument, Source, Step, Target, Workflow } from './document.js';
import { parseSourceReference } from './expression.js';
import { quoted, syntaxError } from './failure.js';
import type { Json } from './json.js';
import { type Operation, isOpenApi, operationAt, operationById } from './openapi.js';
import { parsePointer } from './pointer.js';
import { type Problem, Reader } from './problems.js';
import { checkCall } from './resolve-call.js';
import { checkExpressions } from './resolve-expressions.js';
import { checkCycles, checkFlow } from './resolve-flow.js';
import { unknownWorkflow } from './unknown-workflow.js';

export interface Resolved {
  /** What each step calls that calls an operation. */
  readonly operations: ReadonlyMap<Step, Operation>;
  readonly problems: readonly Problem[];
}

/**
 * Looks up everything that the document refers to, so that a run meets no unknown name after its first call.
 * @param descriptions OpenAPI descriptions by the names of their sources; those that no step uses are not needed
 */
export function resolveArazzo(document: ArazzoDocument, descriptions: ReadonlyMap<string, Json>): Resolved {
  const reader = new Reader();
  const operations = new Map<Step, Operation>();
  for (const workflow of document.workflows) {
    for (const step of workflow.steps) {
      const place = step.target.at;
      if (step.target.kind === 'workflowId') {
        const called = document.workflows.find(({ workflowId }) => workflowId === step.target.text);
        if (called === undefined) reader.problem(place, unknownWorkflow(step.target.text));
        else checkInputs(reader, workflow, step, called);
        continue;
      }
      const operation = reader.attempt(place, () => operationOf(document, descriptions, step.target));
      if (operation === undefined) continue;
      operations.set(step, operation);
      checkCall(reader, workflow, step, operation);
    }
    checkFlow(reader, document, workflow);
    checkExpressions(reader, document, workflow);
  }
  checkCycles(reader, document);
  return { operations, problems: reader.problems };
}

/** @throws ArazzoError syntax */
function operationOf(document: ArazzoDocument, descriptions: ReadonlyMap<string, Json>, target: Target): Operation {
  if (target.kind === 'operationPath') {
    const [, name, pointer = ''] = /^\{\$sourceDescriptions\.([A-Za-z0-9_-]+)\.url\}#(.*)$/s.exec(target.text) ?? [];
    if (name === undefined)
      throw syntaxError(
        `${quoted(target.text)} must be such as {$sourceDescriptions.name.url}#/paths/~1apps~1{appId}/get`,
      );
    return operationAt(name, description(document, descriptions, name), parsePointer(pointer));
  }
  if (target.text.startsWith('$')) {
    const { source, reference } = parseSourceReference(target.text);
    return operationById(source, description(document, descriptions, source), reference);
  }
  const [only, another] = document.sources.filter(({ type }) => type !== 'arazzo');
  if (only === undefined) throw syntaxError('there is no source of type openapi');
  if (another !== undefined)
    throw syntaxError(
      `there are several sources: write $sourceDescriptions.${only.name}.${target.text}, or the one that is meant`,
    );
  return operationById(only.name, description(document, descriptions, only.name), target.text);
}

function description(document: ArazzoDocument, descriptions: ReadonlyMap<string, Json>, name: string): Json {
  const source: Source | undefined = document.sources.find((one) => one.name === name);
  if (source === undefined) throw syntaxError(`${quoted(name)} is not among the source descriptions`);
  if (source.type === 'arazzo') throw syntaxError(`source ${name} is an Arazzo document: it has no operations`);
  const found = descriptions.get(name);
  if (found === undefined) {
    const isRemote = /^https?:/i.test(source.url);
    const mend = isRemote ? `nothing is fetched: download ${source.url}, then --source` : '--source';
    throw syntaxError(`the description of source ${name} was not given: ${mend} ${name}=FILE`);
  }
  if (!isOpenApi(found)) throw syntaxError(`source ${name} is not an OpenAPI 3.0 or 3.1 description`);
  return found;
}

function checkInputs(reader: Reader, workflow: Workflow, step: Step, called: Workflow): void {
  const { properties = {}, required = [] } = called.inputs ?? {};
  const given = [...step.parameters, ...workflow.parameters.filter((parameter) => parameter.in === undefined)];
  for (const { name, at } of given) {
    if (!Object.hasOwn(properties, name))
      reader.problem(at, `the workflow ${called.workflowId} has no input ${quoted(name)}`);
  }
  for (const name of required) {
    if (!given.some((parameter) => parameter.name === name))
      reader.problem(step.at, `the workflow ${called.workflowId} needs the input ${quoted(name)}: add a parameter`);
  }
}
