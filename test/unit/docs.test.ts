import { existsSync, readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { renderConfig, renderErrors } from '../../scripts/docs.mjs';
import { renderSimulators } from '../../scripts/simulators-page.mjs';
import { definitions, globalFlags } from '../../src/cli/definitions.js';
import { parseConfig } from '../../src/config/parse.js';
import { configJsonSchema } from '../../src/config/json-schema.js';
import {
  credentialWorkflowId,
  queryNames,
  scheduleId,
  searchAttributes,
  signalNames,
  TASK_QUEUE,
  updateNames,
  workflowNames,
} from '../../src/contract.js';
import { needsOperator } from '../../src/domain/attention.js';
import { formatDuration } from '../../src/domain/duration.js';
import { errorTable } from '../../src/domain/errors.js';
import { apigeeAdminActions } from '../../src/simulators/apigee/control.js';
import { apigeeRulesSchema } from '../../src/simulators/apigee/rules.js';
import { mambuAdminActions } from '../../src/simulators/mambu/control.js';
import { tenantRulesSchema } from '../../src/simulators/mambu/rules.js';
import { faultActions } from '../../src/simulators/shared/faults.js';
import { anchors, commandLines, pages, read, relativeLinks, root } from '../support/markdown.js';

const codes = Object.keys(errorTable);

describe('generated pages are current (else: npm run build && node scripts/docs.mjs)', () => {
  test('docs/reference/errors.md says what the table of errors says', async () => {
    expect(read('docs/reference/errors.md')).toBe(await renderErrors(errorTable));
  });

  test('docs/reference/config.md explains every key that keyturn.yaml has, and no other', async () => {
    expect(read('docs/reference/config.md')).toBe(await renderConfig(configJsonSchema()));
    const more = { properties: { version: { const: 1 }, extra: { type: 'string' } }, required: ['version'] };
    expect(() => renderConfig(more)).toThrow(/extra|does not have/);
  });

  test('the defaults that it names are the defaults', () => {
    const config = parseConfig(
      [
        'version: 1',
        'credentials:',
        '  core: { provider: mambu, mambu: { baseUrl: https://t.mambu.com/api, consumerId: c, strategy: create-and-delete } }',
      ].join('\n'),
      '/keyturn.yaml',
    );
    const core = config.credentials.get('core');
    if (!core) throw new Error('the smallest configuration is refused');
    const { policy, timing } = core;
    const shown = (key: string): string | undefined =>
      new RegExp(`^\\| \`${key}\` +\\| duration +\\| \`([^\`]+)\``, 'm').exec(read('docs/reference/config.md'))?.[1];
    const { consumers: _consumers, ...policyTimes } = policy;
    for (const [key, ms] of Object.entries({ ...policyTimes, ...timing })) {
      expect(shown(key.replace(/Ms$/, '')), key).toBe(formatDuration(ms));
    }
    expect(read('docs/reference/config.md')).toContain(`\`${config.server.listen.host}:${config.server.listen.port}\``);
  });
});

test('docs/reference/simulators.md explains every knob, and names every action and fault', async () => {
  const text = read('docs/reference/simulators.md');
  const [mambu, apigee] = [z.toJSONSchema(tenantRulesSchema), z.toJSONSchema(apigeeRulesSchema)];
  expect(text).toBe(
    await renderSimulators({
      mambu: { schema: mambu, actions: Object.keys(mambuAdminActions) },
      apigee: { schema: apigee, actions: Object.keys(apigeeAdminActions) },
    }),
  );
  const silent = { properties: { extra: { type: 'boolean', default: true } } };
  expect(() => renderSimulators({ mambu: { schema: silent, actions: [] }, apigee: silent })).toThrow('extra');
  const documented = [...text.matchAll(/^\| `([a-z-]+)` +\|/gm)].map(([, name]) => name);
  for (const action of faultActions) expect(documented).toContain(action);
});

describe('runbooks', () => {
  const files = readdirSync(new URL('docs/runbooks/', root)).filter((file) => file !== 'README.md');

  test('every code has one, and there is none for a code that does not exist', () => {
    expect(files.toSorted()).toEqual(codes.map((code) => `${code}.md`).toSorted());
  });

  test.each(files)('%s says what happened, what lives until when, and what to do', (file) => {
    const text = read(`docs/runbooks/${file}`);
    const parts = text.split(/^#+ .*$/m).map((part) => part.trim());
    expect(text).toMatch(new RegExp(`^# ${file.replace('.md', '')}$`, 'm'));
    expect([...anchors(text)].slice(1)).toEqual(['what-happened', 'what-lives-and-until-when', 'what-to-do']);
    for (const part of parts.slice(2)) expect(part.length).toBeGreaterThan(15);
  });

  test('the list of them shows in bold those that make the status needs-operator', () => {
    const text = read('docs/runbooks/README.md');
    for (const code of codes) {
      const isSerious = needsOperator([{ code, since: '', message: '', command: '' }]);
      expect(text).toContain(isSerious ? `- **[${code}](${code}.md)**: ` : `- [${code}](${code}.md): `);
    }
  });
});

test.each(pages())('%s: every relative link leads somewhere', (page) => {
  const text = read(page);
  for (const target of relativeLinks(text)) {
    const [path = '', anchor] = target.split('#');
    const url = path === '' ? new URL(page, root) : new URL(path, new URL(page, root));
    expect(existsSync(url), `${target} of ${page}`).toBe(true);
    if (anchor !== undefined) {
      const linked = url.href.slice(root.href.length);
      expect([...anchors(read(linked))], `${target} of ${page}`).toContain(anchor);
    }
  }
});

describe('the command line', () => {
  const reference = read('docs/reference/cli.md');
  const known = new Map(
    definitions.map((definition) => [
      definition.words ? `${definition.words[0]} ${definition.words[2]}` : definition.name,
      definition,
    ]),
  );
  const longFlags = (name: string): readonly (string | undefined)[] =>
    [...(known.get(name)?.flags ?? []), ...globalFlags()].map(({ long }) => long);

  test('docs/reference/cli.md names every command and explains every flag', () => {
    for (const [name, { flags = [] }] of known) {
      expect(reference).toContain(`\`keyturn ${name}`);
      for (const { flags: syntax } of flags) expect(reference, name).toMatch(`| \`${syntax}\``);
    }
    for (const { flags: syntax } of globalFlags()) expect(reference).toContain(`\`${syntax}\``);
  });

  test('and no flag that does not exist', () => {
    const all = new Set([...known.keys()].flatMap(longFlags).concat('--help', '--version'));
    for (const [, flag] of reference.matchAll(/^\| `(?:-\w, )?(--[\w-]+)/gm)) expect([...all]).toContain(flag);
  });

  test('every `keyturn …` line of every page is a command with flags that it has', () => {
    const lines = pages().flatMap((page) => commandLines(read(page), 'keyturn').map((line) => ({ page, line })));
    expect(lines.length).toBeGreaterThan(100);
    for (const { page, line } of lines) {
      const own = line.split(' -- ')[0] ?? '';
      const words = own.split(/\s+/).slice(1);
      const name = [words.slice(0, 2).join(' '), words[0] ?? ''].find((one) => known.has(one) || /^[A-Z…-]/.test(one));
      expect(name, `${line} (${page})`).toBeDefined();
      if (name === undefined || !known.has(name)) continue;
      for (const flag of own.match(/(?<=\s)--[\w-]+/g) ?? []) {
        expect(longFlags(name).concat('--help'), `${line} (${page})`).toContain(flag);
      }
    }
  });
});

describe('`temporal …` lines', () => {
  const lines = pages().flatMap((page) => commandLines(read(page), 'temporal').map((line) => ({ page, line })));
  const namesFor = (line: string): readonly string[] => {
    if (line.startsWith('temporal workflow query')) return Object.values(queryNames);
    if (line.startsWith('temporal workflow signal ')) return Object.values(signalNames);
    if (line.startsWith('temporal workflow update')) return Object.values(updateNames);
    return [];
  };
  const values = (line: string, flag: string): readonly string[] =>
    [...line.matchAll(new RegExp(` ${flag} ([^\\s'"]+)`, 'g'))].map(([, value = '']) => value);

  test('name only what the contract has', () => {
    expect(lines.length).toBeGreaterThan(40);
    for (const { page, line } of lines) {
      const where = `${line} (${page})`;
      if (line.startsWith('temporal operator search-attribute')) {
        for (const name of values(line, '--name')) expect(Object.keys(searchAttributes), where).toContain(name);
        continue;
      }
      for (const name of values(line, '--name')) expect(namesFor(line), where).toContain(name);
      for (const name of values(line, '--signal-name')) expect(Object.values(signalNames), where).toContain(name);
      if (/^temporal workflow (start|execute|signal-with-start)/.test(line)) {
        for (const type of values(line, '--type')) expect(Object.values(workflowNames), where).toContain(type);
        expect(values(line, '-t'), where).toEqual([TASK_QUEUE]);
      }
      for (const [, type] of line.matchAll(/WorkflowType="(\w+)"/g))
        expect(Object.values(workflowNames), where).toContain(type);
      for (const [name] of line.matchAll(/\bKeyturn\w+/g)) expect(Object.keys(searchAttributes), where).toContain(name);
      for (const id of values(line, '-w'))
        expect(id, where).toMatch(new RegExp(`^(${credentialWorkflowId('')}|rotate/|arazzo/)`));
      for (const id of values(line, '-s')) expect(id, where).toMatch(new RegExp(`^${scheduleId('')}`));
      for (const [, input = ''] of line.matchAll(/(?:-i|--signal-input) '([^']*)'/g))
        expect(() => JSON.parse(input) as unknown, where).not.toThrow();
    }
  });

  test('docs/reference/temporal.md has a line for each name of the contract', () => {
    const text = read('docs/reference/temporal.md');
    const all = [workflowNames, signalNames, updateNames, queryNames].flatMap((names) => Object.values(names));
    for (const name of [...all, ...Object.keys(searchAttributes)]) expect(text).toMatch(new RegExp(`\\b${name}\\b`));
  });
});

test('docs/reference/state.md explains every field that the state has', () => {
  const declared = read('src/domain/state.ts').matchAll(/readonly (\w+)\??:/g);
  const text = read('docs/reference/state.md');
  for (const [, field = ''] of declared) expect(text, field).toMatch(new RegExp(`\`(?:[^\`]*\\.)?${field}\\b`));
});
