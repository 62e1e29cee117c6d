import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseArazzo } from '../../../src/arazzo/parse.js';
import { resolveArazzo } from '../../../src/arazzo/resolve.js';
import { changed, documentOf, mistakes, read, stepOf } from './documents.js';

type Change = Parameters<typeof changed>[0];

test('the fixture has no mistake, and every step has its operation', () => {
  expect(mistakes(read('change-code.arazzo.yaml'))).toEqual([]);
  const document = documentOf(read('change-code.arazzo.yaml'));
  const { operations } = resolveArazzo(document, new Map([['lockers', read('lockers.openapi.yaml')]]));
  const calls = ['add', 'remove', 'undo', 'find'].map((stepId) => operations.get(stepOf(document, stepId).step));
  expect(calls.map((call) => `${call?.method} ${call?.path}`)).toEqual([
    'POST /sites/{site}/lockers',
    'DELETE /sites/{site}/lockers/{locker}',
    'DELETE /sites/{site}/lockers/{locker}',
    'GET /sites/{site}/lockers',
  ]);
});

test('components stand in the place of their references', () => {
  const document = documentOf(
    changed((d) => {
      d.workflows.at(0).parameters.at(0).value = 'other' as never;
    }),
  );
  const { workflow } = stepOf(document, 'add');
  expect(workflow.parameters).toMatchObject([{ name: 'site', in: 'path', value: 'other' }]);
  expect(workflow.inputs?.required).toEqual(['site', 'newCode', 'oldCode']);
  expect(stepOf(document, 'remove').step.onSuccess).toMatchObject([{ name: 'done', type: 'end' }]);
});

