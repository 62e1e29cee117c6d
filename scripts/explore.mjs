/**
 * npm run explore [-- --naive | --seed N] [--depth N] [--seconds N] [--scenario NAME]: searches the model of a rotation for runs that break an
 * invariant (docs/explanation/model.md). Exits 0 if none is found; with --naive, if one is found for each variant that must fail.
 */
import { parseArgs } from 'node:util';
import { startVitest } from 'vitest/node';

const { values } = parseArgs({
  options: {
    naive: { type: 'boolean', default: false },
    depth: { type: 'string' },
    seconds: { type: 'string', default: '100' },
    scenario: { type: 'string' },
    seed: { type: 'string' },
  },
});
const { naive, scenario = null } = values;
const depth = number('depth', values.depth ?? (naive ? '2' : '3'));
const seconds = number('seconds', values.seconds);
const seed = values.seed === undefined ? null : number('seed', values.seed);
process.env['KEYTURN_EXPLORE'] = JSON.stringify({ naive, depth, seconds, scenario, seed });

/** What the search prints, and nothing of the test runner but its failures. */
const plain = {
  onUserConsoleLog: ({ content }) => process.stdout.write(content),
  onTestCaseResult(testCase) {
    for (const { message, cause } of testCase.result().errors ?? [])
      process.stderr.write(`${[message, cause?.message ?? ''].join('\n')}\n`);
  },
};
const vitest = await startVitest('test', [], { project: ['explore'], watch: false, reporters: [plain] });
await vitest.close();
process.exit(process.exitCode ?? 0);

function number(name, text) {
  const n = Number(text);
  if (!Number.isFinite(n) || n < 0 || text === '') {
    process.stderr.write(`--${name} takes a number\n`);
    process.exit(2);
  }
  return n;
}
