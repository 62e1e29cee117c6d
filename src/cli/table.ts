import { clean } from './output.js';

/** Columns two spaces apart, as wide as their widest cell; no trailing spaces. Cells may be styled by `Output.style`. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [header, ...rows].map((cells) => cells.map((cell) => cell.replaceAll(/[\n\t]+/g, ' ')));
  const widths = header.map((_, column) => Math.max(...lines.map((cells) => clean(cells[column] ?? '').length)));
  return lines
    .map((cells) => cells.map((cell, column) => cell + ' '.repeat((widths[column] ?? 0) - clean(cell).length)))
    .map((cells) => cells.join('  ').trimEnd())
    .join('\n');
}
