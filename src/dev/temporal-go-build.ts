import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runCommand } from './run-command.js';
import { temporalCliVersion } from './temporal-version.js';

const oldestGo = [1, 26, 4] as const;
const cliPackage = 'github.com/temporalio/cli';
/** The same from src/dev and from dist/dev, in a checkout and in the installed package. */
const moduleFolder = fileURLToPath(new URL('../../tools/temporal/', import.meta.url));

/**
 * Builds the Temporal CLI from source with Go to `target`: about 4 minutes on two cores the first time.
 * Works on a copy of tools/temporal, so the package's folder may be read-only.
 * @throws Error when Go is missing or too old, modules cannot be fetched, or the build fails
 */
export async function buildTemporal(
  target: string,
  env: NodeJS.ProcessEnv,
  log: (line: string) => void,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'keyturn-temporal-build-'));
  const go = { cwd: folder, env: { ...env, CGO_ENABLED: '0', GOWORK: 'off', PWD: folder } };
  try {
    for (const file of ['go.mod', 'go.sum']) await copyFile(join(moduleFolder, file), join(folder, file));
    await checkGo(go);
    log(`building Temporal ${temporalCliVersion} with Go, once: about 4 minutes on two cores; fetching its modules …`);
    await runCommand('go', ['mod', 'download', '-x'], { ...go, timeoutMs: 20 * 60_000, quietMs: 120_000 });
    log('compiling …');
    const startedAtMs = performance.now();
    const tick = setInterval(
      () => log(`compiling … ${Math.round((performance.now() - startedAtMs) / 1_000)} s`),
      20_000,
    );
    const flags = `-s -w -X ${cliPackage}/internal/temporalcli.Version=${temporalCliVersion}`;
    try {
      await runCommand('go', ['build', '-trimpath', `-ldflags=${flags}`, '-o', target, `${cliPackage}/cmd/temporal`], {
        ...go,
        timeoutMs: 40 * 60_000,
      });
    } finally {
      clearInterval(tick);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Asked beside go.mod, so that a Go which can fetch the newer toolchain by itself does so and answers as that one. */
async function checkGo(go: { cwd: string; env: NodeJS.ProcessEnv }): Promise<void> {
  const needed = `Go >= ${oldestGo.join('.')} is needed`;
  const answer = await runCommand('go', ['version'], { ...go, timeoutMs: 10 * 60_000 }).catch((error: unknown) => {
    throw new Error(`${needed}: ${error instanceof Error ? error.message : String(error)}`);
  });
  const found = /go(\d+)\.(\d+)(?:\.(\d+))?/.exec(answer);
  if (!found || isOlder([Number(found[1]), Number(found[2]), Number(found[3] ?? 0)])) {
    throw new Error(`${needed}, found “${answer.trim()}”`);
  }
}

function isOlder(found: readonly [number, number, number]): boolean {
  if (found[0] !== oldestGo[0]) return found[0] < oldestGo[0];
  if (found[1] !== oldestGo[1]) return found[1] < oldestGo[1];
  return found[2] < oldestGo[2];
}
