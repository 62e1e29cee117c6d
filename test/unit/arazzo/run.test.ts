import { describe, expect, test } from 'vitest';
import { actionsOf, decide, parseRetryAfter, type StepEnd } from '../../../src/arazzo/action.js';
import type { Scope } from '../../../src/arazzo/evaluate.js';
import { ArazzoError } from '../../../src/arazzo/failure.js';
import { buildInputs, buildRequest } from '../../../src/arazzo/request.js';
import { resolveArazzo } from '../../../src/arazzo/resolve.js';
import { changed, documentOf, read, scope, stepOf } from './documents.js';

type Change = Parameters<typeof changed>[0];
const at = (stepId: string, change: Change = () => undefined) => {
  const document = documentOf(changed(change));
  const { operations } = resolveArazzo(document, new Map([['lockers', read('lockers.openapi.yaml')]]));
  const { workflow, step } = stepOf(document, stepId);
  return { workflow, step, operation: operations.get(step) };
};
const request = (stepId: string, change?: Change, within: Scope = scope) => {
  const { workflow, step, operation } = at(stepId, change);
  if (operation === undefined) throw new Error('no operation');
  return buildRequest(workflow, step, operation, within);
};
const end = (isSuccess: boolean, more: Partial<StepEnd> = {}): StepEnd => ({
  isSuccess,
  hasMet: () => true,
  retries: new Map(),
  ...more,
});

describe('what happens next', () => {
  const withActions = (onSuccess: unknown, onFailure: unknown): Change => {
    return (d) => {
      Object.assign(d.workflows.at(1).steps.at(0), { onSuccess, onFailure });
    };
  };
  const next = (change: Change, given: StepEnd) => {
    const { workflow, step } = at('find', change);
    return decide(workflow, step, given);
  };

  test('without an action: on after success, stop after failure', () => {
    expect(next(withActions([], []), end(true))).toEqual({ kind: 'next' });
    expect(next(withActions([], []), end(false))).toEqual({ kind: 'stop' });
  });

  test('an action whose criteria do not hold is passed over', () => {
    const change = withActions([{ name: 'a', type: 'end' }], [{ name: 'a', type: 'end' }]);
    expect(next(change, end(true, { hasMet: () => false }))).toEqual({ kind: 'next' });
    expect(next(change, end(false, { hasMet: () => false }))).toEqual({ kind: 'stop' });
  });

  test('the first that applies wins', () => {
    const actions = [
      { name: 'a', type: 'end' },
      { name: 'b', type: 'goto', stepId: 'find' },
    ];
    expect(next(withActions(actions, []), end(true))).toEqual({ kind: 'end', outcome: 'completed' });
    expect(next(withActions(actions, []), end(true, { hasMet: ({ name }) => name === 'b' }))).toEqual({
      kind: 'goto',
      to: { kind: 'step', id: 'find' },
    });
  });

  test('an end after failure is a failure', () => {
    expect(next(withActions([], [{ name: 'a', type: 'end' }]), end(false))).toEqual({ kind: 'end', outcome: 'failed' });
  });

  test('retry: once by default, then the next action, then stop', () => {
    const change = withActions(
      [],
      [
        { name: 'r', type: 'retry', retryAfter: 1.5 },
        { name: 'g', type: 'goto', workflowId: 'change-code' },
      ],
    );
    expect(next(change, end(false))).toEqual({ kind: 'retry', afterMs: 1500, counter: 'find r' });
    expect(next(change, end(false, { retries: new Map([['find r', 1]]) }))).toEqual({
      kind: 'goto',
      to: { kind: 'workflow', id: 'change-code' },
    });
    const only = withActions([], [{ name: 'r', type: 'retry', retryAfter: 1 }]);
    expect(next(only, end(false, { retries: new Map([['find r', 1]]) }))).toEqual({ kind: 'stop' });
  });

  test('retryLimit is how often, and 0 is never', () => {
    const change = (retryLimit: number) => withActions([], [{ name: 'r', type: 'retry', retryLimit }]);
    expect(next(change(3), end(false, { retries: new Map([['find r', 2]]) })).kind).toBe('retry');
    expect(next(change(3), end(false, { retries: new Map([['find r', 3]]) })).kind).toBe('stop');
    expect(next(change(0), end(false)).kind).toBe('stop');
  });

  test('Retry-After overrules retryAfter', () => {
    const change = withActions([], [{ name: 'r', type: 'retry', retryAfter: 60 }]);
    expect(next(change, end(false, { retryAfterMs: 5 }))).toMatchObject({ afterMs: 5 });
    const nowMs = Date.UTC(2030, 0, 1);
    expect(parseRetryAfter('5', nowMs)).toBe(5000);
    expect(parseRetryAfter('Tue, 01 Jan 2030 00:00:07 GMT', nowMs)).toBe(7000);
    expect(parseRetryAfter('Mon, 31 Dec 2029 00:00:00 GMT', nowMs)).toBe(0);
    for (const odd of ['', '-1', '1.5', 'soon', '99999999999999']) expect(parseRetryAfter(odd, nowMs)).toBeUndefined();
  });

  test('a retry by way of another step runs it first; by way of itself it is a plain retry', () => {
    const { workflow, step } = at('remove', (d) => {
      d.workflows.at(0).steps.at(2).onFailure = [{ name: 'r', type: 'retry', stepId: 'add' }] as never;
    });
    expect(decide(workflow, step, end(false))).toMatchObject({ kind: 'retry', first: { kind: 'step', id: 'add' } });
    const change = withActions([], [{ name: 'r', type: 'retry', stepId: 'find' }]);
    expect(next(change, end(false))).not.toHaveProperty('first');
  });

  test('the step’s actions come first, and override those of the workflow by name', () => {
    const { workflow, step } = at('add');
    expect(actionsOf(workflow, step, false).map(({ name, type }) => `${name} ${type}`)).toEqual([
      'later retry',
      'give-up goto',
    ]);
    const other = at('remove');
    expect(actionsOf(other.workflow, other.step, false).map(({ name }) => name)).toEqual(['give-up']);
  });
});

