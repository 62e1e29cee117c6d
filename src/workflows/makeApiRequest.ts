import { ApplicationFailure } from '@temporalio/workflow';
import type { MakeApiRequestInput, MakeApiRequestOutput } from '../contract.js';
import { pathProblem } from '../domain/requestPath.js';
import { calls } from './activities.js';

/**
 * Example of a process that uses the credential: one HTTP call with the current key, whose answer enters this workflow's history.
 * When the key was refused because it has just been replaced, the new one is read and the call made once more.
 */
export async function makeApiRequest(input: MakeApiRequestInput): Promise<MakeApiRequestOutput> {
  const method = (input.method ?? 'GET').toUpperCase();
  const problem = pathProblem(input.path);
  if (problem) throw ApplicationFailure.nonRetryable(`path ${problem}`, 'KT-INPUT');
  const first = await calls('call').makeApiRequest({ ...input, method });
  const stale = first?.refused ? first.version : null;
  const last =
    stale === null
      ? first
      : ((await calls('call with the new key').makeApiRequest({ ...input, method, unlessVersion: stale })) ?? first);
  if (!last) throw ApplicationFailure.nonRetryable('there is no current key', 'KT-NOT-IMPORTED');
  return { status: last.status, body: last.body };
}
