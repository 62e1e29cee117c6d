/** What was seen from outside during a run: the invariants judge nothing else but this, the disk and the provider's truth. */
import type { Opened } from '../../src/custody/custody.js';
import type { RotationRequest } from '../../src/domain/request.js';
import type { Departure } from './attempt.js';
import type { Answer } from './system.js';

export interface Arrival extends Departure {
  readonly answer: Answer;
  /** The record when it arrived. */
  readonly found: Opened | null;
  /** The provider accepted the value that the record calls current. */
  readonly currentWorks: boolean;
}

let order = 0;
/** What happens at the same instant still happens one after the other. */
export const nextOrder = (): number => ++order;

export class Trace {
  readonly departures: Departure[] = [];
  readonly arrivals: Arrival[] = [];
  readonly requests: { readonly request: RotationRequest; readonly atMs: number }[] = [];
  readonly acks: { readonly consumer: string; readonly version: number; readonly atMs: number }[] = [];
  /** Spans in which no worker ran. */
  readonly away: { readonly fromMs: number; readonly toMs: number }[] = [];
  /** What steps have returned to the workflow. */
  readonly results: unknown[] = [];
  /** What the environment did, in words. */
  readonly happened: { readonly atMs: number; readonly order: number; readonly what: string }[] = [];
  /** Errors of the product's own code. */
  readonly defects: string[] = [];
}
