/** What the stand-ins for Temporal's libraries talk to: the world of the run at hand. Runs come one after the other. */
import type { ActivityOptions } from '@temporalio/common';

export interface Host {
  now(): number;
  condition(wake: () => boolean, timeoutMs: number | undefined): Promise<boolean>;
  activity(name: string, input: unknown, options: ActivityOptions): Promise<unknown>;
  handle(name: string, handler: Handler): void;
  uuid(): string;
  /** Events of the run, and whether the server asks for a new one. */
  info(): {
    readonly runId: string;
    readonly runStartTime: Date;
    readonly historyLength: number;
    readonly continueAsNewSuggested: boolean;
  };
}

export interface Handler {
  readonly run: (...args: unknown[]) => unknown;
  readonly validate: ((...args: unknown[]) => void) | undefined;
}

let current: Host | null = null;
const realNow = Date.now;

/** From here on workflow code belongs to this world and reads its clock. */
export function enter(host: Host): void {
  current = host;
  Date.now = () => host.now();
}

export function leave(): void {
  current = null;
  Date.now = realNow;
}

export function host(): Host {
  if (!current) throw new Error('workflow code runs outside of a world');
  return current;
}
