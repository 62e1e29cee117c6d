// Runs the mutants: `npm run mutants [-- --only NAME[,NAME]] [--json]`. Each is a defect put into a copy of the repository; the test files that it
// names must turn red. A test that fails counts, and one that hangs; a file that cannot be loaded does not: such a mutant is no proof, and `broken`.
// Exit code: 0 all are red, 1 one is not, 2 the mutants do not fit the code, or a test is red without any of them.
import { execFileSync, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { mutants } from './mutants.mjs';
import { mutated, problemsOf } from './texts.mjs';

// Some are shown by the long tests only.
process.env['KEYTURN_TEST_LONG'] = '1';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** Of one test file, and of all of them together without a mutant. */
const TIMEOUT_MS = 300_000;
const ALL_WITHIN_MS = 3_600_000;

const { values: flags } = parseArgs({
  options: { only: { type: 'string', multiple: true }, json: { type: 'boolean' } },
});
const startedAtMs = Date.now();
const seconds = () => Math.round((Date.now() - startedAtMs) / 1_000);
const say = (line) => process.stdout.write(`${line}\n`);
const tell = (line) => process.stderr.write(`${line}\n`);

let child;
const copy = mkdtempSync(join(tmpdir(), 'keyturn-mutants-'));
process.on('exit', () => rmSync(copy, { recursive: true, force: true }));
for (const signal of ['SIGINT', 'SIGTERM'])
  process.on(signal, () => {
    stop();
    process.exit(130);
  });
process.exitCode = await main();

async function main() {
  const names = flags.only?.flatMap((list) => list.split(','));
  const chosen = names === undefined ? mutants : names.map((name) => mutants.find((one) => one.name === name));
  const unknown = names?.filter((_, n) => chosen[n] === undefined) ?? [];
  if (unknown.length > 0) return refuse([`no such mutant: ${unknown.join(', ')}`]);
  const problems = problemsOf(chosen, (file) => readFileSync(join(root, file), 'utf8'));
  if (problems.length > 0) return refuse(problems);

  copyTracked();
  const files = [...new Set(chosen.flatMap(({ tests }) => tests))];
  tell(`${files.length} test files without a mutant …`);
  const without = await tested(files, undefined, ALL_WITHIN_MS);
  const [first] = without.failed;
  if (first !== undefined) return refuse([`red without a mutant: ${first}`]);
  if (without.broken !== null) return refuse([`the tests do not run without a mutant: ${without.broken}`]);

  const results = [];
  for (const mutant of chosen) {
    const result = await judged(mutant);
    results.push(result);
    if (!flags.json) say(`${result.name} ${result.state}${result.tests.map((test) => `\n    ${test}`).join('')}`);
  }
  const left = results.filter(({ state }) => state !== 'red');
  if (flags.json) say(JSON.stringify({ mutants: results, seconds: seconds() }));
  else say(`${results.length - left.length} of ${results.length} mutants are red, in ${seconds()} s`);
  return left.length === 0 ? 0 : 1;
}

function refuse(problems) {
  for (const problem of problems) tell(problem);
  return 2;
}

/** What git knows, as it stands in the working tree, which is never touched. */
function copyTracked() {
  const listed = execFileSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
  for (const file of listed.split('\0').filter((name) => name !== '' && existsSync(join(root, name))))
    cpSync(join(root, file), join(copy, file));
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
}

/** Red: every test file that it names has a test that fails. */
async function judged({ name, guarantee, file, edits, tests, only }) {
  const place = join(copy, file);
  const text = readFileSync(place, 'utf8');
  const sinceMs = Date.now();
  writeFileSync(place, mutated(text, edits));
  try {
    const red = [];
    let state = 'red';
    for (const test of tests) {
      const { failed, broken } = await tested([test], only);
      red.push(...failed);
      if (failed.length > 0) continue;
      state = broken === null ? 'green' : 'broken';
      if (broken !== null) red.push(broken);
      break;
    }
    return { name, guarantee, state, tests: red, seconds: Math.round((Date.now() - sinceMs) / 1_000) };
  } finally {
    writeFileSync(place, text);
  }
}

/**
 * Tests that fail, by their names; of a single file the first is enough. `broken`: why there is nothing to go by.
 * The build that some tests need is made by their global set-up.
 */
async function tested(files, pattern, withinMs = TIMEOUT_MS) {
  const report = join(copy, '.mutants-report.json');
  rmSync(report, { force: true });
  const projects = [...new Set(files.map((file) => file.split('/')[1]))];
  const { output, hangs } = await run(
    [
      ...['run', ...files, ...projects.flatMap((name) => ['--project', `${name}*`])],
      ...['--reporter=json', `--outputFile=${report}`],
      ...(files.length === 1 ? ['--bail=1'] : []),
      ...(pattern === undefined ? [] : ['-t', pattern]),
    ],
    withinMs,
  );
  if (hangs) return { failed: [`the tests hang: nothing within ${withinMs / 60_000} minutes`], broken: null };
  if (!existsSync(report)) return { failed: [], broken: `no test has run: ${lastLines(output)}` };
  const { testResults } = JSON.parse(readFileSync(report, 'utf8'));
  const all = testResults.flatMap(({ assertionResults }) => assertionResults);
  const failed = all.filter(({ status }) => status === 'failed').map(({ fullName }) => fullName);
  const unloaded = testResults.find(
    ({ status, assertionResults }) => status === 'failed' && assertionResults.length === 0,
  );
  if (unloaded !== undefined) return { failed, broken: `cannot be loaded: ${unloaded.message}` };
  if (!all.some(({ status }) => status === 'passed' || status === 'failed'))
    return { failed, broken: `no test has run: ${lastLines(output)}` };
  return { failed, broken: null };
}

function run(args, withinMs) {
  return new Promise((resolve) => {
    const vitest = join(copy, 'node_modules/vitest/vitest.mjs');
    child = spawn(process.execPath, [vitest, ...args], {
      cwd: copy,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk) => (output = (output + chunk).slice(-4_000)));
    let hangs = false;
    const timer = setTimeout(() => {
      hangs = true;
      stop();
    }, withinMs);
    child.on('close', () => {
      clearTimeout(timer);
      child = undefined;
      resolve({ output, hangs });
    });
  });
}

/** Vitest with its workers. */
function stop() {
  if (child?.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

function lastLines(output) {
  return output.trim().split('\n').slice(-8).join('\n');
}
