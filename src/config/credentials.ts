import { z } from 'zod';
import type { Provider } from '../providers/provider.js';
import { nearest, strictShape } from '../providers/schemas.js';
import type { Path } from './document.js';
import { type Findings, valueAt } from './findings.js';
import { pluginBlock, unlisted } from './plugins.js';
import { type ProviderBlock, providerBlocks, type ProviderFacts } from './providers.js';
import { credentialShape, idRule, idSchema, type PolicyBlock, policySchema, type TimingBlock } from './schema.js';
import type { CredentialConfig } from './types.js';

type Mapping = Readonly<Record<string, unknown>>;

/** What credentials may refer to. Undefined: the name is there, and what it names is wrong, which was said already. */
export interface Shared {
  readonly connections: ReadonlyMap<string, Mapping | undefined>;
  readonly policies: ReadonlyMap<string, PolicyBlock | undefined>;
  readonly timing: TimingBlock;
  readonly plugins: ReadonlyMap<string, Provider | undefined>;
}

/** A credential with what the rules between several of them need. */
export interface ReadCredential {
  readonly config: CredentialConfig;
  readonly facts: ProviderFacts;
  readonly path: Path;
  readonly settingsPath: Path;
  /** Where its policy can be mended: at its own key, or where it names one. */
  readonly policyPath: (key: string) => Path;
}

export const mappingSchema = z.record(z.string(), z.unknown());
const credentialSchema = strictShape(credentialShape);
const connectionName = z.string();
const secondMs = 1_000;

/** Reads one credential; undefined when something is wrong with it, which is then noted. */
export function readCredential(
  id: string,
  raw: unknown,
  shared: Shared,
  findings: Findings,
): ReadCredential | undefined {
  const path: Path = ['credentials', id];
  if (!idSchema.safeParse(id).success) findings.error(path, `a credential's id ${idRule}`);
  const given = findings.read(mappingSchema, raw, path);
  if (given === undefined) return undefined;
  const connection = lookUp(given.connection, 'connection', shared.connections, path, findings);
  const provider = readProvider(given.provider, connection, shared.plugins, path, findings);
  if (provider === undefined) return undefined;
  const { [provider.settingsKey]: ownBlock, ...rest } = given;
  const read = findings.read(credentialSchema, rest, path);
  const settingsPath = [...path, provider.settingsKey];
  const facts = readSettings(provider.block, ownBlock, connection, { settingsPath, given }, findings);
  const policy =
    typeof read?.policy === 'object'
      ? read.policy
      : (lookUp(given.policy, 'policy', shared.policies, path, findings) ?? policySchema.parse({}));
  if (read === undefined || facts === undefined) return undefined;
  for (const warning of facts.warnings) findings.warning([...settingsPath, ...warning.path], warning.message);
  const timing = { ...shared.timing, ...read.timing };
  return {
    facts,
    path,
    settingsPath,
    policyPath: (key) => (valueAt(given.policy, [key]) === undefined ? [...path, 'policy'] : [...path, 'policy', key]),
    config: {
      credentialId: id,
      provider: provider.name,
      settings: facts.settings,
      baseUrl: facts.baseUrl,
      policy: {
        graceMs: policy.grace,
        refreshWithinMs: policy.refreshWithin + facts.tokenTtlMs,
        minIntervalMs: policy.minInterval,
        renewBeforeMs: Math.min(policy.renewBefore, Math.floor((facts.keyTtlMs ?? Infinity) / 3)),
        activationLagMs: policy.activationLag,
        consumers: policy.consumers,
      },
      schedule: policy.schedule ?? null,
      reconcile: policy.reconcile,
      timing: {
        sendWithinMs: timing.sendWithin ?? 5 * secondMs,
        httpTimeoutMs: timing.httpTimeout ?? 15 * secondMs,
        skewMs: timing.skew ?? 2 * secondMs,
        verifyAgainAfterMs: timing.verifyAgainAfter ?? 300 * secondMs,
        propagationMs: timing.propagation ?? facts.propagationMs ?? provider.block.propagationMs,
        settleMs: timing.settle ?? provider.block.settleMs,
        observeMs: timing.observe ?? provider.block.observeMs,
      },
      tokenTtlMs: facts.tokenTtlMs,
      managedBy: facts.managedBy,
      webhook: facts.webhook,
      allowRequests: facts.allowRequests,
      labels: read.labels,
    },
  };
}

function lookUp<T>(
  reference: unknown,
  key: 'connection' | 'policy',
  known: ReadonlyMap<string, T | undefined>,
  path: Path,
  findings: Findings,
): T | undefined {
  const name = connectionName.safeParse(reference).data;
  if (name === undefined) return undefined;
  if (!known.has(name))
    findings.error([...path, key], `there is no ${key} ${JSON.stringify(name)}; ${choice(name, [...known.keys()])}`);
  return known.get(name);
}

function choice(name: string, known: readonly string[]): string {
  const meant = nearest(name, known);
  if (meant !== undefined) return `did you mean ${JSON.stringify(meant)}?`;
  return known.length === 0 ? 'none is defined' : `known: ${known.join(', ')}`;
}

interface ReadProvider {
  readonly name: string;
  readonly block: ProviderBlock;
  /** Where its settings stand: at the provider's name, or for a plug-in at `settings`. */
  readonly settingsKey: string;
}

function readProvider(
  given: unknown,
  connection: Mapping | undefined,
  plugins: Shared['plugins'],
  path: Path,
  findings: Findings,
): ReadProvider | undefined {
  const name = given ?? connection?.provider;
  const place = [...path, 'provider'];
  const module = valueAt(name, ['module']);
  if (typeof module === 'string') {
    if (connection !== undefined && valueAt(connection.provider, ['module']) !== module) {
      findings.error(place, 'is not the provider of its connection');
    }
    const plugin = plugins.get(module);
    if (plugin !== undefined) return { name: module, block: pluginBlock(plugin), settingsKey: 'settings' };
    if (!plugins.has(module)) findings.error([...place, 'module'], unlisted(module, [...plugins.keys()]));
    return undefined;
  }
  const known = `known: ${[...providerBlocks.keys()].join(', ')}`;
  const block = typeof name === 'string' ? providerBlocks.get(name) : undefined;
  if (typeof name !== 'string' || block === undefined) {
    findings.error(place, `${name === undefined ? 'is missing' : 'is no provider'}; ${known}`);
    return undefined;
  }
  if (connection !== undefined && connection.provider !== name) {
    findings.error(place, 'is not the provider of its connection');
  }
  return { name, block, settingsKey: name };
}

/** The connection's settings with the credential's own on top; a mistake is noted where it stands. */
function readSettings(
  block: ProviderBlock,
  own: unknown,
  connection: Mapping | undefined,
  place: { readonly settingsPath: Path; readonly given: Mapping },
  findings: Findings,
): ProviderFacts | undefined {
  const ownBlock = own === undefined ? {} : findings.read(mappingSchema, own, place.settingsPath);
  if (ownBlock === undefined) return undefined;
  const { provider: _, ...shared } = connection ?? {};
  return findings.read(block.schema, { ...shared, ...ownBlock }, (path) => {
    const [key] = path;
    const isShared = key !== undefined && !Object.hasOwn(ownBlock, key) && Object.hasOwn(shared, key);
    return isShared ? ['connections', String(place.given.connection), ...path] : [...place.settingsPath, ...path];
  });
}
