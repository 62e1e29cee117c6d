import type { VirtualClock } from '../shared/clock.js';

export type Plane = 'management' | 'runtime' | 'token';

export interface CredentialUse {
  kind: 'bearer' | 'basic' | 'api-key' | 'none';
  /** `expired`: it was good once. `unchecked`: the request never came as far as the check. */
  outcome: 'accepted' | 'refused' | 'expired' | 'unchecked';
}

/** One request as the simulator saw it. `at` is virtual time, `realAt` real time, both of the arrival. */
export interface RequestEntry {
  n: number;
  at: number;
  realAt: number;
  plane: Plane;
  method: string;
  /** Template such as `/organizations/{org}/developers/{developer}/apps/{app}/keys/{key}`; `unknown` for no such path. */
  route: string;
  /** With every consumer key written as `#SERIAL`, or `#?` for one that was never issued here. */
  path: string;
  action: string | null;
  contentType: string | null;
  credential: CredentialUse;
  /** Serial of the consumer key that the request is about. */
  serial: number | null;
  /** Message processor that served it, counted from 0. */
  processor: number | null;
  /** What went out on the wire; null while it is open and when no answer was sent. */
  status: number | null;
  /** What the system decided, also when a fault kept the answer from the client; null when it never decided. */
  decided: number | null;
  /** Code of the refusal or of the VerifyAPIKey fault. */
  code: string | null;
  committed: boolean;
  fault: string | null;
  bodySha256: string | null;
}

export type WriteKind =
  | 'create-key'
  | 'generate-key'
  | 'update-key'
  | 'replace-key'
  | 'approve-key'
  | 'revoke-key'
  | 'delete-key'
  | 'approve-product'
  | 'revoke-product'
  | 'remove-product'
  | 'update-app'
  | 'approve-app'
  | 'revoke-app';

/** One change made over the management API, with the serials of the keys that it touched. */
export interface WriteEntry {
  request: number;
  at: number;
  realAt: number;
  kind: WriteKind;
  app: string;
  serials: number[];
}

type Seen = Pick<
  RequestEntry,
  'plane' | 'method' | 'route' | 'path' | 'action' | 'contentType' | 'serial' | 'bodySha256'
>;

export interface RequestLog {
  open(seen: Seen): RequestEntry;
  commit(entry: RequestEntry, kind: WriteKind, app: string, serials: number[]): void;
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
        credential: { kind: 'none', outcome: 'unchecked' },
        processor: null,
        status: null,
        decided: null,
        code: null,
        committed: false,
        fault: null,
      };
      requests.push(entry);
      return entry;
    },
    commit(entry, kind, app, serials) {
      entry.committed = true;
      writes.push({ request: entry.n, at: clock.now(), realAt: clock.realNow(), kind, app, serials });
    },
    requests: () => requests,
    writes: () => writes,
  };
}
