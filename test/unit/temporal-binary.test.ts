import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { withoutAmbientTemporal } from '../../src/dev/ambient-temporal.js';
import { type BinaryMaker, cachedBinaryPath, ensureTemporalBinary } from '../../src/dev/temporal-binary.js';
import { temporalCliVersion } from '../../src/dev/temporal-version.js';
import { KeyturnError } from '../../src/domain/errors.js';

let folder: string;
let env: NodeJS.ProcessEnv;
let lines: string[];
const log = (line: string): void => void lines.push(line);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'keyturn-binary-'));
  env = { PATH: join(folder, 'bin'), XDG_CACHE_HOME: join(folder, 'cache') };
  lines = [];
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const current = `temporal version ${temporalCliVersion} (Server 1.31.2, UI 2.50.1)`;

async function fakeTemporal(path: string, answer = current): Promise<string> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, `#!/bin/sh\necho '${answer}'\n`);
  await chmod(path, 0o755);
  return path;
}

function maker(source: 'download' | 'go-build', make: BinaryMaker['make']): BinaryMaker {
  return { source, what: `fake ${source}`, make };
}
const makes = async (target: string): Promise<void> => void (await fakeTemporal(target));
const fails = async (): Promise<void> => {
  throw new Error('not today');
};
const mustNotRun: readonly BinaryMaker[] = [
  maker('download', async () => {
    throw new Error('the download ran although a binary was there');
  }),
];

describe('where the Temporal server binary comes from', () => {
  test('a temporal on PATH is preferred to the cached one', async () => {
    const path = await fakeTemporal(join(folder, 'bin', 'temporal'));
    await fakeTemporal(cachedBinaryPath(env));
    expect(await ensureTemporalBinary({ log }, { env, makers: mustNotRun })).toEqual({ path, source: 'path' });
  });

  test.each([
    ['temporal version 1.5.0 (Server 1.29.0, UI 2.41.0)', 'path'],
    ['temporal version 2.0.0 (Server 2.0.0, UI 3.0.0)', 'path'],
    ['temporal version 0.0.0-DEV (Server 1.31.2, UI 2.50.1)', 'path'],
    ['temporal version 1.4.1 (Server 1.28.0, UI 2.39.0)', 'cache'],
    ['temporal version 0.0.0-DEV (Server 1.28.0, UI 2.39.0)', 'cache'],
    ['some other program', 'cache'],
  ])('a temporal on PATH that says “%s” leads to: %s', async (answer, source) => {
    await fakeTemporal(join(folder, 'bin', 'temporal'), answer);
    await fakeTemporal(cachedBinaryPath(env));
    expect(await ensureTemporalBinary({ log }, { env, makers: mustNotRun })).toMatchObject({ source });
    if (source === 'cache') expect(lines.join()).toContain('CLI >= 1.5 is needed');
  });

  test('the download comes before the build, and what it made is found in the cache the next time', async () => {
    const makers = [maker('download', makes), maker('go-build', fails)];
    const path = cachedBinaryPath(env);
    expect(await ensureTemporalBinary({ log }, { env, makers })).toEqual({ path, source: 'download' });
    expect(await ensureTemporalBinary({ log }, { env, makers: mustNotRun })).toEqual({ path, source: 'cache' });
  });

  test('a failed download leads to the build, and says why', async () => {
    const makers = [maker('download', fails), maker('go-build', makes)];
    expect(await ensureTemporalBinary({ log }, { env, makers })).toMatchObject({ source: 'go-build' });
    expect(lines).toEqual(['no Temporal server by fake download: not today']);
  });

  test('a cached binary that does not run is replaced', async () => {
    await fakeTemporal(cachedBinaryPath(env), 'half a file');
    expect(await ensureTemporalBinary({ log }, { env, makers: [maker('go-build', makes)] })).toMatchObject({
      source: 'go-build',
    });
  });

  test('a binary that does not run after it was made is not kept', async () => {
    const makesRubbish = async (target: string): Promise<void> => void (await fakeTemporal(target, 'rubbish'));
    const ensured = ensureTemporalBinary({ log }, { env, makers: [maker('download', makesRubbish)] });
    await expect(ensured).rejects.toThrow('fake download: too old or unknown (“rubbish”)');
    expect(await readdir(dirname(cachedBinaryPath(env)))).toEqual([]);
  });

  test('when all fails, one error lists everything that was tried and the mend', async () => {
    await fakeTemporal(join(folder, 'bin', 'temporal'), 'temporal version 1.1.0 (Server 1.25.0, UI 2.31.0)');
    const makers = [maker('download', fails), maker('go-build', fails)];
    const error: unknown = await ensureTemporalBinary({ log }, { env, makers }).catch((thrown: unknown) => thrown);
    if (!(error instanceof KeyturnError)) throw new Error('expected a KeyturnError');
    expect(error.code).toBe('KT-TEMPORAL-UNREACHABLE');
    expect(error.message.split('\n').slice(1)).toEqual([
      expect.stringMatching(/temporal on PATH \(.*\): too old or unknown \(“temporal version 1\.1\.0 .*CLI >= 1\.5/),
      expect.stringContaining('not there yet'),
      '  - fake download: not today',
      '  - fake go-build: not today',
    ]);
    expect(error.hint).toContain('Go (>= 1.26.4)');
  });
});

describe('several at once', () => {
  test('one makes the binary, the others wait for it', async () => {
    let made = 0;
    const slow = maker('go-build', async (target) => {
      made += 1;
      await new Promise((resolve) => setTimeout(resolve, 300));
      await fakeTemporal(target);
    });
    const all = await Promise.all([1, 2, 3].map(() => ensureTemporalBinary({ log }, { env, makers: [slow] })));
    expect(made).toBe(1);
    expect(all.map(({ source }) => source).sort()).toEqual(['cache', 'cache', 'go-build']);
    expect(lines.filter((line) => line.startsWith('waiting for process'))).toHaveLength(2);
    expect(await readdir(dirname(cachedBinaryPath(env)))).toEqual(['temporal']);
  });

  test('the lock of a process that died is taken over', async () => {
    const lock = `${cachedBinaryPath(env)}.lock`;
    await mkdir(dirname(lock), { recursive: true });
    await writeFile(lock, '2147483646\n'); // above the highest pid a system gives
    expect(await ensureTemporalBinary({ log }, { env, makers: [maker('download', makes)] })).toMatchObject({
      source: 'download',
    });
  });
});

test('the version to download is the version that tools/temporal/go.mod builds', async () => {
  const goMod = await readFile(new URL('../../tools/temporal/go.mod', import.meta.url), 'utf8');
  expect(/github\.com\/temporalio\/cli v(\S+)/.exec(goMod)?.[1]).toBe(temporalCliVersion);
});

test('withoutAmbientTemporal takes out TEMPORAL_* and nothing else', () => {
  const ambient = { TEMPORAL_ADDRESS: 'prod:7233', temporal_tls: 'x', PATH: '/bin', MY_TEMPORAL_NOTE: 'kept' };
  expect(withoutAmbientTemporal(ambient)).toEqual({ PATH: '/bin', MY_TEMPORAL_NOTE: 'kept' });
});
