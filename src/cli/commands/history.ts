import type { LastRotationState } from '../../contract.js';
import { KeyturnError } from '../../domain/errors.js';
import { iso } from '../../domain/instant.js';
import { lastRotationState } from '../../domain/projection.js';
import type { DestroyedFacts } from '../../domain/record.js';
import { credentialOf } from '../credential.js';
import type { Action } from '../run.js';
import { withSession } from '../session.js';
import { table } from '../table.js';
import { instantText } from '../when.js';

/** From the store: it answers while Temporal and every worker are down, and after the workflow was terminated. */
export const run: Action<'history'> = async (context, [credentialId]) =>
  withSession(context, async (session) => {
    const { custody } = await session.vault();
    if (!(await custody.list()).includes(credentialId)) credentialOf(session.config, credentialId);
    const opened = await custody.read(credentialId);
    if (!opened) throw new KeyturnError('KT-NOT-IMPORTED', `no key of ${credentialId} has been imported`);
    const rotations = opened.record.history.map(lastRotationState);
    const destroyed = opened.record.destroyed.map(destroyedState);
    return { data: { credentialId, rotations, destroyed }, text: textOf(rotations, destroyed) };
  });

type Destroyed = Omit<DestroyedFacts, 'destroyedAtMs'> & { readonly destroyedAt: string };

function destroyedState({ version, keyId, fingerprint, destroyedAtMs, proof }: DestroyedFacts): Destroyed {
  return { version, keyId, fingerprint, destroyedAt: iso(destroyedAtMs), proof };
}

function textOf(rotations: readonly LastRotationState[], destroyed: readonly Destroyed[]): string {
  if (rotations.length + destroyed.length === 0) return 'no rotation yet';
  const rotationRows = rotations.map(({ endedAt, outcome, version, reason, source, startedAt, error, requestId }) => [
    instantText(endedAt),
    outcome,
    version === null ? '-' : `v${version}`,
    `${reason}, ${source}`,
    `${((Date.parse(endedAt) - Date.parse(startedAt)) / 1_000).toFixed(1)}s`,
    error === undefined ? '-' : error.code,
    requestId,
  ]);
  const destroyedRows = destroyed.map(({ version, keyId, destroyedAt, proof }) => [
    `v${version}`,
    keyId,
    instantText(destroyedAt),
    proof,
  ]);
  const blocks = [
    table(['ENDED', 'OUTCOME', 'CURRENT', 'WHY', 'TOOK', 'ERROR', 'REQUEST'], rotationRows),
    ...(destroyed.length === 0 ? [] : [table(['DESTROYED', 'KEY', 'AT', 'PROOF'], destroyedRows)]),
  ];
  return blocks.join('\n\n');
}
