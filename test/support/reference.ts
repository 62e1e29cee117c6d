import { existsSync } from 'node:fs';
import { join } from 'node:path';

const folder = process.env['KEYTURN_REFERENCE'] ?? join(import.meta.dirname, '../../../shared/reference');

/** A vendor's own published file, in the folder that KEYTURN_REFERENCE names or beside the checkout; null where it is not at hand. */
export function referenceFile(name: string): string | null {
  const file = join(folder, name);
  return existsSync(file) ? file : null;
}

export const noReference = 'the published files are not here: set KEYTURN_REFERENCE to their folder';
