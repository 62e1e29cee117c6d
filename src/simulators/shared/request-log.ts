import type { VirtualClock } from './clock.js';

/** `expired`: it was good once. `unchecked`: the request never came as far as the check. */
export type CredentialOutcome = 'accepted' | 'refused' | 'expired' | 'unchecked';

/** What every simulator knows of a request. */
interface Arrived {
  method: string;
  /** Template such as `/consumers/{id}/keys`; `unknown` for a path that the system does not have. */
  route: string;
  path: string;
  bodySha256: string | null;
}

/** One request as the simulated system saw it. `at` is virtual time, `realAt` real time, both of the arrival. */
export interface SeenRequest extends Arrived {
  n: number;
  at: number;
  realAt: number;
  /** What went out on the wire; null while it is open and when no answer was sent. */
  status: number | null;
  /** What the system decided, also when a fault kept the answer from the client; null when it never decided. */
  decided: number | null;
  /** It changed something. */
  committed: boolean;
  fault: string | null;
}

/** One change made over the API, with the serials of the credentials that it made, changed or killed. */
export interface SeenWrite {
  request: number;
  at: number;
  realAt: number;
  serials: number[];
}

/** `Own` is what one simulator knows of a request besides, `Change` what it says of a write. */
export interface RequestLog<Own extends object, Change extends object> {
  open(arrived: Arrived & Own): SeenRequest & Own;
  commit(entry: SeenRequest, change: Pick<SeenWrite, 'serials'> & Change): void;
  /** A copy of everything so far. */
  history(): { requests: (SeenRequest & Own)[]; writes: (SeenWrite & Change)[] };
}

export function createRequestLog<Own extends object, Change extends object>(
  clock: VirtualClock,
): RequestLog<Own, Change> {
  const requests: (SeenRequest & Own)[] = [];
  const writes: (SeenWrite & Change)[] = [];
  return {
    open(arrived) {
      const entry = {
        n: requests.length + 1,
        at: clock.now(),
        realAt: clock.realNow(),
        ...arrived,
        status: null,
        decided: null,
        committed: false,
        fault: null,
      };
      requests.push(entry);
      return entry;
    },
    commit(entry, change) {
      entry.committed = true;
      writes.push({ request: entry.n, at: clock.now(), realAt: clock.realNow(), ...change });
    },
    history: () => structuredClone({ requests, writes }),
  };
}
