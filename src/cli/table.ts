import { stripVTControlCharacters } from 'node:util';
import { clean } from './output.js';

/** A cell is plain text, which is cleaned, or text that `Output.style` made. */
export type Cell = string | { readonly styled: string };

/** Columns two spaces apart, as wide as their widest cell; no trailing spaces. */
export function table(header: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const lines = [header, ...rows].map((cells) => cells.map(textOf));
  const widths = header.map((_, column) => Math.max(...lines.map((cells) => width(cells[column] ?? ''))));
  return lines
    .map((cells) => cells.map((cell, column) => cell + ' '.repeat(Math.max(0, (widths[column] ?? 0) - width(cell)))))
    .map((cells) => cells.join('  ').trimEnd())
    .join('\n');
}

const textOf = (cell: Cell): string =>
  typeof cell === 'string' ? clean(cell).replaceAll(/[\n\t]+/g, ' ') : cell.styled;

const width = (cell: string): number => [...stripVTControlCharacters(cell)].length;
