import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, expect, onTestFinished, test } from 'vitest';
import { runCli } from '../../../src/cli/program.js';
import { fixture } from './documents.js';
import { noReference, referenceFile } from '../../support/reference.js';

async function check(...argv: readonly string[]) {
  let out = '';
  let err = '';
  const exit = await runCli(['arazzo', 'check', ...argv], {
    stdin: Readable.from(['']),
    stdout: { isTTY: false, write: (text) => (out += text) },
    stderr: { isTTY: false, write: (text) => (err += text) },
    env: {},
    onSignal: () => () => undefined,
  });
  return { exit, out, err };
}

async function file(content: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'keyturn-arazzo-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, 'document.yaml');
  await writeFile(path, content);
  return path;
}

const document = fixture('change-code.arazzo.yaml');
const lockers = fixture('lockers.openapi.yaml');

describe('keyturn arazzo check', () => {
  test('exits 0 and says what each step calls; a description is found beside the document', async () => {
    const { exit, out, err } = await check(document);
    expect({ exit, err }).toEqual({ exit: 0, err: '' });
    expect(out).toMatch(/remove +DELETE \/sites\/\{site\}\/lockers\/\{locker\} +lockers/);
  });

  test('says the same as one object with --json, with the descriptions that are named', async () => {
    const { exit, out } = await check(document, '--source', `lockers=${lockers}`, '--json');
    expect(exit).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      ok: true,
      data: { arazzo: '1.0.1', workflows: [{ workflowId: 'change-code' }, { workflowId: 'look', required: ['site'] }] },
    });
  });

  test('says each mistake with line, place and mend, and exits 2', async () => {
    const path = await file(
      [
        'arazzo: 1.0.1',
        'info: { title: T, version: 1.0.0 }',
        'sourceDescriptions: [{ name: api, url: https://example.com/openapi.yaml }]',
        'workflows:',
        '  - workflowId: one',
        '    steps:',
        '      - stepId: a',
        '        operationId: x',
      ].join('\n'),
    );
    const { exit, err } = await check(path);
    expect(exit).toBe(2);
    expect(err).toContain(
      `${path}:8:9: #/workflows/0/steps/0/operationId: the description of source api was not given`,
    );
    expect(err).toContain('--source api=FILE');
  });

  test.each([
    ['a duplicate key', 'arazzo: 1.0.1\narazzo: 1.0.1', 'same key stands twice'],
    ['a tag', 'arazzo: !!js/function x', 'tags'],
    ['more than 1 MiB', ' '.repeat(1024 * 1024 + 1), 'larger than 1 MiB'],
    [
      'aliases that multiply',
      `a: &a [1,1,1,1,1,1,1,1,1]\nb: &b [${'*a,'.repeat(30)}]\nc: [${'*b,'.repeat(30)}]`,
      'aliases',
    ],
    ['a cycle of aliases', 'a: &a [*a]', 'aliases|nested deeper|missing'],
    ['flow nesting without end', '['.repeat(50_000), 'not|missing|nested'],
    ['another version', 'arazzo: 1.1.0', 'must be 1.0.x'],
    ['nothing', '', 'must be an object'],
  ])('%s is refused with exit 2', async (_, content, message) => {
    const { exit, err } = await check(await file(content));
    expect(err).toMatch(new RegExp(message));
    expect(exit).toBe(2);
  });

  test.each([
    [[join(document, 'absent')], 'cannot be read'],
    [['absent.yaml'], 'there is no absent.yaml'],
    [[document, '--source', 'lockers=absent.yaml'], 'there is no absent.yaml'],
    [[document, '--source', 'other=x'], 'no such source'],
    [[document, '--source', `lockers=${document}`], 'not an OpenAPI'],
    [[document, '--source', 'lockers'], 'key=value'],
    [[], 'missing required argument'],
  ])('%j is refused with exit 2', async (argv, message) => {
    const { exit, err } = await check(...argv);
    expect(err).toContain(message);
    expect(exit).toBe(2);
  });

  test('the published Apigee workflow has no mistake', async (context) => {
    const workflow = referenceFile('apigee-rotate-app-key-workflow.yml');
    const description = referenceFile('apigee-api-management-openapi.yml');
    if (workflow === null || description === null) return context.skip(noReference);
    const { exit, out } = await check(workflow, '--source', `apigeeApiManagement=${description}`);
    expect(exit).toBe(0);
    expect(out).toMatch(/revokeOldKey +DELETE \//);
  });
});
