import { execFile } from 'node:child_process';
import { appendFile, copyFile, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';

/** A file that must not be able to import these, and one that may import those: each line is an arrow of the design. */
const arrows: readonly { file: string; forbidden: readonly string[]; allowed: readonly string[] }[] = [
  {
    file: 'src/domain/x.ts',
    forbidden: ['../stores/store.js', '../contract.js', 'node:crypto', 'zod', '@temporalio/common', 'fs'],
    allowed: ['./record.js'],
  },
  { file: 'src/contract.ts', forbidden: ['./client.js', './stores/store.js', 'zod'], allowed: ['./domain/state.js'] },
  {
    file: 'src/client.ts',
    forbidden: ['./workflows/index.js', './activities/index.js', './stores/store.js', './worker.js', './cli/main.js'],
    allowed: ['./contract.js', '@temporalio/client'],
  },
  {
    file: 'src/workflows/x.ts',
    forbidden: [
      '../activities/api.js',
      '../custody/custody.js',
      '../providers/provider.js',
      '../stores/store.js',
      '../client.js',
      '../config.js',
      'node:crypto',
      'node:fs/promises',
      'fs',
      'zod',
      'undici',
      '@temporalio/client',
    ],
    allowed: ['./steps.js', '../domain/record.js', '../contract.js', '@temporalio/workflow', '@temporalio/common'],
  },
  {
    file: 'src/workflows/rotation.ts',
    forbidden: ['@temporalio/workflow', './entity.js', '../contract.js', '../activities/api.js'],
    allowed: ['../domain/record.js', './steps.js'],
  },
  {
    file: 'src/activities/x.ts',
    forbidden: ['../stores/file.js', '../cli/main.js', '../workflows/index.js', '../client.js', '@temporalio/worker'],
    allowed: [
      '../custody/custody.js',
      '../providers/provider.js',
      '../domain/record.js',
      '@temporalio/activity',
      'node:fs',
    ],
  },
  {
    file: 'src/custody/x.ts',
    forbidden: ['../providers/provider.js', '../activities/api.js', '../client.js', '@temporalio/common'],
    allowed: ['../stores/store.js', '../domain/secret.js', 'node:crypto', 'node:fs/promises'],
  },
  {
    file: 'src/stores/x.ts',
    forbidden: ['../custody/custody.js', '../providers/provider.js', '../activities/api.js', '@temporalio/client'],
    allowed: ['./store.js', '../domain/errors.js', 'node:fs/promises'],
  },
  {
    file: 'src/providers/x.ts',
    forbidden: ['../stores/store.js', '../custody/custody.js', '../client.js', '@temporalio/activity'],
    allowed: ['./provider.js', '../domain/failure.js', 'undici', 'zod'],
  },
  {
    file: 'src/providers/acme/x.ts',
    forbidden: ['../../stores/store.js', '../../custody/custody.js', '../../client.js', '@temporalio/activity'],
    allowed: ['./client.js', '../provider.js', '../../domain/failure.js', 'undici', 'zod'],
  },
  {
    file: 'src/arazzo/x.ts',
    forbidden: ['../activities/api.js', '../providers/http.js', 'undici', 'node:fs', '@temporalio/workflow'],
    allowed: ['./parse.js', '../domain/errors.js', 'yaml'],
  },
  {
    file: 'src/simulators/acme/x.ts',
    forbidden: [
      '../../providers/acme/client.js',
      '../../custody/custody.js',
      '../../contract.js',
      '@temporalio/client',
    ],
    allowed: ['./world.js', '../shared/clock.js', '../../domain/duration.js', 'node:http'],
  },
  {
    file: 'src/telemetry/x.ts',
    forbidden: ['../custody/custody.js', '../config.js', '../worker.js', '../cli/main.js'],
    allowed: ['../domain/secret.js', 'pino'],
  },
  {
    file: 'src/config/x.ts',
    forbidden: ['../custody/custody.js', '../stores/store.js', '../activities/api.js', '../cli/main.js'],
    allowed: ['../domain/duration.js', '../providers/schemas.js', 'zod', 'yaml'],
  },
  {
    file: 'src/cli/commands/x.ts',
    forbidden: ['../../activities/rotate.js', '../../workflows/rotation.js'],
    allowed: ['../../client.js', '../../contract.js', '../../custody/custody.js', '../../worker.js', 'commander'],
  },
  {
    file: 'src/http/x.ts',
    forbidden: ['../activities/rotate.js', '../workflows/rotation.js'],
    allowed: ['../client.js', '../contract.js', 'hono'],
  },
];

/** Code, not imports, that must not pass, with the rule that says so. */
const offences: readonly { file: string; code: string; rule: string }[] = [
  { file: 'src/workflows/rotation.ts', code: 'export const t = Date.now();', rule: 'no-restricted-properties' },
  { file: 'src/workflows/x.ts', code: 'export const e = process.env;', rule: 'no-restricted-globals' },
  { file: 'src/any.ts', code: 'export const a = (x: any) => x as unknown;', rule: 'no-explicit-any' },
  { file: 'src/bang.ts', code: 'export const b = (x?: string) => x!.length;', rule: 'no-non-null-assertion' },
  { file: 'src/default.ts', code: 'export default 1;', rule: 'no-default-export' },
  {
    file: 'src/empty.ts',
    code: 'export function c() { try { d(); } catch {} }\nfunction d() { return 1; }',
    rule: 'no-empty',
  },
  {
    file: 'src/floating.ts',
    code: 'const f = async () => 1;\nexport const g = () => { f(); };',
    rule: 'no-floating-promises',
  },
  {
    file: 'src/misused.ts',
    code: 'const f = async () => true;\nexport const g = () => { if (f()) return 1; return 2; };',
    rule: 'no-misused-promises',
  },
  {
    file: 'src/switch.ts',
    code: "export function h(x: 'a' | 'b'): void { switch (x) { case 'a': break; } }",
    rule: 'switch-exhaustiveness-check',
  },
];

const root = new URL('../../', import.meta.url);
const oxlint = join(dirname(createRequire(import.meta.url).resolve('oxlint/package.json')), 'bin', 'oxlint');

interface Report {
  readonly file: string;
  readonly code: string;
  readonly line: number;
}

const exporting = (modules: readonly string[]): string =>
  modules.map((module, index) => `export { x as x${index} } from '${module}';`).join('\n');
const typesOfActivities = { file: 'src/workflows/types.ts', code: "export type { I } from '../activities/api.js';" };

/** What the product's own lint reports on files with this content, in a folder that holds nothing else. A file that is named twice has both. */
async function lint(files: readonly { file: string; code: string }[]): Promise<readonly Report[]> {
  const folder = await mkdtemp(join(tmpdir(), 'keyturn-lint-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  for (const name of ['.oxlintrc.json', 'tsconfig.json']) await copyFile(new URL(name, root), join(folder, name));
  await symlink(new URL('node_modules', root), join(folder, 'node_modules'), 'dir');
  for (const { file, code } of files) {
    await mkdir(dirname(join(folder, file)), { recursive: true });
    await appendFile(join(folder, file), `${code}\n`);
  }
  const output = await new Promise<string>((resolve) => {
    const args = [oxlint, '--type-aware', '-f', 'json', 'src'];
    execFile(process.execPath, args, { cwd: folder, maxBuffer: 2 ** 24 }, (_, stdout) => resolve(stdout)); // it exits with 1 when it reports
  });
  const { diagnostics } = JSON.parse(output) as {
    diagnostics: { code: string; filename: string; labels: { span: { line: number } }[] }[];
  };
  return diagnostics.map(({ code, filename, labels }) => ({
    file: filename.replaceAll('\\', '/'),
    code,
    line: labels[0]?.span.line ?? 0,
  }));
}

test('the lint refuses each forbidden import and none of the allowed ones, and reports what else must not be', async () => {
  const imports = arrows.map(({ file, forbidden, allowed }) => ({ file, code: exporting([...forbidden, ...allowed]) }));
  const reports = await lint([...imports, ...offences, typesOfActivities]);
  const refusedIn = (file: string): readonly number[] =>
    reports.filter((r) => r.file === file && r.code.includes('no-restricted-imports')).map(({ line }) => line);
  for (const { file, forbidden, allowed } of arrows) {
    const refused = refusedIn(file).map((line) => [...forbidden, ...allowed][line - 1]);
    expect(refused.toSorted(), file).toEqual(forbidden.toSorted());
  }
  expect(refusedIn(typesOfActivities.file), 'workflow code may import the types of activities').toEqual([]);
  for (const { file, rule } of offences) {
    const codes = reports.filter((r) => r.file === file).map(({ code }) => code);
    expect(codes, file).toContainEqual(expect.stringContaining(rule));
  }
});
