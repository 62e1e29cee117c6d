import type { VirtualClock } from '../shared/clock.js';
import type { Organization } from './organization.js';

export interface Chapter {
  readonly fromMs: number;
  readonly organization: Organization;
}

/** What the organization held at any instant: the truth behind every delayed view and every cache. */
export interface Ledger {
  latest(): Organization;
  /** As it was at that instant of virtual time; before the first change, as it was seeded. */
  at(ms: number): Organization;
  change(next: (organization: Organization) => Organization): void;
  chapters(): readonly Chapter[];
  /** A number that no other key of this organization has. */
  nextSerial(): number;
}

export function createLedger(clock: VirtualClock, seeded: Organization): Ledger {
  let latest = seeded;
  let serials = seeded.apps.flatMap(({ keys }) => keys).length;
  const chapters: Chapter[] = [{ fromMs: -Infinity, organization: seeded }];
  return {
    latest: () => latest,
    at: (ms) => chapters.findLast(({ fromMs }) => fromMs <= ms)?.organization ?? seeded,
    change(next) {
      latest = next(latest);
      chapters.push({ fromMs: clock.now(), organization: latest });
    },
    chapters: () => chapters,
    nextSerial: () => (serials += 1),
  };
}
