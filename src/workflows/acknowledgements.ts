/** A consumer's word that it uses a version: believed of consumers and versions that are known. */
import { log } from '@temporalio/workflow';
import type { Acknowledgement } from '../contract.js';
import type { LaneState } from '../domain/lane.js';
import { currentOf, previousOf } from '../domain/record.js';

/** Before the first load nothing is known: so many are kept until then, of whomever. */
const MAX_UNCHECKED = 100;

export function acknowledge(lane: LaneState, ack: Acknowledgement): void {
  const unchecked = lane.installationId === null;
  const problem = unchecked ? (formProblem(ack) ?? crowdProblem(lane)) : acknowledgementProblem(lane, ack);
  if (problem) return log.warn('an acknowledgement was ignored', { problem });
  lane.notes.push({ kind: 'acknowledge', consumer: ack.consumer, version: ack.version, atMs: Date.now() });
}

/** To be called as the first load arrives: what earlier runs have kept without it is checked, before anything is written. */
export function checkKept(lane: LaneState): void {
  lane.notes = lane.notes.filter((note) => {
    const problem = note.kind === 'acknowledge' ? acknowledgementProblem(lane, note) : null;
    if (problem) log.warn('an acknowledgement was ignored', { problem });
    return problem === null;
  });
}

function formProblem(ack: Acknowledgement | undefined): string | null {
  return typeof ack?.consumer === 'string' && Number.isInteger(ack.version) ? null : 'consumer and version are needed';
}

function crowdProblem({ notes }: LaneState): string | null {
  return notes.length < MAX_UNCHECKED ? null : 'too many came before the record could be read';
}

function acknowledgementProblem(lane: LaneState, ack: Acknowledgement): string | null {
  const form = formProblem(ack);
  if (form !== null) return form;
  const named = lane.policy?.consumers.some((c) => c.name === ack.consumer) ?? false;
  const awaited = lane.view
    ? previousOf(lane.view).some((v) => v.retirement?.consumers.some((c) => c.name === ack.consumer))
    : false;
  if (!named && !awaited) return 'no such consumer';
  const current = lane.view ? currentOf(lane.view) : undefined;
  return current && ack.version <= current.version ? null : 'no such published version';
}
