import type { FileKeys } from '../../custody/key-file.js';
import { takeCensus, type Census } from '../../custody/rewrap.js';
import { isoOrNull } from '../../domain/instant.js';
import type { Action } from '../run.js';
import { withSealed } from '../sealed.js';
import { table } from '../table.js';
import { instantText } from '../when.js';

const ATTENTION = 3;

export const run: Action<'keys-list'> = async (context) =>
  withSealed(await context.config(), async ({ store, keys }) => {
    const census = await takeCensus(store);
    const rows = rowsOf(keys, census);
    const { unreadable } = census;
    for (const { kid } of rows.filter(({ inFile }) => !inFile)) {
      context.out.warn(
        `the key file lacks ${kid}: what it has sealed cannot be opened; restore the key file that has it`,
      );
    }
    for (const name of unreadable) context.out.warn(`the object ${name} does not tell by which key it is sealed`);
    const needsSomebody = unreadable.length > 0 || rows.some(({ inFile }) => !inFile);
    return {
      data: { current: keys.currentKid, keys: rows, unreadable },
      text: table(
        ['KEY', 'CREATED', 'IS', 'OBJECTS', 'OLDER'],
        rows.map(({ kid, created, current, inFile, objects, older }) => [
          kid,
          created === null ? '-' : instantText(created),
          current ? 'current' : inFile ? 'old' : 'missing',
          String(objects),
          String(older),
        ]),
      ),
      ...(needsSomebody ? { exit: ATTENTION } : {}),
    };
  });

interface Row {
  readonly kid: string;
  readonly created: string | null;
  readonly current: boolean;
  readonly inFile: boolean;
  readonly objects: number;
  readonly older: number;
}

/** The keys of the file, and those that only the store knows. */
function rowsOf({ currentKid, byKid, createdMs }: FileKeys, census: Census): readonly Row[] {
  const kids = new Set([...byKid.keys(), ...census.byKid.keys()]);
  return [...kids].map((kid) => ({
    kid,
    created: isoOrNull(createdMs.get(kid) ?? null),
    current: kid === currentKid,
    inFile: byKid.has(kid),
    objects: census.byKid.get(kid)?.objects ?? 0,
    older: census.byKid.get(kid)?.older ?? 0,
  }));
}
