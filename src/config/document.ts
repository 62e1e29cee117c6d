import {
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Document,
  parseDocument,
  visit,
  type YAMLError,
} from 'yaml';

export type Path = readonly PropertyKey[];

export interface Position {
  readonly line: number;
  readonly column: number;
}

export interface Problem extends Position {
  readonly message: string;
}

/** The file as plain data, and where each path stands in it. With problems there is no value. */
export interface SourceDocument {
  readonly value: unknown;
  /** Where the key of this path stands, or the nearest thing above it that is there. */
  locate(path: Path): Position;
  readonly problems: readonly Problem[];
}

const maxBytes = 1024 * 1024;
const maxAliases = 100;

/** YAML's own messages may quote the file, and so a secret: only these texts are shown. */
const problemTexts: Readonly<Partial<Record<YAMLError['code'], string>>> = {
  DUPLICATE_KEY: 'the same key stands twice in one mapping: delete one of them',
  MULTIPLE_DOCS: 'there must be one document only: delete the line `---`',
  BAD_INDENT: 'wrong indentation',
  TAB_AS_INDENT: 'tabs cannot indent YAML: use spaces',
  MISSING_CHAR: 'a quote, bracket or comma is missing; inside { } and [ ] write "${env:NAME}" in quotes',
  UNEXPECTED_TOKEN: 'not YAML from here on; inside { } and [ ] write "${env:NAME}" in quotes',
  BAD_ALIAS: 'a value that starts with * or & must stand in quotes',
  TAG_RESOLVE_FAILED: 'tags (!…) are not allowed',
  KEY_OVER_1024_CHARS: 'the key is too long',
};

/** Reads YAML 1.2 as data: no tags, no duplicate keys, few aliases, at most 1 MiB. */
export function readDocument(text: string): SourceDocument {
  if (Buffer.byteLength(text) > maxBytes)
    return unreadable([{ line: 1, column: 1, message: 'the file is larger than 1 MiB' }]);
  const lines = new LineCounter();
  const position = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  try {
    const document = parseDocument(text, {
      lineCounter: lines,
      prettyErrors: false,
      schema: 'core',
    });
    const problems = [...document.errors, ...document.warnings].map(({ code, pos }) => ({
      ...position(pos[0]),
      message: problemTexts[code] ?? 'not valid YAML',
    }));
    visit(document, {
      Node: (_, node) => {
        if (!isAlias(node) && node.tag !== undefined && node.range) {
          problems.push({ ...position(node.range[0]), message: 'tags (!…) are not allowed' });
        }
      },
    });
    if (problems.length > 0) return unreadable(problems);
    const value: unknown = document.toJS({ maxAliasCount: maxAliases });
    return { value, locate: (path) => position(offsetOf(document, path)), problems };
  } catch {
    // Too many aliases, or nested deeper than the stack: yaml throws, and its message may quote the file.
    return unreadable([{ line: 1, column: 1, message: 'the file is nested too deeply or has too many aliases' }]);
  }
}

const unreadable = (problems: readonly Problem[]): SourceDocument => ({
  value: undefined,
  locate: () => ({ line: 1, column: 1 }),
  problems,
});

function offsetOf(document: Document, path: Path): number {
  let node: unknown = document.contents;
  let offset = startOf(node) ?? 0;
  for (const segment of path) {
    if (isAlias(node)) node = node.resolve(document);
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(segment));
      if (pair === undefined) return offset;
      offset = startOf(pair.key) ?? offset;
      node = pair.value;
    } else if (isSeq(node)) {
      node = node.items[Number(segment)];
      offset = startOf(node) ?? offset;
    }
  }
  return offset;
}

const startOf = (node: unknown): number | undefined => (isNode(node) ? node.range?.[0] : undefined);
