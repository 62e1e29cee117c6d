import { defineConfig } from 'vitest/config';

/** The long run of the fault matrix; `npm run faults` starts it. */
export default defineConfig({
  test: {
    root: new URL('../..', import.meta.url).pathname,
    include: ['test/faults/**/*.faults.ts'],
    pool: 'forks',
    globalSetup: ['test/support/global-setup.ts'],

    testTimeout: 0,
  },
});
