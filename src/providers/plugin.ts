/**
 * Plug-ins: providers from packages that keyturn.yaml lists by their exact names. Nothing else is ever imported: no path, no URL, no name from
 * anywhere but that list.
 */
import { isBuiltin } from 'node:module';
import { pathToFileURL } from 'node:url';
import type { Provider } from './provider.js';
import { packageEntry } from './plugin-entry.js';

/** What came of a name in `plugins`: the provider, or what is wrong, in words. */
export type Plugins = ReadonlyMap<string, Provider | string>;

const API_VERSION = 1;

/** Names that mean providers of keyturn's own in records and commands. */
const ownNames: ReadonlySet<string> = new Set(['mambu', 'apigee', 'keyturn']);

/** Every plug-in that this process has imported; like the modules themselves they stay until it ends. */
const imported = new Map<string, Provider>();

/** A plug-in of the configuration by its package's name. */
export function importedPlugin(name: string): Provider | undefined {
  return imported.get(name);
}

/** The name of a package: no path, no subpath, no version, no URL (npm docs, package.json, `name`). */
export function isPackageName(name: string): boolean {
  return /^(?:@[a-z0-9~-][a-z0-9._~-]*\/)?[a-z0-9~-][a-z0-9._~-]*$/.test(name) && name.length <= 214;
}

/** Imports the named packages from where `directory`'s modules would. An imported module stays as it is until the process ends. */
export async function importPlugins(names: readonly string[], directory: string): Promise<Plugins> {
  const found = new Map<string, Provider | string>();
  for (const name of names) {
    const plugin = await importPlugin(name, directory);
    if (typeof plugin !== 'string') imported.set(name, plugin);
    found.set(name, plugin);
  }
  return found;
}

async function importPlugin(name: string, directory: string): Promise<Provider | string> {
  if (!isPackageName(name)) return 'is no name of a package';
  if (ownNames.has(name) || isBuiltin(name)) return 'is the name of something built in: a plug-in needs its own';
  const entry = await packageEntry(name, directory);
  if (entry === null) return `is not installed for ${directory}: run \`npm install ${name}\` there`;
  if (entry === undefined) return 'has nothing to import: its package.json needs `exports` or `main`';
  try {
    const module: unknown = await import(pathToFileURL(entry).href);
    return checked(name, (module as { readonly provider?: unknown }).provider);
  } catch (error) {
    // Its message could quote anything.
    const why =
      error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : nameOf(error);
    return `cannot be imported (${why}): \`node --input-type=module -e 'import "${name}"'\` in ${directory} shows why`;
  }
}

const nameOf = (error: unknown): string => (error instanceof Error ? error.name : typeof error);

const methods = [
  'capability',
  'identity',
  'settingsOf',
  'publicSettings',
  'prepare',
  'inventory',
  'create',
  'credentialVerdict',
  'verify',
  'retire',
  'call',
] as const satisfies readonly (keyof Provider)[];

const optionalMethods = [
  'incurable',
  'chosen',
  'find',
  'equip',
  'restore',
] as const satisfies readonly (keyof Provider)[];

/** The shape as far as it can be seen; what the methods do is for the conformance kit. */
function checked(name: string, given: unknown): Provider | string {
  if (typeof given !== 'object' || given === null) return 'exports no object named `provider`';
  const provider = given as Partial<Provider>;
  const { apiVersion, settings } = provider;
  if (apiVersion !== API_VERSION) {
    return `is for apiVersion ${String(apiVersion)} of the provider contract, and this keyturn has ${API_VERSION}: install a version of it that fits`;
  }
  const missing = [
    ...methods.filter((method) => typeof provider[method] !== 'function'),
    ...optionalMethods.filter((method) => provider[method] !== undefined && typeof provider[method] !== 'function'),
  ];
  if (missing.length > 0) return `is no provider: these are no functions: ${missing.join(', ')}`;
  if (provider.name !== name) return `calls itself ${JSON.stringify(provider.name)}: \`name\` must be the package's`;
  if (typeof settings?.safeParse !== 'function') return 'is no provider: `settings` is no zod schema';
  const fields: unknown = provider.secretFields;
  if (typeof fields !== 'object' || fields === null || Object.keys(fields).length === 0)
    return 'is no provider: `secretFields` names no field';
  return given as Provider;
}