const set = (change: Change): Change => change;
const w = '#/workflows/0';
const refusals: readonly (readonly [what: string, change: Change, place: string, message: string])[] = [
  ['version 1.1', set((d) => Object.assign(d, { arazzo: '1.1.0' })), '#/arazzo', 'must be 1.0.x'],
  ['a version that is a number', set((d) => Object.assign(d, { arazzo: 1 })), '#/arazzo', 'must be 1.0.x'],
  ['no title', set((d) => Reflect.deleteProperty(d.info, 'title')), '#/info', '"title" is missing'],
  [
    'a field with a typing error',
    set((d) => Object.assign(d.workflows.at(0).steps.at(0), { onFailur: [] })),
    `${w}/steps/0/onFailur`,
    'unknown field',
  ],
  ['no sources', set((d) => Object.assign(d, { sourceDescriptions: [] })), '#/sourceDescriptions', 'must not be empty'],
  [
    'a source twice',
    set((d) => d.sourceDescriptions.push(d.sourceDescriptions.at(0))),
    '#/sourceDescriptions/1',
    'unique',
  ],
  ['a workflow twice', set((d) => d.workflows.push(d.workflows.at(1))), '#/workflows/2', 'unique'],
  [
    'a step twice',
    set((d) => d.workflows.at(1).steps.push(d.workflows.at(1).steps.at(0))),
    '#/workflows/1/steps/1',
    'unique',
  ],
  [
    'a step id with a dot',
    set((d) => Object.assign(d.workflows.at(1).steps.at(0), { stepId: 'a.b' })),
    '#/workflows/1/steps/0/stepId',
    'letters, digits',
  ],
  [
    'two targets',
    set((d) => Object.assign(d.workflows.at(0).steps.at(0), { workflowId: 'look' })),
    `${w}/steps/0`,
    'exactly one',
  ],
  [
    'no target',
    set((d) => Reflect.deleteProperty(d.workflows.at(0).steps.at(0), 'operationId')),
    `${w}/steps/0`,
    'exactly one',
  ],
  [
    'empty criteria',
    set((d) => Object.assign(d.workflows.at(0).steps.at(0), { successCriteria: [] })),
    `${w}/steps/0/successCriteria`,
    'must not be empty',
  ],
  [
    'a broken condition',
    set((d) => Object.assign(d.workflows.at(0).steps.at(0).successCriteria.at(0), { condition: '$statusCode = 1' })),
    `${w}/steps/0/successCriteria/0/condition`,
    'write ==',
  ],
  [
    'XPath',
    set((d) => Object.assign(d.workflows.at(0).steps.at(0).successCriteria.at(1), { type: 'xpath' })),
    `${w}/steps/0/successCriteria/1/type`,
    'XPath is not supported',
  ],
  [
    'XPath as an object',
    set((d) =>
      Object.assign(d.workflows.at(0).steps.at(0).successCriteria.at(1), {
        type: { type: 'xpath', version: 'xpath-30' },
      }),
    ),
    `${w}/steps/0/successCriteria/1/type`,
    'XPath is not supported',
  ],
  [
    'an unknown JSONPath version',
    set((d) =>
      Object.assign(d.workflows.at(0).steps.at(0).successCriteria.at(1), { type: { type: 'jsonpath', version: '2' } }),
    ),
    `${w}/steps/0/successCriteria/1/type/version`,
    'draft-goessner',
  ],
  [
    'a type without context',
    set((d) => Reflect.deleteProperty(d.workflows.at(0).steps.at(0).successCriteria.at(1), 'context')),
    `${w}/steps/0/successCriteria/1`,
    '"context" is required',
  ],
  [
    'a comparison as JSONPath',
    set((d) => Object.assign(d.workflows.at(0).steps.at(0).successCriteria.at(1), { condition: '$.ready == true' })),
    `${w}/steps/0/successCriteria/1/condition`,
    'filter',
  ],
  [
    'XPath as a replacement target',
    set((d) => Object.assign(d.workflows.at(0).steps.at(0).requestBody.replacements.at(0), { target: '//count' })),
    `${w}/steps/0/requestBody/replacements/0/target`,
    'XPath is not supported',
  ],
  [
    'a replacement of nothing',
    set((d) => Object.assign(d.workflows.at(0).steps.at(0).requestBody.replacements.at(0), { target: '/absent' })),
    `${w}/steps/0/requestBody/replacements/0/target`,
    'nothing at',
  ],
  [
    'replacements without payload',
    set((d) => Reflect.deleteProperty(d.workflows.at(0).steps.at(0).requestBody, 'payload')),
    `${w}/steps/0/requestBody/replacements`,
    'no payload',
  ],
  [
    'goto nowhere',
    set((d) => Reflect.deleteProperty(d.workflows.at(0).steps.at(0).onFailure.at(1), 'stepId')),
    `${w}/steps/0/onFailure/1`,
    'goto needs',
  ],
  [
    'goto two places',
    set((d) => Object.assign(d.workflows.at(0).steps.at(0).onFailure.at(1), { workflowId: 'look' })),
    `${w}/steps/0/onFailure/1`,
    'exclude each other',
  ],
  [
    'goto an unknown step',
    set((d) => Object.assign(d.workflows.at(0).steps.at(0).onFailure.at(1), { stepId: 'find' })),
    `${w}/steps/0/onFailure/1/stepId`,
    'no step "find"',
  ],
  [
    'retry by way of an unknown step',
    set((d) => Object.assign(d.workflows.at(0).steps.at(0).onFailure.at(0), { stepId: 'x' })),
    `${w}/steps/0/onFailure/0/stepId`,
    'no step "x"',
  ],
  [
    'retry after success',
    set((d) => Object.assign(d.workflows.at(0).steps.at(2), { onSuccess: [{ name: 'r', type: 'retry' }] })),
    `${w}/steps/2/onSuccess/0/type`,
    'end, goto',
  ],
  [
    'a negative delay',
    set((d) => Object.assign(d.workflows.at(0).steps.at(0).onFailure.at(0), { retryAfter: -1 })),
    `${w}/steps/0/onFailure/0/retryAfter`,
    'number from 0',
  ],
  [
    'half a retry',
    set((d) => Object.assign(d.workflows.at(0).steps.at(0).onFailure.at(0), { retryLimit: 0.5 })),
    `${w}/steps/0/onFailure/0/retryLimit`,
    'whole number',
  ],
  [
    'an unknown component',
    set((d) => Object.assign(d.workflows.at(0).parameters.at(0), { reference: '$components.parameters.x' })),
    `${w}/parameters/0/reference`,
    'not among the components',
  ],
  [
    'a component of another kind',
    set((d) => Object.assign(d.workflows.at(0).parameters.at(0), { reference: '$components.successActions.done' })),
    `${w}/parameters/0/reference`,
    'must be such as',
  ],
  [
    'an inherited component',
    set((d) => Object.assign(d.workflows.at(0).parameters.at(0), { reference: '$components.parameters.constructor' })),
    `${w}/parameters/0/reference`,
    'not among the components',
  ],
  [
    'a value for an action',
    set((d) => Object.assign(d.workflows.at(0).steps.at(2).onSuccess.at(0), { value: 1 })),
    `${w}/steps/2/onSuccess/0/value`,
    'only parameters',
  ],
  [
    'a remote schema',
    set((d) => Object.assign(d.workflows.at(0).inputs, { $ref: 'https://x/y' })),
    `${w}/inputs/$ref`,
    'copy the schema',
  ],
  [
    'a schema that leads to itself',
    set((d) => Object.assign(d.components.inputs, { codes: { $ref: '#/components/inputs/codes' } })),
    '#/components/inputs/codes/$ref',
    'back to itself',
  ],
  [
    'an unknown operation',
    set((d) => Object.assign(d.workflows.at(0).steps.at(0), { operationId: 'x' })),
    `${w}/steps/0/operationId`,
    'no operation "x"',
  ],
  [
    'an operation of an unknown source',
    set((d) => Object.assign(d.workflows.at(0).steps.at(3), { operationId: '$sourceDescriptions.x.y' })),
    `${w}/steps/3/operationId`,
    'not among the source',
  ],
  [
    'an unknown operation path',
    set((d) =>
      Object.assign(d.workflows.at(0).steps.at(2), {
        operationPath: '{$sourceDescriptions.lockers.url}#/paths/~1x/get',
      }),
    ),
    `${w}/steps/2/operationPath`,
    'has no get',
  ],
  [
    'an operation path without its source',
    set((d) => Object.assign(d.workflows.at(0).steps.at(2), { operationPath: 'lockers#/paths/~1x/get' })),
    `${w}/steps/2/operationPath`,
    'must be such as',
  ],
  [
    'a plain operation id with two sources',
    set((d) => d.sourceDescriptions.push({ name: 'b', url: 'b' } as never)),
    `${w}/steps/0/operationId`,
    'several sources',
  ],
  [
    'an unknown workflow',
    set((d) => Object.assign(d.workflows.at(0).steps.at(1), { workflowId: 'x' })),
    `${w}/steps/1/workflowId`,
    'no workflow "x"',
  ],
  [
    'a workflow of another document',
    set((d) => Object.assign(d.workflows.at(0).steps.at(1), { workflowId: '$sourceDescriptions.a.b' })),
    `${w}/steps/1/workflowId`,
    'not supported',
  ],
  [
    'an unknown dependency',
    set((d) => Object.assign(d.workflows.at(0), { dependsOn: ['x'] })),
    `${w}/dependsOn/0`,
    'no workflow "x"',
  ],
  [
    'workflows that wait for each other',
    set((d) => Object.assign(d.workflows.at(1), { dependsOn: ['change-code'] })),
    '#/workflows/1/dependsOn/0',
    'look → change-code → look|change-code → look → change-code',
  ],
  [
    'a workflow that calls itself',
    set((d) => Object.assign(d.workflows.at(0).steps.at(1), { workflowId: 'change-code' })),
    `${w}/steps/1/workflowId`,
    'without end',
  ],
  [
    'an input that is not declared',
    set((d) => Object.assign(d.workflows.at(1).steps.at(0).parameters.at(1), { value: '$inputs.sise' })),
    '#/workflows/1/steps/0/parameters/1/value',
    'not among the inputs',
  ],
  [
    'an output of an unknown step',
    set((d) => Object.assign(d.workflows.at(0).outputs, { locker: '$steps.x.outputs.locker' })),
    `${w}/outputs/locker`,
    'names no step',
  ],
  [
    'an output that is not declared',
    set((d) => Object.assign(d.workflows.at(0).outputs, { locker: '$steps.add.outputs.x' })),
    `${w}/outputs/locker`,
    'not among the outputs',
  ],
  [
    'an output that is no expression',
    set((d) => Object.assign(d.workflows.at(0).outputs, { locker: 'text' })),
    `${w}/outputs/locker`,
    'not a runtime expression',
  ],
  [
    'an output of a sub-workflow that it lacks',
    set((d) => Object.assign(d.workflows.at(0).steps.at(1).outputs, { first: '$outputs.x' })),
    `${w}/steps/1/outputs/first`,
    'not among the outputs',
  ],
  [
    'the answer before the call',
    set((d) => Object.assign(d.workflows.at(0).steps.at(0).requestBody.payload, { code: '$response.body#/x' })),
    `${w}/steps/0/requestBody/payload`,
    'before the call',
  ],
  [
    'the answer after the workflow',
    set((d) => Object.assign(d.workflows.at(1).outputs, { first: '$response.body#/x' })),
    '#/workflows/1/outputs/first',
    'belongs to one call',
  ],
  [
    'the status of a sub-workflow',
    set((d) =>
      Object.assign(d.workflows.at(0).steps.at(1), { successCriteria: [{ condition: '$statusCode == 200' }] }),
    ),
    `${w}/steps/1/successCriteria/0`,
    'calls a workflow',
  ],
  [
    'a value of a later step',
    set((d) => Object.assign(d.workflows.at(1).steps.at(0).parameters.at(1), { value: '$steps.find.outputs.first' })),
    '#/workflows/1/steps/0/parameters/1/value',
    'not known yet',
  ],
  [
    'a component as a value',
    set((d) => Object.assign(d.workflows.at(1).steps.at(0).parameters.at(1), { value: '$components.parameters.site' })),
    '#/workflows/1/steps/0/parameters/1/value',
    'is no value',
  ],
  [
    'a literal that begins with $',
    set((d) => Object.assign(d.workflows.at(1).steps.at(0).parameters.at(1), { value: '$5' })),
    '#/workflows/1/steps/0/parameters/1/value',
    'not a runtime expression',
  ],
  [
    'a path value too few',
    set((d) => Object.assign(d.workflows.at(0).steps.at(2), { parameters: [] })),
    `${w}/steps/2`,
    'path value "locker" is missing',
  ],
  [
    'a path value too many',
    set((d) =>
      d.workflows
        .at(1)
        .steps.at(0)
        .parameters.push({ name: 'x', in: 'path', value: 1 } as never),
    ),
    '#/workflows/1/steps/0/parameters/2',
    'has no {x}',
  ],
  [
    'a required query parameter too few',
    set((d) => d.workflows.at(1).steps.at(0).parameters.pop()),
    '#/workflows/1/steps/0',
    'requires the query parameter "size"',
  ],
  [
    'a parameter without a place',
    set((d) => Reflect.deleteProperty(d.workflows.at(1).steps.at(0).parameters.at(1), 'in')),
    '#/workflows/1/steps/0/parameters/1',
    '"in" is missing',
  ],
  [
    'a parameter twice',
    set((d) => d.workflows.at(1).steps.at(0).parameters.push(d.workflows.at(1).steps.at(0).parameters.at(0))),
    '#/workflows/1/steps/0/parameters/2',
    'unique',
  ],
  [
    'its own authentication',
    set((d) =>
      d.workflows
        .at(1)
        .steps.at(0)
        .parameters.push({ name: 'authorization', in: 'header', value: 'x' } as never),
    ),
    '#/workflows/1/steps/0/parameters/2',
    'comes from keyturn.yaml',
  ],
  [
    'a required body too few',
    set((d) => Reflect.deleteProperty(d.workflows.at(0).steps.at(0), 'requestBody')),
    `${w}/steps/0`,
    'requires a body',
  ],
  [
    'a body of an unsupported type',
    set((d) => Object.assign(d.workflows.at(0).steps.at(0).requestBody, { contentType: 'multipart/form-data' })),
    `${w}/steps/0/requestBody`,
    'not supported',
  ],
  [
    'a body for a workflow',
    set((d) => Object.assign(d.workflows.at(0).steps.at(1), { requestBody: { payload: 1 } })),
    `${w}/steps/1/requestBody`,
    'takes inputs',
  ],
  [
    'an input too few for a workflow',
    set((d) => Object.assign(d.workflows.at(0).steps.at(1), { parameters: [] })),
    `${w}/steps/1`,
    'needs the input "site"',
  ],
  [
    'an unknown input for a workflow',
    set((d) =>
      d.workflows
        .at(0)
        .steps.at(1)
        .parameters.push({ name: 'x', value: 1 } as never),
    ),
    `${w}/steps/1/parameters/1`,
    'has no input "x"',
  ],
];

