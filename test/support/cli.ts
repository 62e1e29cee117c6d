/** Commands of the command line, run in this process against an installation of a test. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { vi } from 'vitest';
import { parse, stringify } from 'yaml';
import { runCli } from '../../src/cli/program.js';
import type { Installation } from './installation.js';

export interface Ran {
  readonly exit: number;
  readonly out: string;
  readonly err: string;
  /** The last JSON object on stdout. */
  readonly json: {
    readonly ok: boolean;
    readonly data: unknown;
    readonly error: { readonly code: string; readonly message: string; readonly hint: string };
    readonly warnings: readonly string[];
  };
}

type Where = Pick<Installation, 'configFile' | 'directory'>;

/** `keyturn -c FILE ARGV…`; Temporal's ambient variables and profiles are not seen. */
export async function keyturn(where: Where, ...argv: readonly string[]): Promise<Ran> {
  await hideAmbientTemporal(where.directory);
  let out = '';
  let err = '';
  const exit = await runCli(['-c', where.configFile, ...argv], {
    stdin: Readable.from([]),
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (err += text) },
    env: {},
    onSignal: () => () => undefined,
  });
  const last = out.trim().split('\n').at(-1) ?? '';
  const json = (argv.includes('--json') ? JSON.parse(last) : undefined) as Ran['json'];
  return { exit, out, err, json };
}

/** An empty profile file stands in for the one in the home of whoever runs the tests. */
export async function hideAmbientTemporal(directory: string): Promise<void> {
  for (const name of Object.keys(process.env)) if (/^TEMPORAL_/i.test(name)) vi.stubEnv(name, undefined);
  const file = join(directory, 'temporal.toml');
  await writeFile(file, '[profile.default]\n');
  vi.stubEnv('TEMPORAL_CONFIG_FILE', file);
}

interface Yaml {
  credentials: Record<string, { mambu: Record<string, unknown>; policy: Record<string, unknown> }>;
}

/** Changes keyturn.yaml as an editor would. */
export async function editConfig({ configFile }: Where, edit: (yaml: Yaml) => void): Promise<void> {
  const yaml = parse(await readFile(configFile, 'utf8')) as Yaml;
  edit(yaml);
  await writeFile(configFile, stringify(yaml));
}
