import { randomUUID } from 'node:crypto';
import type { KeyturnClient } from '../../client.js';
import type { CredentialState, LastRotationState, Outcome, RotationFinished, SkipReason } from '../../contract.js';
import { KeyturnError } from '../../domain/errors.js';
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
      requestId: flags.requestId ?? `operator/${randomUUID()}`,
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
  const { requestId, position } = await client.rotateNow(credentialId, request);
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
  const since = await lastRotation(client, credentialId);
  const { requestId } = await client.rotateNow(credentialId, request);
  const { state, ended } = await client.waitForRotation(credentialId, requestId, since, timeoutMs);
  const result = finished(request, state, ended);
  return { data: result, text: textOf(result, ended), exit: exits[result.outcome] };
}

/** Null, too, for an entity that the request will start. */
async function lastRotation(client: KeyturnClient, credentialId: string): Promise<LastRotationState | null> {
  try {
    return (await client.state(credentialId)).lastRotation;
  } catch (error) {
    if (error instanceof KeyturnError && error.code === 'KT-NOT-RUNNING') return null;
    throw error;
  }
}

/** What the workflow would answer to another workflow. */
function finished(request: RotationRequest, state: CredentialState, ended: LastRotationState | null): RotationFinished {
  const { credentialId, current, attention } = state;
  const version = {
    version: current?.version ?? null,
    keyId: current?.keyId ?? null,
    publishedAt: current?.publishedAt ?? null,
  };
  const common = { requestId: request.requestId, credentialId, ...version, attention };
  if (ended !== null) return { ...common, outcome: ended.outcome, ...(ended.error ? { error: ended.error } : {}) };
  if (current === null) {
    const message = `no key of ${credentialId} has been imported: \`keyturn import ${credentialId}\``;
    return { ...common, outcome: 'failed', error: { code: 'KT-NOT-IMPORTED', message } };
  }
  if (state.paused !== null && request.reason === 'compromise') return { ...common, outcome: 'pending' };
  return { ...common, outcome: 'skipped', skippedBecause: skipReason(request, state) };
}

function skipReason({ leakedVersion }: RotationRequest, { paused, current, attention }: CredentialState): SkipReason {
  if (paused !== null) return 'paused';
  if (attention.some(({ code }) => code === 'KT-NOT-IN-CONFIG')) return 'not-in-config';
  if (leakedVersion !== undefined && current !== null && leakedVersion < current.version)
    return 'only-old-versions-leaked';
  return 'duplicate';
}

function textOf(result: RotationFinished, ended: LastRotationState | null): string {
  const { outcome, credentialId, version, keyId, skippedBecause, error } = result;
  const why = skippedBecause ?? (error === undefined ? null : `${error.code} ${error.message}`);
  const key = version === null ? 'there is no key' : `version ${version} is current (key ${keyId})`;
  const steps = (ended?.steps ?? []).map(
    ({ step, startedAt, endedAt }) => `${step} ${Date.parse(endedAt) - Date.parse(startedAt)} ms`,
  );
  const joined =
    ended === null || ended.requestId === result.requestId ? [] : [`part of the rotation ${ended.requestId}`];
  return [
    `${credentialId}: ${outcome}${why === null ? '' : ` (${why})`}; ${key}`,
    ...joined,
    ...(steps.length === 0 ? [] : [`  ${steps.join(', ')}`]),
    ...result.attention.map(({ code, message, command }) => `${code} ${message}\n  ${command}`),
  ].join('\n');
}
