import type { Parameter, Step, Workflow } from './document.js';

/**
 * The parameters of a step's call: its own, and those of the workflow that it does not override by name and place.
 * A sub-workflow takes inputs: of the workflow's parameters it gets those without `in`.
 */
export function parametersOf(workflow: Workflow, step: Step): readonly Parameter[] {
  const isWorkflow = step.target.kind === 'workflowId';
  const key = (parameter: Parameter): string => `${isWorkflow ? '' : (parameter.in ?? '')} ${parameter.name}`;
  const own = new Set(step.parameters.map(key));
  const general = workflow.parameters.filter(
    (parameter) => (parameter.in === undefined) === isWorkflow && !own.has(key(parameter)),
  );
  return [...step.parameters, ...general];
}

/** Names in the braces of a path template. */
export const pathNames = (path: string): readonly string[] =>
  [...path.matchAll(/\{([^{}]+)\}/g)].map(([, name = '']) => name);

/** Headers that the transport or the configuration sets, never a document. */
const refusedHeaders = [
  'authorization',
  'connection',
  'content-length',
  'content-type',
  'cookie',
  'expect',
  'host',
  'keep-alive',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
];

/** Why a parameter of this name cannot be sent, or undefined. */
export function refusalOf({ name, in: place }: Parameter): string | undefined {
  if (place !== 'header' && place !== 'cookie') return undefined;
  if (!/^[\w!#$%&'*+.^`|~-]+$/.test(name)) return `the name of a ${place} cannot hold blanks or separators`;
  if (place === 'cookie' || !refusedHeaders.includes(name.toLowerCase())) return undefined;
  if (/^content-type$/i.test(name)) return 'write it as requestBody.contentType';
  if (/^cookie$/i.test(name)) return 'write it with `in: cookie`';
  return 'a document does not set this header; authentication comes from keyturn.yaml, `arazzo.sources`';
}
