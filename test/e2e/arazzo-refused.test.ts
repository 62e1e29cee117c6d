/** Workflows started past the command line: what is wrong is refused before anything is sent. */
import { readFile } from 'node:fs/promises';
import { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { expect, it } from 'vitest';
import type { RunArazzoInput } from '../../src/contract.js';
import { arazzoSetUp, callsOf, keysDescription, ownDocument, type ArazzoSetUp } from '../support/arazzo.js';

interface Refusal {
  readonly code: string | null | undefined;
  readonly message: string;
}

async function direct(s: ArazzoSetUp): Promise<(name: string, change: Partial<RunArazzoInput>) => Promise<Refusal>> {
  const document = await readFile(ownDocument, 'utf8');
  const apigee = await readFile(keysDescription, 'utf8');
  return async (name, change) => {
    const id = `arazzo/rotate/${name}`;
    const inputs: Record<string, unknown> = { ...s.ownInputs() };
    for (const secret of ['freshKey', 'freshPart', 'formerId'])
      inputs[secret] = await s.i.vault.arazzo.seal(id, inputs[secret]);
    await s.start(id, { document, sources: { apigee }, workflowId: 'rotate', inputs, ...change });
    const failure: unknown = await s.result(id).catch((error: unknown) => error);
    const cause = failure instanceof WorkflowFailedError ? failure.cause : failure;
    if (!(cause instanceof ApplicationFailure)) throw new Error(`${name} was not refused`, { cause });
    return { code: cause.type, message: cause.message };
  };
}

it('a secret in clear is refused with the advice to revoke it, and its value is not repeated', async () => {
  const s = await arazzoSetUp();
  await s.i.worker();
  const refusal = await direct(s);
  const inputs = s.ownInputs();
  const { code, message } = await refusal('clear', { inputs: { ...inputs } });
  expect(code).toBe('KT-ARAZZO-SECRET');
  for (const name of ['freshKey', 'freshPart', 'formerId']) expect(message).toContain(name);
  expect(message).toMatch(/Revoke/);
  for (const value of Object.values(s.values)) expect(message).not.toContain(value);
  // Sealed for another run.
  const freshKey = await s.i.vault.arazzo.seal('arazzo/rotate/other', s.values.key);
  expect(await refusal('foreign', { inputs: { ...inputs, freshKey } })).toMatchObject({ code: 'KT-ARAZZO-SECRET' });
  expect(callsOf(s)).toEqual([]);
});

it('every kind of broken document is refused, with its place, before anything is sent', async () => {
  const s = await arazzoSetUp();
  await s.i.worker();
  const refusal = await direct(s);
  const document = await readFile(ownDocument, 'utf8');
  const apigee = await readFile(keysDescription, 'utf8');
  const without = (from: string, to: string): Partial<RunArazzoInput> => {
    expect(document).toContain(from);
    return { document: document.replace(from, to) };
  };
  const criterion = '[{ condition: $statusCode == 200 }]';
  const broken: Readonly<Record<string, readonly [Partial<RunArazzoInput>, RegExp]>> = {
    yaml: [{ document: 'a: [' }, /the document/],
    twice: [without('info:', 'arazzo: 1.0.1\ninfo:'), /twice/],
    version: [without('arazzo: 1.0.1', 'arazzo: 1.1.0'), /#\/arazzo/],
    xpath: [
      without(criterion, '[{ context: $response.body, type: xpath, condition: //a }]'),
      /successCriteria\/0\/type/,
    ],
    lookaround: [without(criterion, '[{ context: $statusCode, type: regex, condition: "(?=2)" }]'), /condition: .*RE2/],
    backtracking: [
      without(criterion, '[{ context: $response.body, type: jsonpath, condition: "$[?match(@, \'a\')]" }]'),
      /match\(\)/,
    ],
    operation: [without('operationId: getApp', 'operationId: getNothing'), /steps\/0\/operationId/],
    expression: [without('$steps.make.outputs.made', '$steps.make.outputs.lost'), /outputs\/made/],
    workflow: [{ workflowId: 'other' }, /there is no workflow "other"/],
    'no source': [{ sources: {} }, /--source apigee=FILE/],
    'remote reference': [
      { sources: { apigee: apigee.replace("'#/components/schemas/App'", 'https://a.example/b.yaml') } },
      /leads out of the description/,
    ],
    metadata: [{ servers: { apigee: 'http://metadata.google.internal/v1' } }, /never called/],
    'link-local': [{ servers: { apigee: 'https://[fe80::1]/v1' } }, /never called/],
    'in clear': [{ servers: { apigee: 'http://api.example/v1' } }, /loopback/],
    'no such server': [{ servers: { other: 'https://api.example/v1' } }, /"other"/],
    input: [{ inputs: { organization: 1 } }, /inputs\/organization must be string/],
    depth: [{ inputs: { x: JSON.parse('['.repeat(100) + ']'.repeat(100)) as unknown } }, /nested deeper/],
    shape: [{ inputs: [] as never }, /input inputs/],
  };
  for (const [name, [change, expected]] of Object.entries(broken)) {
    const { code, message } = await refusal(name, change);
    expect(code, name).toBe('KT-ARAZZO-DOCUMENT');
    expect(message, name).toMatch(expected);
  }
  expect(callsOf(s)).toEqual([]);
});
