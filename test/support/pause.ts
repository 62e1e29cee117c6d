import { setTimeout as sleep } from 'node:timers/promises';

/** Between two looks: a query costs about ten milliseconds of processor time, so the longer a wait, the rarer it looks. */
export function pause(sinceMs: number): Promise<void> {
  return sleep(Math.min(400, Math.max(50, (Date.now() - sinceMs) / 8)));
}
