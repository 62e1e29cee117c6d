import type { VirtualClock } from '../shared/clock.js';

export interface CredentialUse {
  kind: 'apiKey' | 'secretKey' | 'basic' | 'none';
  /** Serial of the key or secret key that was presented; null when the tenant never issued such a value. */
  serial: number | null;
  /** `expired`: it was good once. `unchecked`: the request never came as far as the check. */
  outcome: 'accepted' | 'refused' | 'expired' | 'unchecked';
}

/** One request as the tenant saw it. `at` is virtual time, `realAt` real time, both of the arrival. */
export interface RequestEntry {
  n: number;
  at: number;
  realAt: number;
  method: string;
  /** Template such as `/consumers/{id}/keys`; `unknown` for a path that the tenant does not have. */
  route: string;
  path: string;
  /** The consumer whose credential was accepted. */
  consumerId: string | null;
  credential: CredentialUse;
  idempotencyKey: string | null;
  /** What went out on the wire; null while it is open and when no answer was sent. */
  status: number | null;
  /** What the tenant decided, also when a fault kept the answer from the client; null when it never decided. */
  decided: number | null;
  /** It changed something. A replay does not. */
  committed: boolean;
  replayed: boolean;
  fault: string | null;
  bodySha256: string | null;
}

export type WriteKind =
  'create-consumer' | 'delete-consumer' | 'create-key' | 'delete-key' | 'create-secret' | 'rotate';

/** One change made over the API, with the serials of the credentials that it made or killed. */
export interface WriteEntry {
  request: number;
  at: number;
  realAt: number;
  kind: WriteKind;
  consumerId: string;
  serials: number[];
}

export interface RequestLog {
  open(seen: Pick<RequestEntry, 'method' | 'route' | 'path' | 'idempotencyKey' | 'bodySha256'>): RequestEntry;
  commit(entry: RequestEntry, kind: WriteKind, consumerId: string, serials: number[]): void;
  requests(): readonly RequestEntry[];
  writes(): readonly WriteEntry[];
}

export function createRequestLog(clock: VirtualClock): RequestLog {
  const requests: RequestEntry[] = [];
  const writes: WriteEntry[] = [];
  return {
    open(seen) {
      const entry: RequestEntry = {
        n: requests.length + 1,
        at: clock.now(),
        realAt: clock.realNow(),
        ...seen,
        consumerId: null,
        credential: { kind: 'none', serial: null, outcome: 'unchecked' },
        status: null,
        decided: null,
        committed: false,
        replayed: false,
        fault: null,
      };
      requests.push(entry);
      return entry;
    },
    commit(entry, kind, consumerId, serials) {
      entry.committed = true;
      writes.push({ request: entry.n, at: clock.now(), realAt: clock.realNow(), kind, consumerId, serials });
    },
    requests: () => requests,
    writes: () => writes,
  };
}
