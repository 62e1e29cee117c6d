/** Epoch milliseconds as ISO 8601 UTC. */
export function iso(atMs: number): string {
  return new Date(atMs).toISOString();
}

export function isoOrNull(atMs: number | null): string | null {
  return atMs === null || !Number.isFinite(atMs) ? null : iso(atMs);
}