test.each(refusals)('%s is refused at its place', (_, change, place, message) => {
  const found = mistakes(changed(change));
  const matching = found.filter(
    (text) => text.startsWith(`${place}: `) && message.split('|').some((one) => text.includes(one)),
  );
  expect(matching, found.join('\n')).toHaveLength(1);
});

test('every mistake is said at once', () => {
  const found = mistakes({ arazzo: '1.0.0', info: {}, sourceDescriptions: 1, workflows: [{ steps: [{}] }] });
  expect(found.length).toBeGreaterThanOrEqual(6);
});

describe('what the JSON Schema forbids and the text allows', () => {
  test.each<[string, Change]>([
    [
      'retry without a target',
      (d) => (d.workflows.at(0).failureActions = [{ name: 'r', type: 'retry', retryAfter: 0 }] as never),
    ],
    ['retry without a delay', (d) => (d.workflows.at(0).failureActions = [{ name: 'r', type: 'retry' }] as never)],
    [
      'a replacement that is an object',
      (d) => Object.assign(d.workflows.at(0).steps.at(0).requestBody.replacements.at(0), { value: { a: 1 } }),
    ],
    [
      'the type of a criterion as an object',
      (d) =>
        Object.assign(d.workflows.at(0).steps.at(0).successCriteria.at(1), {
          type: { type: 'jsonpath', version: 'draft-goessner-dispatch-jsonpath-00' },
        }),
    ],
    ['patch versions to come', (d) => Object.assign(d, { arazzo: '1.0.99' })],
    ['fields of one’s own', (d) => Object.assign(d.workflows.at(0).steps.at(0), { 'x-owner': 'me' })],
  ])('%s is accepted', (_, change) => {
    expect(mistakes(changed(change))).toEqual([]);
  });
});

