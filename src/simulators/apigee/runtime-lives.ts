import type { Life } from '../shared/lives.js';
import { findKey, type Key, type Organization } from './organization.js';
import { keyFaultOf, type Proxy } from './verify.js';
import type { World } from './world.js';

/** When the message processors let a key pass at one proxy, with what each of them really remembered at the time. */
export interface RuntimeLife {
  basePath: string;
  /** Every processor does: whoever asks gets through. */
  everywhere: Life[];
  /** Some processor does. */
  somewhere: Life[];
}

/** A stretch of time in which one processor decides by one state of the organization. */
interface View {
  readonly organization: Organization;
  readonly fromMs: number;
  readonly toMs: number;
}

/**
 * Asks what each processor would have answered at every instant, whether anybody asked or not: by its cache where that held
 * the key, else by the store, which is behind the writes by the propagation delay as it is set now.
 */
export function runtimeLivesOf(world: World, key: Key): RuntimeLife[] {
  const processors = Array.from({ length: world.rules.messageProcessors }, (_, processor) => processor);
  const views = processors.map((processor) => viewsOf(world, processor, key.consumerKey));
  return world.proxies.map((proxy) => {
    const passing = views.map((one) => one.flatMap((view) => passingPart(world, key, proxy, view)));
    const at = (needed: number) => livesOfAtLeast(passing, needed);
    return { basePath: proxy.basePath, everywhere: at(processors.length), somewhere: at(1) };
  });
}

function viewsOf({ ledger, rules, runtime }: World, processor: number, consumerKey: string): View[] {
  const chapters = ledger.chapters();
  const delayMs = rules.propagationDelayMs;
  const stored = chapters.map(({ organization, fromMs }, index): View => {
    const nextMs = chapters[index + 1]?.fromMs ?? Infinity;
    return { organization, fromMs: fromMs + delayMs, toMs: nextMs + delayMs };
  });
  return runtime
    .remembered(processor, consumerKey)
    .reduce((views, cached) => [...views.flatMap((view) => around(view, cached)), cached], stored);
}

const around = (view: View, { fromMs, toMs }: View): View[] =>
  [
    { ...view, toMs: Math.min(view.toMs, fromMs) },
    { ...view, fromMs: Math.max(view.fromMs, toMs) },
  ].filter((one) => one.fromMs < one.toMs);

function passingPart({ rules }: World, key: Key, proxy: Proxy, { organization, fromMs, toMs }: View): View[] {
  const start = { organization, fromMs: Math.max(fromMs, key.issuedAtMs) };
  const isThisKey = findKey(organization, key.consumerKey)?.key.serial === key.serial;
  const fault = keyFaultOf(organization, key.consumerKey, proxy, null, { atMs: start.fromMs, rules });
  const part = { ...start, toMs: Math.min(toMs, key.expiresAtMs ?? Infinity) };
  return isThisKey && fault === null && part.fromMs < part.toMs ? [part] : [];
}

/** The stretches in which at least so many of the processors let it pass. */
function livesOfAtLeast(passing: readonly (readonly View[])[], needed: number): Life[] {
  const bounds = new Set(passing.flat().flatMap(({ fromMs, toMs }) => [fromMs, toMs]));
  const lives: Life[] = [];
  let openMs: number | null = null;
  for (const atMs of [...bounds].toSorted((a, b) => a - b)) {
    const count = passing.filter((views) => views.some(({ fromMs, toMs }) => atMs >= fromMs && atMs < toMs)).length;
    if (count >= needed) openMs ??= atMs;
    else if (openMs !== null) {
      lives.push({ fromMs: openMs, toMs: atMs === Infinity ? null : atMs });
      openMs = null;
    }
  }
  return lives;
}
