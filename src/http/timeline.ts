/** Where the bars of the status page stand: which key lives from when to when, as fractions of the window that is shown. */
import type { CredentialState } from '../contract.js';

export interface Bar {
  readonly version: number;
  readonly kind: 'current' | 'previous';
  /** 0 is the left edge of the window, 1 the right one. */
  readonly from: number;
  readonly to: number;
  /** Its life begins before the window, or ends after it or at no known instant. */
  readonly startsEarlier: boolean;
  readonly endsLater: boolean;
}

export interface Timeline {
  readonly fromMs: number;
  readonly toMs: number;
  readonly now: number;
  /** Newest version last. */
  readonly bars: readonly Bar[];
}

interface Life {
  readonly version: number;
  readonly kind: Bar['kind'];
  readonly bornMs: number;
  readonly diesMs: number;
}

const MIN_SPAN_MS = 60_000;
const MARGIN = 0.12;

/**
 * Null while there is no key. While old keys live the window is cut to the time from the newest key's birth to their last death, else
 * a grace of minutes would be a hair beside a key's life of months.
 */
export function timelineOf(state: CredentialState, nowMs: number): Timeline | null {
  const lives = livesOf(state);
  const newest = lives.at(-1);
  if (newest === undefined) return null;
  const dying = lives.length === 1 ? lives : lives.slice(0, -1);
  const instants = [newest.bornMs, nowMs, ...dying.map((life) => life.diesMs)].filter(Number.isFinite);
  const firstMs = Math.min(...instants);
  const spanMs = Math.max(MIN_SPAN_MS, Math.max(...instants) - firstMs);
  const fromMs = firstMs - MARGIN * spanMs;
  const toMs = firstMs + (1 + MARGIN) * spanMs;
  const at = (ms: number): number => Math.min(1, Math.max(0, (ms - fromMs) / (toMs - fromMs)));
  const bars = lives.map(({ version, kind, bornMs, diesMs }) => ({
    version,
    kind,
    from: at(bornMs),
    to: at(diesMs),
    startsEarlier: bornMs < fromMs,
    endsLater: diesMs > toMs,
  }));
  return { fromMs, toMs, now: at(nowMs), bars };
}

/** Oldest version first. */
function livesOf({ current, previous }: CredentialState): readonly Life[] {
  const old = previous.map(({ version, publishedAt, diesAt }) => ({
    version,
    kind: 'previous' as const,
    bornMs: msOf(publishedAt, -Infinity),
    diesMs: msOf(diesAt, Infinity),
  }));
  const living =
    current === null
      ? []
      : [
          {
            version: current.version,
            kind: 'current' as const,
            bornMs: msOf(current.publishedAt, -Infinity),
            diesMs: msOf(current.expiresAt, Infinity),
          },
        ];
  return [...old, ...living].toSorted((a, b) => a.version - b.version);
}

function msOf(iso: string | null, otherwise: number): number {
  const ms = iso === null ? Number.NaN : Date.parse(iso);
  return Number.isNaN(ms) ? otherwise : ms;
}
