/** The state of a credential for people: what is current, what dies, and a timeline of what was and what comes. */
import type { CredentialState, LastRotationState } from '../contract.js';
import { attentionText } from './attention-text.js';
import { plainLines } from '../domain/foreignText.js';
import type { Output, Style } from './output.js';
import { table } from './table.js';
import { distanceText, instantText } from './when.js';

type Paint = Pick<Output, 'style'>;

const styles: Record<CredentialState['status'], Style> = {
  'needs-operator': 'red',
  rotating: 'yellow',
  paused: 'yellow',
  retiring: 'green',
  new: 'dim',
  idle: 'green',
};

/** All credentials, one a line. */
export function statesTable(states: readonly CredentialState[], nowMs: number, paint: Paint): string {
  const rows = states
    .map(plainLines)
    .map((state) => [
      paint.style('bold', state.credentialId),
      paint.style(styles[state.status], state.status),
      state.current === null ? '-' : `v${state.current.version}`,
      state.previous
        .map((old) => `v${old.version} ${old.diesAt === null ? old.retirement : distanceText(old.diesAt, nowMs)}`)
        .join(', ') || '-',
      state.nextRotationAt === null
        ? '-'
        : `${instantText(state.nextRotationAt)} (${distanceText(state.nextRotationAt, nowMs)})`,
      state.attention.map(({ code }) => paint.style('red', code)).join(' ') || '-',
    ]);
  return table(['CREDENTIAL', 'STATUS', 'CURRENT', 'DYING', 'NEXT ROTATION', 'ATTENTION'], rows);
}

/** One credential, everything. */
export function stateText(given: CredentialState, nowMs: number, paint: Paint): string {
  const state = plainLines(given);
  const kind = [state.provider, state.capability === null ? null : `class ${state.capability}`].filter(
    (part) => part !== null,
  );
  const blocks = [
    `${paint.style('bold', state.credentialId)}  ${paint.style(styles[state.status], state.status)}  ${paint.style('dim', kind.join(', '))}`.trimEnd(),
    versionsTable(state, paint),
    ...rotationText(state, nowMs),
    timeline(state, nowMs, paint),
    comparedText(state, nowMs),
    ...state.attention.map((one) => attentionText(one, state, nowMs, paint)),
  ];
  return blocks.filter((block) => block !== '').join('\n\n');
}

function versionsTable({ credentialId, current, previous }: CredentialState, paint: Paint): string {
  const rows = previous.map((old) => [
    `v${old.version}`,
    [old.retirement, ...(old.leaked ? ['leaked'] : [])].join(', '),
    old.keyId,
    old.diesAt === null ? 'not known' : instantText(old.diesAt),
    old.waitingFor.join(', ') || '-',
  ]);
  if (current !== null) {
    const notes = [
      current.verified ? 'verified' : 'not verified',
      ...(current.secretKey === 'lost' ? ['secret key lost'] : []),
    ];
    const end = current.expiresAt === null ? '-' : instantText(current.expiresAt);
    rows.unshift([
      `v${current.version}`,
      paint.style('green', `current, ${notes.join(', ')}`),
      current.keyId,
      end,
      '-',
    ]);
  }
  return rows.length === 0
    ? `no key yet: \`keyturn import ${credentialId}\``
    : table(['VERSION', 'STATE', 'KEY', 'ENDS', 'WAITS FOR'], rows);
}

function rotationText({ rotation, paused, pendingRequests }: CredentialState, nowMs: number): readonly string[] {
  const lines: string[] = [];
  if (rotation !== null) {
    const { step, reason, source, parked, recovering, nextAttemptAt, lastError, waitingFor } = rotation;
    lines.push(
      `rotating: step ${step} (${reason}, ${source})${recovering ? ', recovering a lost answer' : ''}${parked ? ', parked' : ''}`,
      ...(waitingFor.length > 0 ? [`  waits for ${waitingFor.join(', ')}`] : []),
      ...(nextAttemptAt === undefined ? [] : [`  next attempt ${distanceText(nextAttemptAt, nowMs)}`]),
      ...(lastError === undefined ? [] : [`  ${lastError.code} ${lastError.message}`]),
    );
  }
  if (paused !== null)
    lines.push(
      `paused ${distanceText(paused.since, nowMs)} by ${paused.by ?? 'unknown'}${paused.reason === null ? '' : `: ${paused.reason}`}`,
    );
  if (pendingRequests > 0) lines.push(`${pendingRequests} request(s) waiting`);
  return lines.length === 0 ? [] : [lines.join('\n')];
}

function comparedText({ reconciledAt }: CredentialState, nowMs: number): string {
  return reconciledAt === null ? '' : `compared with the provider ${distanceText(reconciledAt, nowMs)}`;
}

interface Event {
  readonly at: string;
  readonly what: string;
}

function timeline(state: CredentialState, nowMs: number, paint: Paint): string {
  const { current, previous, lastRotation, lastSkipped, rotation, nextRotationAt, debts } = state;
  const events: Event[] = [
    ...(current === null ? [] : [{ at: current.publishedAt, what: `version ${current.version} published` }]),
    ...(current?.expiresAt
      ? [{ at: current.expiresAt, what: `version ${current.version} expires at the provider` }]
      : []),
    ...previous.flatMap((old): Event[] => (old.diesAt === null ? [] : [{ at: old.diesAt, what: endOf(old) }])),
    ...(lastRotation === null ? [] : [{ at: lastRotation.endedAt, what: endText(lastRotation) }]),
    ...(lastSkipped === null ? [] : [{ at: lastSkipped.at, what: skipText(lastSkipped) }]),
    ...(rotation === null
      ? []
      : [{ at: rotation.startedAt, what: `rotation began (${rotation.reason}, ${rotation.source})` }]),
    ...(nextRotationAt === null ? [] : [{ at: nextRotationAt, what: 'next rotation' }]),
    ...debts.flatMap(({ nextAttemptAt, kind, keyId }): Event[] =>
      nextAttemptAt === null ? [] : [{ at: nextAttemptAt, what: `next attempt at the ${kind} of ${keyId}` }],
    ),
  ];
  if (events.length === 0) return '';
  const lines = [...events, { at: new Date(nowMs).toISOString(), what: '' }]
    .toSorted((a, b) => Date.parse(a.at) - Date.parse(b.at))
    .map(({ at, what }) => {
      if (what === '') return paint.style('bold', `  ${instantText(at)}  now`);
      const isPast = Date.parse(at) < nowMs;
      return paint.style(isPast ? 'dim' : 'bold', `  ${instantText(at)}  ${what} (${distanceText(at, nowMs)})`);
    });
  return lines.join('\n');
}

function endOf({ version, retirement, waitingFor }: CredentialState['previous'][number]): string {
  if (retirement === 'held') return `version ${version} revoked, to be removed`;
  if (retirement === 'revoking') return `version ${version} is being removed`;
  return `version ${version} dies${waitingFor.length > 0 ? ' at the latest' : ''}`;
}

function endText({ outcome, reason, source, error }: LastRotationState): string {
  return `last rotation ended: ${outcome} (${reason}, ${source})${error === undefined ? '' : ` ${error.code} ${error.message}`}`;
}

function skipText({ because, reason, source }: NonNullable<CredentialState['lastSkipped']>): string {
  return `last request skipped: ${because} (${reason}, ${source})`;
}
