/**
 * Request ids that were seen, as `<hash>.<seconds>.<keep>`: short, because the whole record stays under 64 KiB. One that joined another's
 * rotation has a fourth part, which names that operation.
 * A webhook with a constant body has the same id every day, so its ids are forgotten after 6 h; explicit ids after 30 days.
 */
import { bounds } from './record.js';

const keepSeconds = { h: 6 * 3600, d: 30 * 86_400 } as const;

/** @param joined operation that the request joined */
export function remember(
  seen: readonly string[],
  requestId: string,
  nowMs: number,
  joined?: string,
): readonly string[] {
  if (hasSeen(seen, requestId, nowMs)) return seen;
  const alive = seen.filter((entry) => isAlive(entry, nowMs));
  const link = joined === undefined ? '' : `.${tagOf(joined)}`;
  const entry = `${shortHash(requestId)}.${Math.floor(nowMs / 1000)}.${keepOf(requestId)}${link}`;
  return [...alive, entry].slice(-bounds.seenRequests);
}

/** How long an id stands for the same request, milliseconds. */
export function keptMs(requestId: string): number {
  return keepSeconds[keepOf(requestId)] * 1_000;
}

export function hasSeen(seen: readonly string[], requestId: string, nowMs: number): boolean {
  const prefix = `${shortHash(requestId)}.`;
  return seen.some((entry) => entry.startsWith(prefix) && isAlive(entry, nowMs));
}

/** This request is remembered as one that joined this operation. */
export function hasJoined(seen: readonly string[], requestId: string, operationId: string): boolean {
  const prefix = `${shortHash(requestId)}.`;
  const link = `.${tagOf(operationId)}`;
  return seen.some((entry) => entry.startsWith(prefix) && entry.endsWith(link));
}

/** Both lists, oldest first; of an id that is in both, the later sighting. */
export function mergeSeen(a: readonly string[], b: readonly string[]): readonly string[] {
  const at = (entry: string): number => Number(entry.split('.')[1]);
  const sorted = [...a, ...b].sort((x, y) => at(x) - at(y));
  return [...new Map(sorted.map((entry) => [entry.split('.')[0], entry])).values()]
    .sort((x, y) => at(x) - at(y))
    .slice(-bounds.seenRequests);
}

function keepOf(requestId: string): 'h' | 'd' {
  return requestId.startsWith('mambu/') ? 'h' : 'd';
}

/** Told apart from those of the rotations that are remembered, with a letter in front: the other parts are `h`, `d` or digits. */
function tagOf(operationId: string): string {
  return `o${shortHash(operationId).slice(0, 6)}`;
}

function isAlive(entry: string, nowMs: number): boolean {
  const [, seconds, keep] = entry.split('.');
  return nowMs / 1000 < Number(seconds) + keepSeconds[keep === 'h' ? 'h' : 'd'];
}

/** 64 bits in 13 base-36 digits (two rounds of cyrb53's mixing): dedupe of ids from authenticated senders, no security rests on it. */
export function shortHash(text: string): string {
  return (
    (mix(text, 0x9e3779b9) % 36 ** 7).toString(36).padStart(7, '0') +
    (mix(text, 0x7f4a7c15) % 36 ** 6).toString(36).padStart(6, '0')
  );
}

function mix(text: string, seed: number): number {
  let h1 = 0xdeadbeef ^ seed;
  let h2 = 0x41c6ce57 ^ seed;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    h1 = Math.imul(h1 ^ c, 2654435761);
    h2 = Math.imul(h2 ^ c, 1597334677);
  }
  h1 = Math.imul(h1 ^ (h1 >>> 16), 2246822507) ^ Math.imul(h2 ^ (h2 >>> 13), 3266489909);
  h2 = Math.imul(h2 ^ (h2 >>> 16), 2246822507) ^ Math.imul(h1 ^ (h1 >>> 13), 3266489909);
  return 4294967296 * (2097151 & h2) + (h1 >>> 0);
}
