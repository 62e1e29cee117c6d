import { newRequestId, type KeyturnClient } from '../../client.js';
import type { Outcome, RotationFinished, StepState } from '../../contract.js';
import { KeyturnError } from '../../domain/errors.js';
import { plainLines } from '../../domain/foreignText.js';
import type { RotationRequest } from '../../domain/request.js';
import { credentialOf } from '../credential.js';
import type { Commands } from '../definitions.js';
import { dryRun } from '../dry-run.js';
import type { Action, Answer } from '../run.js';
import { withSession } from '../session.js';

type Flags = Commands['rotate']['flags'];

/** As long as `rotateCredential` waits. */
const DEFAULT_TIMEOUT_MS = 3_600_000;

const exits: Record<Outcome, number> = {
  rotated: 0,
  'rotated-with-debt': 0,
  skipped: 0,
  'rolled-back': 1,
  failed: 1,
  'needs-operator': 3,
  // Held by a pause until somebody resumes it.
  pending: 3,
};

export const run: Action<'rotate'> = async (context, [credentialId], flags) => {
  refuseContradictions(flags);
  return withSession(context, async (session) => {
    const credential = credentialOf(session.config, credentialId);
    const request: RotationRequest = {
      requestId: flags.requestId ?? newRequestId(),
      reason: flags.reason,
      source: 'operator',
      ...(flags.leakedVersion === undefined ? {} : { leakedVersion: flags.leakedVersion }),
    };
    if (flags.dryRun) return dryRun(context, session, credential, request);
    const client = await session.client();
    return flags.wait
      ? askAndWait(client, credentialId, request, flags.timeout ?? DEFAULT_TIMEOUT_MS)
      : ask(client, credentialId, request);
  });
};

function refuseContradictions({ reason, leakedVersion, wait, timeout }: Flags): void {
  if (leakedVersion !== undefined && reason !== 'compromise') {
    throw new KeyturnError('KT-USAGE', '--leaked-version needs --reason compromise');
  }
  if (timeout !== undefined && !wait) throw new KeyturnError('KT-USAGE', '--timeout needs --wait');
}

async function ask(client: KeyturnClient, credentialId: string, request: RotationRequest): Promise<Answer> {
  const { requestId, position, ended } = await client.rotateNow(credentialId, request);
  if (ended !== undefined) {
    const text = `${requestId} has ended already: ${ended.outcome}\n\`--wait\` tells more`;
    return { data: { credentialId, requestId, position, ended }, text };
  }
  const place = position === 0 ? 'first in line or being worked on' : `behind ${position} other(s)`;
  return {
    data: { credentialId, requestId, position },
    text: `accepted: ${requestId}, ${place}\n\`keyturn status ${credentialId} --watch\` shows what becomes of it`,
  };
}

async function askAndWait(
  client: KeyturnClient,
  credentialId: string,
  request: RotationRequest,
  timeoutMs: number,
): Promise<Answer> {
  const asked = await client.rotateNow(credentialId, request);
  const result = asked.ended ?? (await client.waitForRotation(credentialId, request, timeoutMs));
  const steps = await stepsOf(client, result);
  const isOld = asked.ended !== undefined;
  return { data: result, text: textOf(result, steps, isOld), exit: exits[result.outcome] };
}

/** For people, where it was the last rotation; a worker that has gone since takes nothing away from the outcome. */
async function stepsOf(client: KeyturnClient, result: RotationFinished): Promise<readonly StepState[]> {
  const last = await client.state(result.credentialId).then(
    ({ lastRotation }) => lastRotation,
    () => null,
  );
  return last?.requestId === (result.servedBy ?? result.requestId) ? last.steps : [];
}

function textOf(given: RotationFinished, steps: readonly StepState[], isOld: boolean): string {
  const result = plainLines(given);
  const { outcome, credentialId, version, keyId, skippedBecause, servedBy, error } = result;
  const why = skippedBecause ?? (error === undefined ? null : `${error.code} ${error.message}`);
  const key =
    version === null
      ? 'there is no key'
      : `version ${version} ${isOld ? 'was current when it ended' : 'is current'} (key ${keyId ?? 'forgotten'})`;
  const took = steps.map(({ step, startedAt, endedAt }) => `${step} ${Date.parse(endedAt) - Date.parse(startedAt)} ms`);
  return [
    `${credentialId}: ${outcome}${why === null ? '' : ` (${why})`}; ${key}`,
    ...(servedBy === undefined ? [] : [`part of the rotation ${servedBy}`]),
    ...(took.length === 0 ? [] : [`  ${took.join(', ')}`]),
    ...result.attention.map(({ code, message, command }) => `${code} ${message}\n  ${command}`),
  ].join('\n');
}
