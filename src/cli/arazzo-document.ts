import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { Source } from '../arazzo/document.js';
import type { Json } from '../arazzo/json.js';
import { measure } from '../arazzo/limits.js';
import { parseArazzo } from '../arazzo/parse.js';
import { prepare, type Prepared } from '../arazzo/prepare.js';
import { type Problem, problemText } from '../arazzo/problems.js';
import { readDocument, type SourceDocument } from '../config/document.js';
import { KeyturnError } from '../domain/errors.js';
import type { Pair } from './definitions.js';

export interface LoadedArazzo extends Prepared {
  /** The document as it stands in its file. */
  readonly text: string;
}

/**
 * Reads a document and the descriptions of its sources from local files, and checks everything that can be known without inputs.
 * @param sources names with files, before the urls of the document
 * @throws KeyturnError KT-INPUT with every mistake, KT-USAGE for a source that the document does not have
 */
export async function loadArazzo(file: string, sources: readonly Pair[]): Promise<LoadedArazzo> {
  const read = await readYaml(file);
  const { document, problems } = parseArazzo(read.value);
  if (document === undefined || problems.length > 0) throw refused(file, read, problems);
  const given = new Map(sources);
  for (const name of given.keys()) {
    if (document.sources.some((source) => source.name === name)) continue;
    const names = document.sources.map((source) => source.name).join(', ');
    throw new KeyturnError('KT-USAGE', `--source ${name}: ${file} has no such source; it has ${names}`);
  }
  const descriptions = new Map<string, Json>();
  for (const source of document.sources) {
    const path = given.get(source.name) ?? beside(file, source);
    if (path === undefined || source.type === 'arazzo') continue;
    const description = await readDescription(path, given.has(source.name));
    if (description !== undefined) descriptions.set(source.name, description);
  }
  const { prepared, problems: further } = prepare(read.value, descriptions);
  if (prepared === undefined) throw refused(file, read, further);
  return { ...prepared, text: read.text };
}

/** Nothing is fetched: only a url that is a relative path is read. */
const beside = (file: string, { url }: Source): string | undefined =>
  /^(?:[A-Za-z][A-Za-z0-9+.-]*:|\/)/.test(url) ? undefined : resolve(dirname(file), url);

/** Undefined where a description that nobody named is not there: the step that needs it says so. */
async function readDescription(file: string, isNamed: boolean): Promise<Json | undefined> {
  if (!isNamed && (await readFile(file).catch(() => undefined)) === undefined) return undefined;
  const text = await readYaml(file);
  const measured = measure(text.value);
  if (measured.kind === 'refused') throw refused(file, text, [measured]);
  return measured.value;
}

export async function readYaml(file: string): Promise<SourceDocument & { readonly text: string }> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    const isAbsent = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    throw new KeyturnError('KT-INPUT', isAbsent ? `there is no ${file}` : `${file} cannot be read`);
  });
  const document = readDocument(text);
  if (document.problems.length === 0) return { ...document, text };
  const lines = document.problems.map(({ line, column, message }) => `${file}:${line}:${column}: ${message}`);
  throw new KeyturnError('KT-INPUT', lines.join('\n'));
}

/** Each mistake with its line for the editor and its place for programs. */
function refused(file: string, document: Pick<SourceDocument, 'locate'>, problems: readonly Problem[]): KeyturnError {
  const lines = problems.map((problem) => {
    const { line, column } = document.locate(problem.at);
    return { line, column, text: `${file}:${line}:${column}: ${problemText(problem)}` };
  });
  const inOrder = lines.toSorted((a, b) => a.line - b.line || a.column - b.column).map(({ text }) => text);
  return new KeyturnError('KT-INPUT', inOrder.join('\n'));
}
