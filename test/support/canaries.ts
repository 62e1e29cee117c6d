/** Looks for secret values wherever keyturn leaves something behind, in every form in which they could stand there. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Client } from '@temporalio/client';

/** A place where something of keyturn's ends up, and what is there. */
export interface Surface {
  readonly name: string;
  readonly bytes: Buffer;
}

export interface Leak {
  readonly surface: string;
  readonly value: string;
  readonly form: string;
}

/** Shorter pieces than this would be found by chance. */
const MIN_CHARS = 12;

/** Plain, URL, hex, UTF-16 and base64, the last wherever it may begin in what was encoded: it has three alignments. */
export function formsOf(value: string): ReadonlyMap<string, Buffer> {
  const forms = new Map<string, Buffer>();
  const add = (name: string, text: string): void => {
    if (text.length >= MIN_CHARS) forms.set(name, Buffer.from(text));
  };
  const bytes = Buffer.from(value);
  add('plain', value);
  add('URL', encodeURIComponent(value));
  add('URL, every byte', [...bytes].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join(''));
  add('hex', bytes.toString('hex'));
  add('HEX', bytes.toString('hex').toUpperCase());
  add('reversed', reversed(value));
  forms.set('UTF-16', Buffer.from(value, 'utf16le'));
  for (const offset of [0, 1, 2]) {
    for (const encoding of ['base64', 'base64url'] as const) {
      const whole = Buffer.concat([Buffer.alloc(offset), bytes])
        .toString(encoding)
        .replaceAll('=', '');
      // Its first characters share bits with what stands before the value, its last ones with what stands behind.
      const own = whole.slice(Math.ceil((offset * 8) / 6), Math.floor(((offset + bytes.length) * 8) / 6));
      add(`${encoding} at ${offset}`, own);
      add(`${encoding} at ${offset}, reversed`, reversed(own));
    }
  }
  return forms;
}

export const reversed = (text: string): string => text.split('').toReversed().join('');

export function leaks(surfaces: readonly Surface[], values: readonly string[]): readonly Leak[] {
  return values.flatMap((value) =>
    [...formsOf(value)].flatMap(([form, sought]) =>
      surfaces.filter(({ bytes }) => bytes.includes(sought)).map(({ name }) => ({ surface: name, value, form })),
    ),
  );
}

export const textSurface = (name: string, text: string): Surface => ({ name, bytes: Buffer.from(text) });

/** Every file below a folder, byte by byte; one that has gone meanwhile (a database's journal) left nothing. */
export async function fileSurfaces(folder: string): Promise<readonly Surface[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const surfaces = files.map(async (file) => {
    const bytes = await readFile(file).catch((error: unknown) => {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return Buffer.alloc(0);
      throw error;
    });
    return { name: file.slice(folder.length), bytes };
  });
  return Promise.all(surfaces);
}

/** The whole history of every workflow of the namespace, payloads opened. */
export async function historySurfaces(client: Client): Promise<readonly Surface[]> {
  const surfaces: Surface[] = [];
  for await (const { workflowId, runId } of client.workflow.list()) {
    const history = await client.workflow.getHandle(workflowId, runId).fetchHistory();
    surfaces.push({ name: `history of ${workflowId}`, bytes: Buffer.concat(contentsOf(history)) });
  }
  return surfaces;
}

/** Texts and payloads, with a line break behind each. */
export function contentsOf(value: unknown): readonly Buffer[] {
  if (typeof value === 'string') return [Buffer.from(`${value}\n`)];
  if (value instanceof Uint8Array) return [Buffer.from(value), Buffer.from('\n')];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(contentsOf);
}
