/** `npm run stryker`; docs/reference/mutation.md says what it mutates and why what survives does. */
export default {
  mutate: [
    'src/domain/**/*.ts',
    'src/custody/{gcm,installation,key-changes,key-file,late,lockout-account,names,objects,record-bytes,rewrap,sealing}.ts',
    'src/stores/{durable,file,file-names,snapshot}.ts',
  ],
  testRunner: 'vitest',
  vitest: { configFile: 'test/stryker/vitest.config.ts' },
  plugins: ['@stryker-mutator/vitest-runner', './test/stryker/ignore.mjs'],
  ignorers: ['keyturn'],
  concurrency: 2,
  ignoreStatic: true,
  incremental: true,
  incrementalFile: 'reports/stryker-incremental.json',
  reporters: ['clear-text', 'json'],
  clearTextReporter: { logTests: false, allowColor: false, allowEmojis: false },
  jsonReporter: { fileName: 'reports/mutation.json' },
  /** None: stryker would read it with a compiler API that TypeScript 7 does not have. */
  tsconfigFile: 'none',
  allowConsoleColors: false,
};
