import { describe, expect, test } from 'vitest';
import { ArazzoError } from '../../../src/arazzo/failure.js';
import { requireInputs, validInputs } from '../../../src/arazzo/inputs.js';
import type { Json } from '../../../src/arazzo/json.js';
import { operationById } from '../../../src/arazzo/openapi.js';
import { prepare } from '../../../src/arazzo/prepare.js';
import { problemText } from '../../../src/arazzo/problems.js';
import { reduced } from '../../../src/arazzo/reduce.js';
import { baseUrlOf, serverProblems, sourceAt } from '../../../src/arazzo/servers.js';
import { changed, documentOf, read } from './documents.js';

const lockers = read('lockers.openapi.yaml');
const find = operationById('lockers', lockers, 'findLockers');

describe('what is kept of a description', () => {
  test('the operations that are used, and what they refer to', () => {
    const kept = reduced(lockers, [find]) as { paths: Record<string, object>; components: unknown };
    expect(Object.keys(kept.paths)).toEqual(['/sites/{site}/lockers']);
    expect(Object.keys(kept.paths['/sites/{site}/lockers'] ?? {}).toSorted()).toEqual(['get', 'parameters']);
    expect(kept.components).toHaveProperty('parameters.site');
    expect(operationById('lockers', kept as unknown as Json, 'findLockers')).toEqual(find);
  });

  test.each(['https://a.example/x.yaml', 'other.yaml#/x', '#/components/schemas/None'])(
    'a reference to %s in it is refused',
    (ref) => {
      const text = JSON.stringify(lockers).replace(
        '"description":"found"',
        `"description":"found","content":{"a/b":{"schema":{"$ref":"${ref}"}}}`,
      );
      expect(() => reduced(JSON.parse(text) as Json, [find])).toThrow(ArazzoError);
    },
  );

  test('a source of which the steps use too much is refused with its place', () => {
    const text = JSON.stringify(lockers).replace('"description":"found"', `"description":"${'x'.repeat(600_000)}"`);
    const { problems } = prepare(
      changed(() => undefined),
      new Map([['lockers', JSON.parse(text) as Json]]),
    );
    expect(problems.map(problemText)).toEqual([
      '#/sourceDescriptions/0: what the steps use of lockers has more than 512 KiB',
    ]);
  });
});

describe('base URLs', () => {
  const configured = new Map([
    ['lockers', { url: 'https://conf.example/v2' }],
    ['other', { url: 'https://other.example' }],
    ['lan', { url: 'http://lan.example' }],
  ]);

  test('of the run, else of keyturn.yaml, else of the description', () => {
    expect(baseUrlOf(find, new Map(), {})).toBe('https://lockers.example/v2');
    expect(baseUrlOf(find, configured, {})).toBe('https://conf.example/v2');
    expect(baseUrlOf(find, configured, { lockers: 'https://run.example/x/' })).toBe('https://run.example/x');
  });

  test('a credential belongs to the very origin and base path of keyturn.yaml', () => {
    expect(sourceAt('https://conf.example/v2', 'lockers', configured)).toBe('lockers');
    expect(sourceAt('https://other.example', 'lockers', configured)).toBe('other');
    for (const base of [
      'https://conf.example',
      'https://conf.example/v2/x',
      'http://conf.example/v2',
      'https://conf.example:444/v2',
    ])
      expect(sourceAt(base, 'lockers', configured)).toBeUndefined();
  });

  test.each([
    ...[
      'ftp://x.example',
      '/v2',
      'https://{region}.example',
      'https://user:pw@x.example',
      'https://x.example?a=1',
      'http://x.example',
    ],
    ...[
      'http://169.254.169.254/v1',
      'http://2852039166',
      'http://0xa9fea9fe/',
      'https://[::ffff:169.254.1.1]/',
      'https://[fe80::1]',
      'https://metadata.google.internal./v1',
    ],
  ])('%s is refused', (url) => {
    expect(() => baseUrlOf(find, configured, { lockers: url })).toThrow(ArazzoError);
  });

  test('plain http is for loopback, and for what keyturn.yaml allows', () => {
    expect(baseUrlOf(find, configured, { lockers: 'http://127.0.0.1:1/v1' })).toBe('http://127.0.0.1:1/v1');
    expect(baseUrlOf(find, configured, { lockers: 'http://lan.example' })).toBe('http://lan.example');
  });

  test('one for a source that the document does not have is refused', () => {
    const { prepared } = prepare(
      changed(() => undefined),
      new Map([['lockers', lockers]]),
    );
    if (prepared === undefined) throw new Error('not prepared');
    const [workflow] = prepared.document.workflows;
    if (workflow === undefined) throw new Error('no workflow');
    expect(serverProblems(prepared, workflow, configured, {})).toEqual([]);
    expect(serverProblems(prepared, workflow, configured, { typo: 'https://x.example' })).toHaveLength(1);
  });
});