describe('hostile documents', () => {
  test('too deep, too large, endless and non-JSON data is refused', () => {
    const deep = Array.from({ length: 100 }).reduce<unknown>((inner) => [inner], 1);
    const endless: unknown[] = [];
    endless.push(endless);
    expect(mistakes(changed((d) => Object.assign(d, { 'x-deep': deep }))).join()).toMatch(/nested deeper/);
    expect(mistakes(endless).join()).toMatch(/nested deeper/);
    expect(mistakes(Array.from({ length: 200_000 }, () => 1)).join()).toMatch(/more than 100000 values/);
    for (const odd of [Number.NaN, new Date(0), new Map(), 1n, undefined, () => 1]) {
      expect(mistakes(changed((d) => Object.assign(d, { 'x-odd': odd }))).join()).toMatch(
        /not (plain data|a JSON number)/,
      );
    }
  });

  test('a long condition of any type is refused before it is looked at', () => {
    const condition = `$${"'\\".repeat(400_000)}`;
    const found = mistakes(
      changed((d) => Object.assign(d.workflows.at(0).steps.at(0).successCriteria.at(1), { condition })),
    );
    expect(found).toEqual([`${w}/steps/0/successCriteria/1/condition: is longer than 4096 characters`]);
  });

  test('references that multiply are bounded', () => {
    const ref = (n: number) => ({ $ref: `#/components/inputs/s${n}` });
    const inputs = Object.fromEntries(
      Array.from({ length: 8 }, (_, n) => [
        `s${n}`,
        { allOf: n === 7 ? [] : Array.from({ length: 20 }, () => ref(n + 1)) },
      ]),
    );
    const found = mistakes(
      changed((d) =>
        Object.assign(d, {
          components: { ...d.components, inputs: { ...d.components.inputs, ...inputs } },
          x: Object.assign(d.workflows.at(1), { inputs: ref(0) }),
        }),
      ),
    );
    expect(found.join()).toMatch(/more than 10000 values/);
  });

  test('no data makes reading throw', () => {
    const fields = [
      'arazzo',
      'info',
      'workflows',
      'steps',
      'stepId',
      'type',
      'criteria',
      'reference',
      '$ref',
      '__proto__',
      'constructor',
      'name',
      'value',
      'in',
      'outputs',
      'components',
      'parameters',
      'inputs',
    ];
    const data = fc.letrec((tie) => ({
      any: fc.oneof(
        { maxDepth: 5 },
        fc.constantFrom<unknown>(
          null,
          1,
          '',
          '1.0.1',
          'x',
          '$inputs.a',
          '{$',
          true,
          'goto',
          'retry',
          '#/components/inputs/a',
        ),
        fc.array(tie('any'), { maxLength: 3 }),
        fc.dictionary(fc.constantFrom(...fields), tie('any'), { maxKeys: 6 }),
      ),
    })).any;
    const valid = read('change-code.arazzo.yaml');
    fc.assert(
      fc.property(data, fc.array(fc.nat(8), { maxLength: 6 }), (odd, route) => {
        expect(parseArazzo(odd).problems.length).toBeGreaterThan(0);
        expect(() => mistakes(grafted(valid, route, odd))).not.toThrow();
      }),
      { numRuns: 500 },
    );
  });
});

/** The value with something else where the route leads. */
function grafted(value: unknown, [step, ...rest]: readonly number[], graft: unknown): unknown {
  if (step === undefined || typeof value !== 'object' || value === null) return graft;
  const entries = Object.entries(value);
  const chosen = entries[step % Math.max(entries.length, 1)]?.[0];
  const after = entries.map(([key, old]) => [key, key === chosen ? grafted(old, rest, graft) : old] as const);
  return Array.isArray(value) ? after.map(([, item]) => item) : Object.fromEntries(after);
}
