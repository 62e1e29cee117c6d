import type { z } from 'zod';
import type { Path, SourceDocument } from './document.js';
import type { ConfigIssue } from './types.js';

type ZodIssue = z.core.$ZodIssue;

/** Gathers everything that is wrong with a file, so that it is said at once. */
export class Findings {
  readonly #document: SourceDocument;
  readonly #errors = new Map<string, ConfigIssue>();
  readonly #warnings = new Map<string, ConfigIssue>();

  constructor(document: SourceDocument) {
    this.#document = document;
    for (const problem of document.problems)
      this.#errors.set(`${problem.line}:${problem.column}`, { path: '', ...problem });
  }

  /** In the order of the file. */
  get errors(): readonly ConfigIssue[] {
    return inOrder(this.#errors);
  }
  get warnings(): readonly ConfigIssue[] {
    return inOrder(this.#warnings);
  }

  error(path: Path, message: string): void {
    const issue = this.#at(path, message);
    this.#errors.set(`${issue.path} ${message}`, issue);
  }

  warning(path: Path, message: string): void {
    const issue = this.#at(path, message);
    this.#warnings.set(`${issue.path} ${message}`, issue);
  }

  /** The value in the schema's shape, or undefined when it is wrong, which is then noted. `place` turns the schema's paths into the file's. */
  read<T>(schema: z.ZodType<T>, value: unknown, place: Path | ((path: Path) => Path)): T | undefined {
    const placed = typeof place === 'function' ? place : (path: Path) => [...place, ...path];
    const result = schema.safeParse(value, { error: wording });
    if (result.success) return result.data;
    for (const issue of result.error.issues.flatMap(innermost)) this.#note(issue, value, placed);
    return undefined;
  }

  #note(issue: ZodIssue, value: unknown, placed: (path: Path) => Path): void {
    if (issue.code === 'unrecognized_keys') {
      const messages = issue.message.split('; ');
      const isOneEach = messages.length === issue.keys.length;
      issue.keys.forEach((key, index) => {
        this.error(
          placed([...issue.path, key]),
          (isOneEach ? messages[index] : undefined) ?? `unknown key ${JSON.stringify(key)}`,
        );
      });
      return;
    }
    const isMissing = valueAt(value, issue.path) === undefined;
    const saysSo = !issue.message.startsWith('must ');
    this.error(placed(issue.path), isMissing && !saysSo ? `is missing; it ${issue.message}` : issue.message);
  }

  #at(path: Path, message: string): ConfigIssue {
    return { path: pathText(path), ...this.#document.locate(path), message };
  }
}

const inOrder = (issues: ReadonlyMap<string, ConfigIssue>): readonly ConfigIssue[] =>
  [...issues.values()].toSorted((a, b) => a.line - b.line || a.column - b.column);

const pathText = (path: Path): string =>
  path
    .map((part, index) => (typeof part === 'number' ? `[${part}]` : `${index > 0 ? '.' : ''}${String(part)}`))
    .join('');

/** Of an alternative, what is wrong with the branch that was meant: the one whose type fits. */
function innermost(issue: ZodIssue): readonly ZodIssue[] {
  if (issue.code !== 'invalid_union' || issue.errors.length === 0) return [issue];
  const meant = issue.errors.find(
    (branch) => !branch.some(({ code, path }) => code === 'invalid_type' && path.length === 0),
  );
  if (meant === undefined) return [issue];
  return meant.flatMap(innermost).map((inner) => ({ ...inner, path: [...issue.path, ...inner.path] }));
}

export function valueAt(value: unknown, path: Path): unknown {
  let at = value;
  for (const part of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, part)) return undefined;
    at = Reflect.get(at, part);
  }
  return at;
}

const expectedTexts: Readonly<Record<string, string>> = {
  string: 'must be text; write it in quotes',
  object: 'must be a mapping (key: value)',
  record: 'must be a mapping (key: value)',
  array: 'must be a list',
  number: 'must be a number',
  int: 'must be a whole number',
  boolean: 'must be true or false',
};

/** Words for what zod finds where the schema has none of its own. They never hold the value. */
function wording(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      return issue.expected === 'string' && issue.input === undefined ? 'must be text' : expectedTexts[issue.expected];
    case 'invalid_value':
      return `must be ${issue.values.length > 1 ? 'one of ' : ''}${issue.values.map(String).join(', ')}`;
    case 'too_small':
      return issue.origin === 'string' || issue.origin === 'array'
        ? 'must not be empty'
        : `must be at least ${issue.minimum}`;
    case 'too_big':
      return issue.origin === 'string'
        ? `must have at most ${issue.maximum} characters`
        : `must be at most ${issue.maximum}`;
    default:
      return undefined;
  }
}
