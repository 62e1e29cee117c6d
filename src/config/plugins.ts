/** What keyturn.yaml has to know of a plug-in's credential, from what the plug-in says of itself. */
import { z } from 'zod';
import { classOf } from '../domain/capability.js';
import { isLoopback } from '../providers/base-url.js';
import { isPackageName, type Plugins } from '../providers/plugin.js';
import type { Provider } from '../providers/provider.js';
import { baseUrlSchema, nearest } from '../providers/schemas.js';
import { readDocument } from './document.js';
import { type Findings, valueAt } from './findings.js';
import type { ProviderBlock, ProviderFacts } from './providers.js';

/** Names below the top-level `plugins`, for those who have to import them before the file can be checked. */
export function pluginNames(text: string): readonly string[] {
  const names = z.array(z.unknown()).safeParse(valueAt(readDocument(text).value, ['plugins'])).data ?? [];
  return [...new Set(names.filter((name) => typeof name === 'string'))];
}

/** The listed plug-ins; undefined where one cannot be used, which is noted where it is listed. */
export function readPlugins(
  given: unknown,
  plugins: Plugins,
  findings: Findings,
): ReadonlyMap<string, Provider | undefined> {
  findings.read(pluginsSchema, given ?? [], ['plugins']);
  const listed = new Map<string, Provider | undefined>();
  for (const [index, name] of Object.entries(z.array(z.unknown()).safeParse(given).data ?? [])) {
    if (typeof name !== 'string') continue;
    const plugin = plugins.get(name) ?? 'has not been imported';
    listed.set(name, typeof plugin === 'string' ? undefined : plugin);
    if (typeof plugin === 'string' && isPackageName(name))
      findings.error(['plugins', Number(index)], `${name} ${plugin}`);
  }
  return listed;
}

export const pluginsSchema = z.array(
  z.string().refine(isPackageName, {
    error: 'must be the exact name of a package, such as keyturn-acme: no path, no subpath, no version, no URL',
  }),
);

/** Why a module that a credential names cannot be had, with the mend. */
export function unlisted(module: string, listed: readonly string[]): string {
  const meant = nearest(module, listed);
  if (meant !== undefined) return `${JSON.stringify(module)} is not listed; did you mean ${JSON.stringify(meant)}?`;
  return `${JSON.stringify(module)} is not listed: write \`plugins: [${JSON.stringify(module)}]\` at the top of the file`;
}

/**
 * Settings by the plug-in's own schema, then what follows from its `identity` and `capability`. Of the settings keyturn itself reads two, where
 * the plug-in's schema has them: `acceptGap` and `insecure`, with the meaning that they have at the built-in providers.
 */
export function pluginBlock(provider: Provider): ProviderBlock {
  const schema = provider.settings.transform((settings, context): ProviderFacts => {
    const wrong = (message: string, path: readonly string[] = []): never => {
      context.addIssue({ code: 'custom', message, path: [...path] });
      return z.NEVER;
    };
    const said = saidOf(provider, settings);
    if (said === null) return wrong(`${provider.name} cannot tell identity and capability of these settings`);
    const { identity, capability } = said;
    const baseUrl = baseUrlSchema.safeParse(identity.baseUrl).data;
    if (identity.provider !== provider.name || baseUrl !== identity.baseUrl || identity.account === '')
      return wrong(
        `${provider.name} gives an \`identity\` of another provider, without an account or a usable base URL`,
      );
    const defect = defectOf(provider, capability);
    if (defect !== null) return wrong(`${provider.name} ${defect}`);
    if (!isTrue(settings, 'insecure') && isPlainAndRemote(baseUrl))
      return wrong('http: is for loopback addresses only: keys would travel in clear', ['baseUrl']);
    const acceptsGap = isTrue(settings, 'acceptGap');
    if (classOf(capability) === 'E' && !acceptsGap)
      return wrong('the old key dies before anyone has the new one: write `acceptGap: true` if that is meant', [
        'acceptGap',
      ]);
    return {
      settings,
      baseUrl,
      managedBy: null,
      webhook: { consumerIds: [], mode: 'off' },
      allowRequests: [],
      rotatesInPlace: capability.overlap !== 'ours',
      providerGraceMs: capability.overlap === 'ours' ? null : (capability.providerGraceMs ?? 0),
      acceptsGap,
      keyTtlMs: capability.keyTtlMs ?? null,
      tokenTtlMs: 0,
      propagationMs: capability.propagationMs,
      warnings: [],
    };
  });
  return { schema, published: z.unknown(), propagationMs: 0, settleMs: 0, observeMs: 0 };
}

type Said = {
  readonly identity: ReturnType<Provider['identity']>;
  readonly capability: ReturnType<Provider['capability']>;
};

/** Null where it throws: its message could quote anything. */
function saidOf(provider: Provider, settings: unknown): Said | null {
  try {
    return { identity: provider.identity(settings), capability: provider.capability(settings) };
  } catch {
    return null;
  }
}

/** What the engine could not work with, in words. */
function defectOf(
  provider: Provider,
  { value, intents, needsSecretKey, propagationMs }: Said['capability'],
): string | null {
  if (intents.length === 0) return 'names no kind of write in `capability.intents`';
  if (value === 'client' && !(provider.chosen && provider.find))
    return 'lets the client choose the value, and has no `chosen` or no `find`';
  if (needsSecretKey && provider.secretFields['secretKey'] === undefined)
    return 'needs a secret key, and has no such field';
  return propagationMs >= 0 ? null : 'has no `capability.propagationMs`';
}

const isTrue = (settings: unknown, key: string): boolean => valueAt(settings, [key]) === true;

function isPlainAndRemote(baseUrl: string): boolean {
  const url = new URL(baseUrl);
  return url.protocol === 'http:' && !isLoopback(url);
}
