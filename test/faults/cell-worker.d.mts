export interface CellWorkerSpec {
  readonly configFile: string;
  /** Of Temporal; default: that of the configuration. */
  readonly address?: string;
  /** What tells that the fault has struck. */
  readonly trigger?: CallTrigger | StoreTrigger;
  /** A door on `port` that leads to the simulator on port `leadsTo`. */
  readonly gate?: { readonly port: number; readonly leadsTo: number };
  /** By which its process ends or freezes itself right after the fault; absent: it does neither. */
  readonly signal?: 'SIGKILL' | 'SIGSTOP';
}

export interface CallTrigger {
  readonly kind: 'call';
  readonly method: string;
  /** Of the path without its query. */
  readonly pattern: string;
  readonly nth: number;
  readonly port: number;
  /** The door is shut while this call is made. */
  readonly refused: boolean;
}

export interface StoreTrigger {
  readonly kind: 'store';
  readonly operation: string;
  readonly fault: string;
}

export interface CellWorker {
  /** From now on the store does not answer for this long. */
  outFor(ms: number): void;
  operations(): Readonly<Record<string, number>>;
  inFlight(): number;
  readonly done: Promise<void>;
  shutdown(): void;
  stop(): Promise<void>;
}

export function startCellWorker(spec: CellWorkerSpec, onHit: () => void): Promise<CellWorker>;
