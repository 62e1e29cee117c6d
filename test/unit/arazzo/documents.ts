import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import type { ArazzoDocument, Step, Workflow } from '../../../src/arazzo/document.js';
import type { Scope } from '../../../src/arazzo/evaluate.js';
import type { Json } from '../../../src/arazzo/json.js';
import { parseArazzo } from '../../../src/arazzo/parse.js';
import { problemText } from '../../../src/arazzo/problems.js';
import { resolveArazzo } from '../../../src/arazzo/resolve.js';

export const fixture = (name: string): string => new URL(`../../fixtures/arazzo/${name}`, import.meta.url).pathname;

export const read = (name: string): Json => parse(readFileSync(fixture(name), 'utf8')) as Json;

/** A part of a document that a test changes, in whatever way. */
interface Changeable extends Record<
  | 'components'
  | 'failureActions'
  | 'info'
  | 'inputs'
  | 'onFailure'
  | 'onSuccess'
  | 'outputs'
  | 'parameters'
  | 'payload'
  | 'replacements'
  | 'requestBody'
  | 'sourceDescriptions'
  | 'steps'
  | 'successCriteria'
  | 'value'
  | 'workflows',
  Changeable
> {
  at(index: number): Changeable;
  push(...items: readonly unknown[]): unknown;
  pop(): unknown;
}

/** The document of the fixtures after a change. */
export function changed(change: (document: Changeable) => unknown): unknown {
  const document = read('change-code.arazzo.yaml') as unknown as Changeable;
  change(document);
  return document;
}

/** Everything that is wrong with it, in parsing or else in resolving. */
export function mistakes(data: unknown): readonly string[] {
  const { document, problems } = parseArazzo(data);
  if (document === undefined || problems.length > 0) return problems.map(problemText);
  const descriptions = new Map([['lockers', read('lockers.openapi.yaml')]]);
  return resolveArazzo(document, descriptions).problems.map(problemText);
}

export function documentOf(data: unknown): ArazzoDocument {
  const { document, problems } = parseArazzo(data);
  if (document === undefined || problems.length > 0) throw new Error(problems.map(problemText).join('\n'));
  return document;
}

export function stepOf(document: ArazzoDocument, stepId: string): { readonly workflow: Workflow; readonly step: Step } {
  for (const workflow of document.workflows) {
    const step = workflow.steps.find((one) => one.stepId === stepId);
    if (step !== undefined) return { workflow, step };
  }
  throw new Error(`there is no step ${stepId}`);
}

export const scope: Scope = {
  inputs: {
    site: 'a/b ü',
    size: 'L',
    newCode: 's3cr"et',
    oldCode: 'old',
    'dotted.name': 1,
    deep: { a: [{ b: true }] },
  },
  steps: { add: { locker: 'L-7', list: [1, 2] } },
  workflows: { look: { inputs: { site: 'x' }, outputs: { first: 9 } } },
  outputs: { first: 'F' },
  sources: { lockers: { url: './lockers.openapi.yaml', type: 'openapi' } },
  call: {
    url: 'https://lockers.example/v2/x',
    method: 'POST',
    request: { headers: { 'x-trace': 't' }, query: { q: '1' }, path: { site: 'p' }, body: { sent: true } },
    response: {
      statusCode: 200,
      headers: { 'retry-after': '3' },
      body: { state: 'Active', n: 5, none: null, list: [{ id: 'one' }], 'a/b': 'slash', done: true },
    },
  },
};
