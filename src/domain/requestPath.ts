/** Why a path below a base URL is refused, or null. Whatever could leave the base URL, or be read in two ways, is refused. */
export function pathProblem(path: unknown): string | null {
  if (typeof path !== 'string' || path.length > 2_048) return 'must be a text of at most 2048 characters';
  if (!path.startsWith('/')) return 'must start with /';
  // eslint-disable-next-line no-control-regex
  if (/[\u0000-\u0020\u007f-\uffff]/.test(path))
    return 'must be percent-encoded: control characters, spaces and non-ASCII are refused';
  if (path.includes('\\')) return 'must not hold a backslash';
  if (path.includes('#')) return 'must not hold a fragment';
  const plain = path.split('?')[0] ?? '';
  if (plain.includes('//')) return 'must not hold //';
  if (/%(25)*(2f|5c|2e|[01][0-9a-f]|7f)/i.test(plain))
    return 'must not hold encoded slashes, backslashes, dots or control characters';
  // Some servers take `..;x` for `..`.
  const names = plain.split('/').map((segment) => segment.split(';')[0]);
  if (names.includes('..') || names.includes('.')) return 'must not hold . or .. segments';
  return null;
}
