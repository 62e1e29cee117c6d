/**
 * Request ids that were seen, as `<hash>.<seconds>.<keep>`: short, because the whole record stays under 64 KiB.
 * A webhook with a constant body has the same id every day, so its ids are forgotten after 6 h; explicit ids after 30 days.
 */
import { bounds } from './record.js';

const keepSeconds = { h: 6 * 3600, d: 30 * 86_400 } as const;

export function remember(seen: readonly string[], requestId: string, nowMs: number): readonly string[] {
  if (hasSeen(seen, requestId, nowMs)) return seen;
  const keep = requestId.startsWith('mambu/') ? 'h' : 'd';
  const alive = seen.filter((entry) => isAlive(entry, nowMs));
  return [...alive, `${shortHash(requestId)}.${Math.floor(nowMs / 1000)}.${keep}`].slice(-bounds.seenRequests);
}

export function hasSeen(seen: readonly string[], requestId: string, nowMs: number): boolean {
  const prefix = `${shortHash(requestId)}.`;
  return seen.some((entry) => entry.startsWith(prefix) && isAlive(entry, nowMs));
}

/** Both lists, oldest first; of an id that is in both, the later sighting. */
export function mergeSeen(a: readonly string[], b: readonly string[]): readonly string[] {
  const at = (entry: string): number => Number(entry.split('.')[1]);
  const sorted = [...a, ...b].sort((x, y) => at(x) - at(y));
  return [...new Map(sorted.map((entry) => [entry.split('.')[0], entry])).values()]
    .sort((x, y) => at(x) - at(y))
    .slice(-bounds.seenRequests);
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
