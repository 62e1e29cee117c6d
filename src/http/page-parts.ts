/** Small parts of the status page. `html` escapes every value that is put into it. */
import { html } from 'hono/html';
import type { CredentialState, CredentialStatus, CurrentVersionState, PreviousVersionState } from '../contract.js';
import { timelineOf } from './timeline.js';

export type Html = ReturnType<typeof html>;

const tones: Readonly<Record<CredentialStatus, 'good' | 'busy' | 'late' | 'bad'>> = {
  'needs-operator': 'bad',
  rotating: 'busy',
  paused: 'late',
  retiring: 'busy',
  new: 'late',
  idle: 'good',
};

export function badge(status: CredentialStatus): Html {
  return html`<span class="badge ${tones[status]}">${status}</span>`;
}

/** `2026-11-21 04:00:04 UTC (in 20 min)`; a dash for null. */
export function instant(iso: string | null, nowMs: number): Html {
  if (iso === null) return html`–`;
  const ms = Date.parse(iso);
  if (Number.isNaN(ms)) return html`${iso}`;
  return html`<time datetime="${iso}">${clock(ms)} UTC</time> <span class="dim">(${distance(ms - nowMs)})</span>`;
}

const clock = (ms: number): string => new Date(ms).toISOString().slice(0, 19).replace('T', ' ');

const units = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1_000],
] as const;

/** The largest unit of which there are at least two, so that 90 minutes are not "1 h". */
function distance(ms: number): string {
  const size = Math.abs(ms);
  const [unit, length] = units.find(([, unitMs]) => size >= 2 * unitMs) ?? units[3];
  const amount = `${Math.round(size / length)} ${unit}`;
  return ms < 0 ? `${amount} ago` : `in ${amount}`;
}

const WIDTH = 1_000;
const ROW = 34;

/** One bar a version: where two stand above each other, both keys work. */
export function timeline(state: CredentialState, nowMs: number): Html {
  const drawn = timelineOf(state, nowMs);
  if (drawn === null) return html`<p class="dim">No key yet: <code>keyturn import ${state.credentialId}</code></p>`;
  const { bars, now, fromMs, toMs } = drawn;
  const height = bars.length * ROW + 40;
  const labels = new Map([
    ...state.previous.map((one) => [one.version, previousLabel(one)] as const),
    ...(state.current === null ? [] : [[state.current.version, currentLabel(state.current)] as const]),
  ]);
  const x = (fraction: number): string => (fraction * WIDTH).toFixed(1);
  const rows = bars.map(({ version, kind, from, to, startsEarlier, endsLater }, row) => {
    const label = `${startsEarlier ? '‹ ' : ''}${labels.get(version) ?? `v${version}`}${endsLater ? ' ›' : ''}`;
    return html`<rect
        class="bar ${kind}"
        x="${x(from)}"
        y="${row * ROW + 4}"
        width="${x(Math.max(0.003, to - from))}"
        height="26"
        rx="4"
      />
      <text x="${x(Math.min(from, 0.6) + 0.008)}" y="${row * ROW + 22}">${label}</text>`;
  });
  return html`<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="lives of the keys">
    ${rows}
    <line class="axis" x1="0" x2="${WIDTH}" y1="${height - 35}" y2="${height - 35}" />
    <line class="now" x1="${x(now)}" x2="${x(now)}" y1="0" y2="${height - 35}" />
    <text class="dim" x="0" y="${height - 4}">${clock(fromMs)}</text>
    <text x="${x(now)}" y="${height - 20}" text-anchor="middle">now</text>
    <text class="dim" x="${WIDTH}" y="${height - 4}" text-anchor="end">${clock(toMs)}</text>
  </svg>`;
}

const currentLabel = ({ version, keyId, verified }: CurrentVersionState): string =>
  `v${version} · ${short(keyId)} · current${verified ? '' : ', unverified'}`;

function previousLabel({ version, keyId, retirement, leaked, waitingFor }: PreviousVersionState): string {
  const waits = waitingFor.length === 0 ? '' : `, waits for ${waitingFor.join(', ')}`;
  return `v${version} · ${short(keyId)} · ${retirement}${leaked ? ', leaked' : ''}${waits}`;
}

const short = (keyId: string): string => (keyId.length > 14 ? `${keyId.slice(0, 12)}…` : keyId);
