import { DefaultReporter, type TestCase, type TestModule, type TestRunEndReason, type Vitest } from 'vitest/node';

type EndArguments = Parameters<DefaultReporter['onTestRunEnd']>;

/**
 * Vitest's default output, then each skipped test with its reason, then as the very last line
 * `N passed, N failed, N skipped`. A run in which not a single test ran has failed; so has, with
 * KEYTURN_TEST_NO_SKIPS=1, one that skipped any. A file that cannot be loaded counts as one failed test.
 */
// eslint-disable-next-line import/no-default-export -- vitest loads a reporter by its default export
export default class SummaryReporter extends DefaultReporter {
  #vitest: Vitest | undefined;

  override onInit(vitest: Vitest): void {
    this.#vitest = vitest;
    super.onInit(vitest);
  }

  override onTestRunEnd(modules: EndArguments[0], unhandledErrors: EndArguments[1], reason: TestRunEndReason): void {
    super.onTestRunEnd(modules, unhandledErrors, reason);
    const tests = modules.flatMap((module) => [...module.children.allTests()]).filter((test) => this.#isAskedFor(test));
    const passed = tests.filter((test) => test.result().state === 'passed').length;
    const skipped = tests.filter((test) => test.result().state === 'skipped');
    const failed = tests.length - passed - skipped.length + modules.filter(isBroken).length + unhandledErrors.length;

    for (const test of skipped)
      this.log(`SKIPPED: ${test.module.relativeModuleId} > ${test.fullName}: ${whySkipped(test)}`);
    if (passed + failed === 0) {
      this.log('FAILED: not a single test ran');
      process.exitCode = 1;
    }
    if (skipped.length > 0 && process.env['KEYTURN_TEST_NO_SKIPS'] === '1') {
      this.log('FAILED: tests were skipped, and KEYTURN_TEST_NO_SKIPS=1 forbids that');
      process.exitCode = 1;
    }
    this.log(`${passed} passed, ${failed} failed, ${skipped.length} skipped`);
  }

  /** With `-t`, vitest reports the tests of other names as skipped; nobody asked for them. */
  #isAskedFor(test: TestCase): boolean {
    const pattern = this.#vitest?.config.testNamePattern;
    return pattern === undefined || pattern.test(test.fullName.replaceAll(' > ', ' '));
  }
}

function isBroken(module: TestModule): boolean {
  return module.errors().length > 0;
}

function whySkipped(test: TestCase): string {
  const result = test.result();
  if (result.state === 'skipped' && result.note) return result.note;
  return test.options.mode === 'todo' ? 'still to be written' : 'no reason given (use `context.skip(reason)`)';
}