describe('inputs', () => {
  const schema = {
    type: 'object',
    required: ['site'],
    properties: {
      site: { type: 'string', pattern: '^[a-z]+$' },
      size: { enum: ['S', 'L'], default: 'S' },
      list: { prefixItems: [{ type: 'integer' }], items: false },
    },
  };
  const workflow = (inputs: unknown = schema) => {
    const [, look] = documentOf(changed((d) => Object.assign(d.workflows.at(1), { inputs }))).workflows;
    if (look === undefined) throw new Error('no workflow');
    return look;
  };

  test('are held against JSON Schema 2020-12; defaults are filled in, and what is not declared is left out', () => {
    expect(validInputs(workflow(), { site: 'a', list: [1], more: 1 })).toEqual({ site: 'a', size: 'S', list: [1] });
  });

  test('every mistake is said with its place, and no value', () => {
    const wrong = { site: 'CANARY-1', size: 'CANARY-2', list: [1, 'CANARY-3'] };
    const message = messageOf(() => validInputs(workflow(), wrong));
    for (const place of ['inputs/site', 'inputs/size', 'inputs/list']) expect(message).toContain(place);
    expect(message).not.toContain('CANARY');
    expect(messageOf(() => validInputs(workflow(), {}))).toContain("'site'");
  });

  test('a pattern of a schema takes linear time', { timeout: 5_000 }, () => {
    const slow = workflow({ properties: { site: { pattern: '^(a+)+$' } } });
    expect(() => validInputs(slow, { site: `${'a'.repeat(50_000)}!` })).toThrow(ArazzoError);
  });

  test.each<[string, unknown]>([
    ['no type', { properties: { a: { type: 'nothing' } } }],
    ['look-around', { properties: { a: { pattern: '(?=a)' } } }],
  ])('a schema that is none is found before anything is sent: %s', (_, inputs) => {
    const data = changed((d) => Object.assign(d.workflows.at(1), { inputs: { ...schema, ...(inputs as object) } }));
    const { problems } = prepare(data, new Map([['lockers', lockers]]));
    expect(problems.map(problemText)).toContainEqual(expect.stringMatching(/^#\/workflows\/1\/inputs: /));
  });

  test('too many and too large ones are refused', () => {
    expect(() => validInputs(workflow(), { site: 'a'.repeat(70_000) })).toThrow(/64 KiB/);
    expect(() => validInputs(workflow(), { site: 'a', list: Array.from({ length: 11_000 }, () => 1) })).toThrow(
      /10000/,
    );
  });

  test('one that a request names and nobody gave is missed before anything is sent', () => {
    expect(messageOf(() => requireInputs(workflow(), {}))).toContain('$inputs.site');
    expect(() => requireInputs(workflow(), { site: 'a' })).not.toThrow();
  });
});

test('a workflow that is gone to without the inputs it needs is refused', () => {
  const data = changed((d) =>
    Object.assign(d.workflows.at(1).steps.at(0), {
      onFailure: [{ name: 'x', type: 'goto', workflowId: 'change-code' }],
    }),
  );
  const { problems } = prepare(data, new Map([['lockers', lockers]]));
  expect(problems.map(problemText)).toContainEqual(
    '#/workflows/1/steps/0/onFailure/0/workflowId: the workflow change-code needs the input "newCode", which look does not have',
  );
});

function messageOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof ArazzoError) return error.message;
    throw error;
  }
  throw new Error('nothing was refused');
}
