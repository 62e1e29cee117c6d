import type { Json, Path } from './json.js';

/** How large a document may be. Its text (1 MiB) and its aliases are limited where YAML is read. */
export const limits = {
  /** Levels of objects and lists. */
  depth: 64,
  /** Values in all, aliases counted each time. */
  nodes: 100_000,
  workflows: 200,
  /** Of one workflow. */
  steps: 500,
  /** Characters of one condition. */
  conditionLength: 4_096,
  /** Operands and operators of one condition. */
  conditionNodes: 500,
  /** Parentheses, indexes and negations within each other. */
  conditionDepth: 32,
  /** Characters of one runtime expression. */
  expressionLength: 4_096,
  /** Of the input schemas of all workflows together, references followed. */
  schemaNodes: 20_000,
  /** Characters of what a request sends in one place, such as its body. */
  requestLength: 1_048_576,
} as const;

export type Measured =
  | { readonly kind: 'fits'; readonly value: Json }
  | { readonly kind: 'refused'; readonly at: Path; readonly message: string };

/** Plain data within the limits. What YAML may hold beyond JSON (dates, infinities, sets) is refused, and so are cycles. */
export function measure(value: unknown): Measured {
  let nodes = 0;
  const refusal = (at: unknown, path: Path): Exclude<Measured, { kind: 'fits' }> | undefined => {
    const refused = (message: string) => ({ kind: 'refused', at: path, message }) as const;
    nodes += 1;
    if (nodes > limits.nodes) return refused(`the document has more than ${limits.nodes} values`);
    if (path.length > limits.depth) return refused(`nested deeper than ${limits.depth} levels`);
    if (at === null || typeof at === 'string' || typeof at === 'boolean') return undefined;
    if (typeof at === 'number') return Number.isFinite(at) ? undefined : refused('is not a JSON number');
    if (typeof at !== 'object') return refused('is not plain data: write text in quotes');
    const prototype: unknown = Object.getPrototypeOf(at);
    if (!Array.isArray(at) && prototype !== Object.prototype && prototype !== null)
      return refused('is not plain data: write text in quotes');
    for (const [key, inner] of Object.entries(at)) {
      const found = refusal(inner, [...path, Array.isArray(at) ? Number(key) : key]);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  return refusal(value, []) ?? { kind: 'fits', value: value as Json };
}

/** How many values a value is made of, itself included. */
export const countOf = (value: Json): number =>
  typeof value === 'object' && value !== null
    ? Object.values<Json>(value).reduce<number>((sum, inner) => sum + countOf(inner), 1)
    : 1;
