/** keyturn's search attributes in a namespace: registered where keyturn may do so, used where they exist, never needed. */
import { searchAttributes } from './contract.js';

type AttributeName = keyof typeof searchAttributes;

/** Values of temporal.api.enums.v1.IndexedValueType. */
const indexedType = { Keyword: 2, Int: 3, Datetime: 6 } as const;

interface Listed {
  readonly customAttributes?: Readonly<Record<string, number>> | null;
}

/** The part of a connection that is needed; a client's and a worker's both have it. */
export interface OperatorConnection {
  readonly operatorService: {
    listSearchAttributes(request: { namespace: string }): Promise<Listed>;
    addSearchAttributes(request: { namespace: string; searchAttributes: Record<string, number> }): Promise<unknown>;
  };
}

export interface SearchAttributesReport {
  /** Those that may be used. */
  readonly known: readonly AttributeName[];
  readonly missing: readonly AttributeName[];
  /** Why some are missing, in words; null when none is. */
  readonly why: string | null;
}

const names: readonly AttributeName[] = [
  'KeyturnCredential',
  'KeyturnProvider',
  'KeyturnStatus',
  'KeyturnVersion',
  'KeyturnNextRotation',
  'KeyturnExpires',
];

/** Registers what is missing, as far as it is permitted. Never throws: without them lists are poorer, and nothing else. */
export async function ensureSearchAttributes(
  connection: OperatorConnection,
  namespace: string,
  mode: 'auto' | 'off',
  log: (line: string) => void,
): Promise<SearchAttributesReport> {
  if (mode === 'off') return { known: [], missing: names, why: 'keyturn.yaml says `temporal.searchAttributes: off`' };
  const before = await listed(connection, namespace);
  if (before === null) return { known: [], missing: names, why: 'Temporal does not list the search attributes here' };
  const absent = names.filter((name) => before[name] === undefined);
  if (absent.length === 0) return report(before, null);
  try {
    const wanted = Object.fromEntries(absent.map((name) => [name, indexedType[searchAttributes[name]]]));
    await connection.operatorService.addSearchAttributes({ namespace, searchAttributes: wanted });
  } catch {
    // Not permitted (Temporal Cloud: done in its console), or no room left: another process may have been first, too.
    return report((await listed(connection, namespace)) ?? before, commandFor(absent));
  }
  log(`registered search attributes: ${absent.join(', ')}`);
  return report((await listed(connection, namespace)) ?? before, commandFor(absent));
}

function report(existing: Readonly<Record<string, number>>, mend: string | null): SearchAttributesReport {
  const known = names.filter((name) => existing[name] === indexedType[searchAttributes[name]]);
  const missing = names.filter((name) => !known.includes(name));
  const otherType = missing.filter((name) => existing[name] !== undefined);
  if (missing.length === 0) return { known, missing, why: null };
  if (otherType.length > 0) return { known, missing, why: `${otherType.join(', ')} exist with another type` };
  return { known, missing, why: `keyturn could not register them; somebody who may: ${mend ?? commandFor(missing)}` };
}

function commandFor(missing: readonly AttributeName[]): string {
  const flags = missing.map((name) => `--name ${name} --type ${searchAttributes[name]}`).join(' ');
  return `temporal operator search-attribute create ${flags}`;
}

async function listed(
  connection: OperatorConnection,
  namespace: string,
): Promise<Readonly<Record<string, number>> | null> {
  try {
    return (await connection.operatorService.listSearchAttributes({ namespace })).customAttributes ?? {};
  } catch {
    // Not permitted, or not there: what cannot be listed is not used.
    return null;
  }
}
