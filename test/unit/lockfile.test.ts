import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

interface Locked {
  readonly resolved?: string;
  readonly optionalDependencies?: Record<string, string>;
}
const lock = JSON.parse(readFileSync(new URL('../../package-lock.json', import.meta.url), 'utf8')) as {
  packages: Record<string, Locked>;
};

/** npm writes a lock file without the packages that a registry did not show it, and then `npm ci` refuses it. */
test('the lock file names every optional package of every platform, and no registry', () => {
  const missing = Object.entries(lock.packages).flatMap(([from, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies).filter((name) => !isLocked(from, name)),
  );
  expect(missing).toEqual([]);
  expect(Object.values(lock.packages).filter(({ resolved }) => resolved !== undefined)).toEqual([]);
});

/** Where Node would find it: in the package's own folder or in any above it. */
function isLocked(from: string, name: string): boolean {
  const own = `${from === '' ? '' : `${from}/`}node_modules/${name}`;
  if (lock.packages[own]) return true;
  if (from === '') return false;
  const cut = from.lastIndexOf('/node_modules/');
  return isLocked(cut < 0 ? '' : from.slice(0, cut), name);
}
