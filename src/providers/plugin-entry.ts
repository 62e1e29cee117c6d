/** Where the code of an installed package is, as `import` would find it from a folder. */
import { readFile } from 'node:fs/promises';
import { dirname, join, parse } from 'node:path';
import { z } from 'zod';
import { parseJson } from './answers.js';

const manifestSchema = z.looseObject({ exports: z.unknown().optional(), main: z.string().optional() });

/** Conditions of `exports` under which Node imports an ECMAScript module (Node docs, Packages, Conditional exports). */
const conditions: ReadonlySet<string> = new Set(['node', 'import', 'default']);

/**
 * The file that `import NAME` means in a module of this folder. By hand, because Node 20 resolves for a place of one's own under the conditions
 * of `require` only, which a package for `import` need not have. Null: no such package; undefined: it has nothing to import.
 */
export async function packageEntry(name: string, directory: string): Promise<string | null | undefined> {
  const { root } = parse(directory);
  for (let folder = directory; ; folder = dirname(folder)) {
    const home = join(folder, 'node_modules', name);
    const text = await readFile(join(home, 'package.json'), 'utf8').catch(() => null);
    if (text !== null) {
      const manifest = manifestSchema.safeParse(parseJson(text)).data;
      const entry = manifest && entryOf(manifest);
      return entry === undefined ? undefined : join(home, entry);
    }
    if (folder === root) return null;
  }
}

function entryOf({ exports, main = './index.js' }: z.output<typeof manifestSchema>): string | undefined {
  if (exports === undefined) return /\.[cm]?js$/.test(main) ? main : `${main}.js`;
  const entry = target(isRecord(exports) && '.' in exports ? exports['.'] : exports);
  return entry?.startsWith('./') && !entry.split('/').includes('..') ? entry : undefined;
}

function target(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (!isRecord(value)) return undefined;
  for (const [condition, inner] of Object.entries(value)) {
    const found = conditions.has(condition) ? target(inner) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
