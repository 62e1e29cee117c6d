import { Components } from './components.js';
import type { ArazzoDocument, Reference, Source, Workflow } from './document.js';
import { quoted } from './failure.js';
import { parseInputs } from './input-schema.js';
import { type Json, type JsonObject, own, type Path } from './json.js';
import { limits, measure } from './limits.js';
import { parseOutputs, parseStep } from './parse-step.js';
import { type Problem, Reader } from './problems.js';

/** With problems there may be no document, or one from which the wrong parts are left out. */
export interface Parsed {
  readonly document?: ArazzoDocument;
  readonly problems: readonly Problem[];
}

/**
 * Reads an Arazzo 1.0.x document from plain data, such as YAML or JSON gives, and reports every mistake at its place.
 * What the document refers to is looked up by `resolve`. Never throws.
 */
export function parseArazzo(data: unknown): Parsed {
  const measured = measure(data);
  if (measured.kind === 'refused') return { problems: [measured] };
  const reader = new Reader();
  const document = parseDocument(reader, measured.value);
  return { ...(document === undefined ? {} : { document }), problems: reader.problems };
}

const fields = ['arazzo!', 'info!', 'sourceDescriptions!', 'workflows!', 'components'];

function parseDocument(reader: Reader, value: Json): ArazzoDocument | undefined {
  const version = versionOf(reader, value);
  if (version === undefined) return undefined;
  const object = reader.object(value, [], fields);
  if (object === undefined) return undefined;
  const info = Object.hasOwn(object, 'info')
    ? reader.object(own(object, 'info'), ['info'], ['title!', 'summary', 'description', 'version!'])
    : undefined;
  const title = info && reader.text(info, 'title', ['info']);
  if (info) reader.text(info, 'version', ['info']);
  const sources = reader.list(object, 'sourceDescriptions', [], (item, at) => parseSource(reader, item, at), {
    isNonEmpty: true,
  });
  reader.unique(sources, 'source', ({ name }) => name);
  const components = new Components(reader, object);
  const workflows = reader.list(object, 'workflows', [], (item, at) => parseWorkflow(reader, components, item, at), {
    isNonEmpty: true,
  });
  if (workflows.length > limits.workflows) reader.problem(['workflows'], `there are more than ${limits.workflows}`);
  reader.unique(workflows, 'workflow', ({ workflowId }) => workflowId);
  return { version, title: title ?? '', sources, workflows };
}

/** Patch versions do not matter. A later minor version may mean other things by the same words: refused. */
function versionOf(reader: Reader, value: Json): string | undefined {
  const object = reader.map(value, []);
  if (object === undefined) return undefined;
  if (!Object.hasOwn(object, 'arazzo')) {
    const what = Object.hasOwn(object, 'openapi') ? 'this is an OpenAPI description: ' : '';
    return reader.problem([], `${what}the field "arazzo" is missing; it must be a version such as 1.0.1`);
  }
  const version = own(object, 'arazzo');
  if (typeof version === 'string' && /^1\.0\.\d+(-.+)?$/.test(version)) return version;
  const shown = typeof version === 'string' || typeof version === 'number' ? `${quoted(String(version))} ` : '';
  return reader.problem(['arazzo'], `version ${shown}is not supported: it must be 1.0.x, for example 1.0.1`);
}

function parseSource(reader: Reader, value: Json, at: Path): Source | undefined {
  const object = reader.object(value, at, ['name!', 'url!', 'type']);
  if (object === undefined) return undefined;
  const name = reader.name(object, 'name', at);
  const url = reader.text(object, 'url', at);
  const type = reader.oneOf(object, 'type', at, ['openapi', 'arazzo']);
  if (name === undefined || url === undefined) return undefined;
  return { at, name, url, ...(type === undefined ? {} : { type }) };
}

function parseWorkflow(reader: Reader, components: Components, value: Json, at: Path): Workflow | undefined {
  const object = reader.object(value, at, [
    'workflowId!',
    'summary',
    'description',
    'inputs',
    'dependsOn',
    'steps!',
    'successActions',
    'failureActions',
    'outputs',
    'parameters',
  ]);
  if (object === undefined) return undefined;
  const workflowId = reader.name(object, 'workflowId', at);
  const schema = own(object, 'inputs');
  const inputs = schema === undefined ? undefined : parseInputs(reader, components, schema, [...at, 'inputs']);
  const steps = reader.list(object, 'steps', at, (item, place) => parseStep(reader, components, item, place), {
    isNonEmpty: true,
  });
  if (steps.length > limits.steps) reader.problem([...at, 'steps'], `there are more than ${limits.steps}`);
  reader.unique(steps, 'step', ({ stepId }) => stepId);
  const parsed = {
    dependsOn: dependencies(reader, object, at),
    parameters: components.parameters(object, at),
    successActions: components.actions('success', object, 'successActions', at),
    failureActions: components.actions('failure', object, 'failureActions', at),
    outputs: parseOutputs(reader, object, at),
  };
  return workflowId === undefined
    ? undefined
    : { at, workflowId, ...(inputs === undefined ? {} : { inputs }), steps, ...parsed };
}

const dependencies = (reader: Reader, object: JsonObject, at: Path): readonly Reference[] =>
  reader.list(object, 'dependsOn', at, (text, place) =>
    typeof text === 'string' ? { at: place, text } : reader.problem(place, 'must be the id of a workflow'),
  );
