import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/** The unit tests whose subject is what stryker.config.mjs mutates: a rule is protected where it lives, or not at all. */
export default defineConfig({
  root: fileURLToPath(new URL('../..', import.meta.url)),
  test: {
    include: [
      'test/unit/domain/**/*.test.ts',
      'test/unit/{addresses,cron,custody,lockout,lockout-account,objects,record-bytes,rewrap,scrub,sealing}.test.ts',
      'test/unit/{file-store,key-file}*.test.ts',
    ],
    /** Draws other cases in every run, so that what it kills would change. */
    exclude: ['test/unit/domain/record-properties.test.ts'],
    testTimeout: 10_000,
  },
});
