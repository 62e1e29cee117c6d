import { openSealed } from '../compose.js';
import type { Config } from '../config.js';
import type { FileKeys } from '../custody/key-file.js';
import type { Store } from '../stores/store.js';

/** Key file and store as they are, also where they do not belong together; closed when `use` ends. */
export async function withSealed<T>(
  config: Config,
  use: (sealed: { readonly store: Store; readonly keys: FileKeys }) => Promise<T>,
): Promise<T> {
  const sealed = await openSealed(config);
  try {
    return await use(sealed);
  } finally {
    await sealed.store.close();
  }
}
