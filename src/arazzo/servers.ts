import { isRefusedHost } from '../domain/addresses.js';
import type { Workflow } from './document.js';
import { quoted, syntaxError } from './failure.js';
import type { Operation } from './openapi.js';
import type { Prepared } from './prepare.js';
import { type Problem, Reader } from './problems.js';
import { reachableFrom } from './resolve-flow.js';

/** A source as keyturn.yaml has it. */
export interface ConfiguredSource {
  /** Normalised, without a slash at its end. */
  readonly url: string;
}
export type ConfiguredSources = ReadonlyMap<string, ConfiguredSource>;

/** Names of sources with base URLs, as a run gives them. */
export type Servers = Readonly<Record<string, string>>;

/**
 * The base URL of an operation's source: of the run, else of keyturn.yaml, else of the description.
 * @throws ArazzoError syntax when there is none, or it must not be called
 */
export function baseUrlOf(operation: Operation, configured: ConfiguredSources, servers: Servers): string {
  const { source, server } = operation;
  const given = Object.hasOwn(servers, source) ? servers[source] : undefined;
  const text = given ?? configured.get(source)?.url ?? server;
  const mend = `give one with --server ${source}=URL, or as arazzo.sources.${source}.url in keyturn.yaml`;
  if (text === undefined || !/^https?:/i.test(text) || !URL.canParse(text) || text.includes('{'))
    throw syntaxError(`source ${source} has no absolute base URL: ${mend}`);
  const url = new URL(text);
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '')
    throw syntaxError(`the base URL of source ${source} must have no user, query or fragment: ${mend}`);
  if (isRefusedHost(url.hostname))
    throw syntaxError(`source ${source}: ${url.hostname} is a link-local or metadata address and is never called`);
  const base = url.origin + url.pathname.replace(/\/+$/, '');
  const isConfigured = [...configured.values()].some((one) => one.url === base);
  if (url.protocol === 'http:' && !isLoopback(url.hostname) && !isConfigured)
    throw syntaxError(`source ${source}: http: is for loopback addresses only; use https:`);
  return base;
}

/**
 * Whose authentication a request gets: that of the configured source whose origin and base path are exactly these. The run's own source
 * goes first where two have the same URL.
 */
export function sourceAt(base: string, source: string, configured: ConfiguredSources): string | undefined {
  if (configured.get(source)?.url === base) return source;
  return [...configured].find(([, one]) => one.url === base)?.[0];
}

/** Operations that a run of the workflow may come to. */
export const operationsOf = ({ document, operations }: Prepared, workflow: Workflow): readonly Operation[] =>
  reachableFrom(document, workflow).flatMap(({ steps }) => steps.flatMap((step) => operations.get(step) ?? []));

/** Every base URL that the workflow needs is there and may be called, and every one that was given belongs to a source. */
export function serverProblems(
  prepared: Prepared,
  workflow: Workflow,
  configured: ConfiguredSources,
  servers: Servers,
): readonly Problem[] {
  const reader = new Reader();
  const { sources } = prepared.document;
  for (const name of Object.keys(servers)) {
    if (!sources.some((source) => source.name === name))
      reader.problem([], `a base URL was given for ${quoted(name)}, which is no source of the document`);
  }
  for (const operation of operationsOf(prepared, workflow)) {
    const at = sources.find(({ name }) => name === operation.source)?.at ?? [];
    reader.attempt(at, () => void baseUrlOf(operation, configured, servers));
  }
  return reader.problems;
}

const isLoopback = (hostname: string): boolean =>
  hostname === 'localhost' ||
  hostname.endsWith('.localhost') ||
  hostname === '[::1]' ||
  /^127\.\d+\.\d+\.\d+$/.test(hostname);
