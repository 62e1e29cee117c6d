// What the generated pages of docs/reference have in common.
import { readFileSync } from 'node:fs';
import { format } from 'prettier';

const style = JSON.parse(readFileSync(new URL('../.prettierrc.json', import.meta.url), 'utf8'));

export const finished = (markdown) => format(markdown, { ...style, parser: 'markdown' });

/** Text that is safe in a cell of a table. */
export const cell = (text) => text.replaceAll('|', '\\|');
