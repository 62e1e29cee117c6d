/** The markdown that Temporal's UI and `temporal workflow metadata` show as current details. */
import { plainMarkdown } from '../domain/foreignText.js';
import type { CredentialState } from '../domain/state.js';

export function timeline(given: CredentialState): string {
  const state = plainMarkdown(given);
  const { current, rotation } = state;
  const lines = [`**${state.credentialId}** · ${state.status}`, ''];
  lines.push('| version | key | state | until |', '|---|---|---|---|');
  if (current) {
    const proof = current.verified ? 'current, verified' : 'current, **not verified**';
    lines.push(`| ${current.version} | \`${current.keyId}\` | ${proof} | ${current.expiresAt ?? 'no expiry'} |`);
  }
  for (const old of state.previous) {
    const waits = old.waitingFor.length > 0 ? `, waits for ${old.waitingFor.join(', ')}` : '';
    lines.push(
      `| ${old.version} | \`${old.keyId}\` | ${old.retirement}${old.leaked ? ', leaked' : ''}${waits} | ${old.diesAt ?? 'removed'} |`,
    );
  }
  lines.push('');
  if (rotation) {
    const parked = rotation.parked ? `, parked until ${rotation.nextAttemptAt ?? 'approval'}` : '';
    lines.push(
      `Rotation since ${rotation.startedAt}: step **${rotation.step}**${rotation.recovering ? ', recovering a lost answer' : ''}${parked}`,
    );
    if (rotation.lastError) lines.push(`Last error: ${rotation.lastError.code} ${rotation.lastError.message}`);
  }
  if (state.lastRotation) {
    const { outcome, endedAt, source, reason } = state.lastRotation;
    lines.push(`Last rotation: ${outcome} at ${endedAt} (${reason}, ${source})`);
  }
  lines.push(`Next rotation: ${state.nextRotationAt ?? 'none planned'}`);
  for (const a of state.attention) {
    lines.push(`- **${a.code}** ${a.message}${a.deadline ? `, deadline ${a.deadline}` : ''}: \`${a.command}\``);
  }
  return lines.join('\n');
}