describe('requests', () => {
  test('the payload with its expressions, types and replacements', () => {
    const { method, path, headers, body } = request('add');
    expect({ method, path, headers }).toEqual({
      method: 'POST',
      path: '/sites/a%2Fb%20%C3%BC/lockers',
      headers: { 'content-type': 'application/json' },
    });
    expect(JSON.parse(body?.text ?? '')).toEqual({
      code: 's3cr"et',
      label: 'code of a/b ü',
      tags: ['L', 'fixed'],
      count: 2,
    });
  });

  test('parameters in query, header and cookie', () => {
    const built = request('find', (d) => {
      d.workflows
        .at(1)
        .steps.at(0)
        .parameters.push(
          { name: 'tag', in: 'query', value: ['a&b', 1] } as never,
          { name: 'X-Trace', in: 'header', value: '{$inputs.size}!' } as never,
          { name: 'c', in: 'cookie', value: 'v' } as never,
        );
    });
    expect(built.path).toBe('/sites/a%2Fb%20%C3%BC/lockers?size=small&tag=a%26b&tag=1');
    expect(built.headers).toEqual({ 'x-trace': 'L!', cookie: 'c=v' });
    expect(built.values.path).toEqual({ site: 'a/b ü' });
  });

  test('the step’s parameter overrides the workflow’s of the same name and place', () => {
    const built = request('undo', (d) => {
      d.workflows
        .at(0)
        .steps.at(3)
        .parameters.push({ name: 'site', in: 'path', value: 'own' } as never);
    });
    expect(built.path).toBe('/sites/own/lockers/L-7');
  });

  test.each<[string, unknown]>([
    ['absent', undefined],
    ['null', null],
    ['an object', {}],
    ['a list', ['x']],
    ['empty', ''],
    ['a dot', '.'],
    ['two dots', '..'],
    ['half a character', '\ud800'],
  ])('a path value that is %s is an error, not a request', (_, site) => {
    const inputs = { ...scope.inputs, site } as Scope['inputs'];
    expect(() => request('find', undefined, { ...scope, inputs: site === undefined ? {} : inputs })).toThrow(
      ArazzoError,
    );
  });

  test('a value cannot leave its place in a header, a cookie or a text of JSON', () => {
    const one = (parameter: unknown) => () =>
      request(
        'find',
        (d) =>
          d.workflows
            .at(1)
            .steps.at(0)
            .parameters.push(parameter as never),
        {
          ...scope,
          inputs: { ...scope.inputs, size: 'x\r\ny: z; a' },
        },
      );
    expect(one({ name: 'x', in: 'header', value: '$inputs.size' })).toThrow(ArazzoError);
    expect(one({ name: 'x', in: 'cookie', value: '$inputs.size' })).toThrow(ArazzoError);
    const body = (payload: unknown, contentType = 'application/json') =>
      request('add', (d) => Object.assign(d.workflows.at(0).steps.at(0), { requestBody: { contentType, payload } }))
        .body?.text;
    expect(body('{"code":"{$inputs.newCode}","n":{$statusCode}}')).toBe('{"code":"s3cr\\"et","n":200}');
    expect(() => body('{"code":{$inputs.newCode}}')).toThrow(/not valid JSON/);
    expect(body('<c>{$inputs.newCode}</c>', 'application/xml')).toBe('<c>s3cr&quot;et</c>');
    expect(body({ a: '$inputs.newCode', b: ['x y', 1] }, 'application/x-www-form-urlencoded')).toBe(
      'a=s3cr%22et&b=x%20y&b=1',
    );
    expect(() => body({ a: 1 }, 'text/plain')).toThrow(/must be text/);
  });

  test('a replacement of what is not there is an error, not a request', () => {
    const change: Change = (d) =>
      Object.assign(d.workflows.at(0).steps.at(0), {
        requestBody: { payload: '$inputs.deep', replacements: [{ target: '/b', value: 1 }] },
      });
    expect(() => request('add', change)).toThrow(/nothing at \/b/);
  });

  test('a sub-workflow gets its inputs with their types', () => {
    const { workflow, step } = at('lookAgain');
    expect(buildInputs(workflow, step, scope)).toEqual({ site: 'a/b ü' });
  });
});

test('few expressions cannot name a large value often: a body has at most 1 MiB', { timeout: 5_000 }, () => {
  const large = { ...scope, inputs: { ...scope.inputs, site: 's', newCode: 'x'.repeat(60_000) } };
  const body = (payload: unknown) =>
    request(
      'add',
      (d) =>
        Object.assign(d.workflows.at(0).steps.at(0), { requestBody: { contentType: 'application/json', payload } }),
      large,
    ).body?.text.length;
  expect(body({ list: Array.from({ length: 10 }, () => '$inputs.newCode') })).toBeGreaterThan(600_000);
  expect(() => body({ list: Array.from({ length: 40_000 }, () => '$inputs.newCode') })).toThrow(/more than/);
  expect(() => body(`["${'{$inputs.newCode}'.repeat(40_000)}"]`)).toThrow(/longer than/);
});
