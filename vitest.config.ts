import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/** Projects that need the built product and a Temporal server; `test/unit` needs neither. */
const globalSetup = ['test/support/global-setup.ts'];

/** As the package's own exports: what examples import. */
const source = (path: string): string => fileURLToPath(new URL(`src/${path}`, import.meta.url));
const alias = [
  { find: /^keyturn$/, replacement: source('index.ts') },
  { find: /^keyturn\/testing$/, replacement: source('testing/index.ts') },
];

/** The model runs workflow code and steps in one process and in virtual time. */
const standIns = {
  '@temporalio/workflow': fileURLToPath(new URL('test/model/temporal-workflow.ts', import.meta.url)),
  '@temporalio/activity': fileURLToPath(new URL('test/model/temporal-activity.ts', import.meta.url)),
};

/** `npm run explore`, no part of the tests. */
const explorer =
  process.env['KEYTURN_EXPLORE'] === undefined
    ? []
    : [
        {
          extends: true as const,
          resolve: { alias: standIns },
          test: { name: 'explore', include: ['test/model/explore.run.ts'], testTimeout: 24 * 3_600_000 },
        },
      ];

/** Of their tables `npm test` runs the first cases, `npm run test:long` all: see test/support/sample.ts. */
const sampled = [
  'test/e2e/{faults-rotation,faults-create,faults-outage,faults-permissions,faults-verify}.test.ts',
  'test/e2e/{apigee-faults,apigee-crash,crash-steps,crash-steps-rotation,entity-lives,fault-matrix}.test.ts',
];
const unit = { testTimeout: 60_000 };
/** Generous: on a busy machine a test that waits for work of others takes as long as they do. */
const e2e = { globalSetup, testTimeout: 180_000, hookTimeout: 120_000 };

/** Minutes of outages, floods, disks and upgrades: `npm run test:long`, beside `npm test`. */
const long =
  process.env['KEYTURN_TEST_LONG'] === undefined
    ? []
    : [
        {
          extends: true as const,
          test: { name: 'long', include: ['test/long/**/*.test.ts', ...sampled], ...e2e },
        },
      ];

/** Tests that put others in the place of modules, or set up the process: all others share what a process of vitest has loaded. */
const alone = {
  unit: ['test/unit/{file-store,key-file}-faults.test.ts'],
  e2e: ['test/e2e/{secrets,apigee-secrets,arazzo-secrets,acknowledgements,temporal-server}.test.ts'],
};

export default defineConfig({
  resolve: { alias },
  test: {
    pool: 'forks',
    maxWorkers: 3,
    isolate: false,
    passWithNoTests: false,
    reporters: ['./test/support/summary-reporter.ts'],
    projects: [
      { extends: true, test: { name: 'unit', include: ['test/unit/**/*.test.ts'], exclude: alone.unit, ...unit } },
      { extends: true, test: { name: 'unit-alone', include: alone.unit, isolate: true, ...unit } },
      { extends: true, test: { name: 'conformance', include: ['test/conformance/**/*.test.ts'] } },
      {
        extends: true,
        resolve: { alias: standIns },
        test: { name: 'model', include: ['test/model/**/*.test.ts'], testTimeout: 60_000 },
      },
      ...explorer,
      ...long,
      {
        extends: true,
        test: { name: 'workflow', include: ['test/workflow/**/*.test.ts'], globalSetup, testTimeout: 30_000 },
      },
      {
        extends: true,
        test: { name: 'replay', include: ['test/replay/**/*.test.ts'], globalSetup, testTimeout: 60_000 },
      },
      { extends: true, test: { name: 'e2e', include: ['test/e2e/**/*.test.ts'], exclude: alone.e2e, ...e2e } },
      { extends: true, test: { name: 'e2e-alone', include: alone.e2e, isolate: true, ...e2e } },
    ],
  },
});
