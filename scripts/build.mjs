// The one build: src → dist (tsc), the workflow bundle, and the JSON Schema of keyturn.yaml.
// Does nothing when nothing changed, prints nothing unless it fails, and is safe to run twice at once: it builds beside
// dist under a lock and then moves file by file, so that a program which runs from dist never misses a file.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = join(root, 'dist');
const next = join(root, `.dist-${process.pid}`);
const lock = join(root, '.dist-lock');
const stampFile = join(dist, '.stamp.json');
const leftover = /^\.dist-(\d+)$/;

if (!isUpToDate()) {
  await takeLock();
  try {
    if (!isUpToDate()) await build();
  } finally {
    rmSync(lock, { force: true });
  }
}

async function build() {
  const inputs = hashOfInputs();
  removeLeftovers();
  compile();
  chmodIfThere(join(next, 'cli', 'main.js'));
  await bundleWorkflows();
  await writeConfigSchema();
  const outputs = filesUnder(next).map((file) => relative(next, file));
  rmSync(stampFile, { force: true }); // from here on dist is neither the old nor the new one
  for (const file of outputs) {
    mkdirSync(dirname(join(dist, file)), { recursive: true });
    renameSync(join(next, file), join(dist, file));
  }
  const current = new Set(outputs);
  for (const file of filesUnder(dist)) if (!current.has(relative(dist, file))) rmSync(file);
  const stamp = join(next, 'stamp.json');
  writeFileSync(stamp, JSON.stringify({ inputs, outputs }));
  renameSync(stamp, stampFile);
  rmSync(next, { recursive: true, force: true });
}

/** Folders of builds that were killed. */
function removeLeftovers() {
  for (const name of readdirSync(root)) {
    const pid = leftover.exec(name)?.[1];
    if (pid !== undefined && !isAlive(Number(pid))) rmSync(join(root, name), { recursive: true, force: true });
  }
}

function compile() {
  const tsc = createRequire(import.meta.url).resolve('typescript/package.json');
  const { bin } = JSON.parse(readFileSync(tsc, 'utf8'));
  try {
    execFileSync(process.execPath, [join(dirname(tsc), bin.tsc), '-p', join(root, 'tsconfig.json'), '--outDir', next], {
      cwd: root,
      encoding: 'utf8',
    });
  } catch (error) {
    fail(`tsc failed:\n${error.stdout || error.message}`);
  }
}

async function bundleWorkflows() {
  const workflowsPath = join(next, 'workflows', 'index.js');
  if (!existsSync(workflowsPath)) return;
  const { bundleWorkflowCode, DefaultLogger } = await import('@temporalio/worker');
  const warnings = [];
  const logger = new DefaultLogger('WARN', ({ level, message }) => warnings.push(`${level}: ${message}`));
  const { code } = await bundleWorkflowCode({ workflowsPath, logger }).catch((error) =>
    fail(`the workflow bundle failed:\n${[...warnings, error.message].join('\n')}`),
  );
  writeFileSync(join(next, 'workflow-bundle.js'), code);
}

async function writeConfigSchema() {
  const config = join(next, 'config.js');
  if (!existsSync(config)) return;
  const { configJsonSchema } = await import(pathToFileURL(config).href);
  writeFileSync(join(next, 'config.schema.json'), `${JSON.stringify(configJsonSchema(), undefined, 2)}\n`);
}

function isUpToDate() {
  if (!existsSync(stampFile)) return false;
  const stamp = JSON.parse(readFileSync(stampFile, 'utf8'));
  return stamp.inputs === hashOfInputs() && stamp.outputs.every((file) => existsSync(join(dist, file)));
}

function hashOfInputs() {
  const hash = createHash('sha256').update(process.version);
  const files = ['package.json', 'package-lock.json', 'tsconfig.json', 'scripts/build.mjs'].map((file) =>
    join(root, file),
  );
  for (const file of [...files, ...filesUnder(join(root, 'src'))]) {
    if (existsSync(file)) hash.update(`\n${relative(root, file)}\n`).update(readFileSync(file));
  }
  return hash.digest('hex');
}

function filesUnder(folder) {
  if (!existsSync(folder)) return [];
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

async function takeLock() {
  for (;;) {
    try {
      writeFileSync(lock, `${process.pid}`, { flag: 'wx' });
      return;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    if (isHeld()) await sleep(100);
    else rmSync(lock, { force: true });
  }
}

function isHeld() {
  try {
    const pid = Number.parseInt(readFileSync(lock, 'utf8'), 10);
    return Number.isNaN(pid) || isAlive(pid); // an empty lock is just being written
  } catch (error) {
    if (error.code === 'ENOENT') return false;
    throw error;
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

function chmodIfThere(file) {
  if (existsSync(file)) chmodSync(file, 0o755);
}

function fail(message) {
  rmSync(next, { recursive: true, force: true });
  rmSync(lock, { force: true });
  process.stderr.write(`${message}\n`);
  process.exit(1);
}
