/**
 * The cases of a table that differ in a detail: `npm test` runs the first ones, `npm run test:long` all. The product of every call, fault and
 * plane is `npm run faults`.
 */
export function sample<T>(cases: readonly T[], first: number): readonly T[] {
  return process.env['KEYTURN_TEST_LONG'] === undefined ? cases.slice(0, first) : cases;
}
