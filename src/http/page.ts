/** `GET /`: the state of every credential for human eyes. Rendered here, without scripts; it reloads itself. */
import { html } from 'hono/html';
import type { Attention, CredentialState, DebtState, LastRotationState, RotationState } from '../contract.js';
import { plainLines } from '../domain/foreignText.js';
import { badge, type Html, instant, timeline } from './page-parts.js';
import { styleElement } from './page-style.js';
import type { ListedState, UnansweredState } from './states.js';

const RELOAD_SECONDS = 5;

export function statusPage(states: readonly ListedState[], nowMs: number): Html {
  const alarming = states.filter((one) => 'error' in one || one.attention.length > 0).length;
  const summary = alarming === 0 ? 'nothing to do' : `${alarming} of ${states.length} need a look`;
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta http-equiv="refresh" content="${RELOAD_SECONDS}" />
        <link rel="icon" href="data:," />
        <title>keyturn: ${summary}</title>
        ${styleElement}
      </head>
      <body>
        <header>
          <h1>keyturn</h1>
          <span class="${alarming === 0 ? 'good' : 'bad'}">${summary}</span>
          <span class="dim">${new Date(nowMs).toISOString().slice(0, 19).replace('T', ' ')} UTC</span>
        </header>
        <main>
          ${states.length === 0 ? html`<p>There is no credential in keyturn.yaml.</p>` : states.map((one) => card(one, nowMs))}
        </main>
      </body>
    </html>`;
}

function card(given: ListedState, nowMs: number): Html {
  const listed = plainLines(given);
  return 'error' in listed ? unansweredCard(listed) : credentialCard(listed, nowMs);
}

function unansweredCard({ credentialId, error }: UnansweredState): Html {
  return html`<article id="${credentialId}">
    <header>
      <h2>${credentialId}</h2>
      <span class="badge bad">no answer</span>
    </header>
    <p><code>${error.code}</code> ${error.message}</p>
    <p class="dim">${error.hint}</p>
  </article>`;
}

function credentialCard(state: CredentialState, nowMs: number): Html {
  const { credentialId, provider, capability, status, rotation, attention, debts } = state;
  return html`<article id="${credentialId}">
    <header>
      <h2>${credentialId}</h2>
      <span class="dim">${provider ?? ''}${capability === null ? '' : ` · class ${capability}`}</span>
      ${badge(status)}
    </header>
    ${timeline(state, nowMs)} ${rotation === null ? '' : html`<p>${rotationLine(rotation, nowMs)}</p>`}
    <dl>
      ${factsOf(state, nowMs).map(
        ([name, value]) =>
          html`<dt>${name}</dt>
            <dd>${value}</dd>`,
      )}
    </dl>
    ${list('Attention', attention, (one) => attentionLine(one, nowMs))}
    ${list('Debts', debts, (one) => debtLine(one, nowMs))}
  </article>`;
}

function factsOf(state: CredentialState, nowMs: number): readonly (readonly [string, Html])[] {
  const { current, previous, paused, pendingRequests, lastRotation, lockout } = state;
  const facts: (readonly [string, Html])[] = [];
  if (current !== null) {
    const { version, keyId, publishedAt, expiresAt } = current;
    const since = instant(publishedAt, nowMs);
    facts.push(['current', html`version ${version}, key <code>${keyId}</code>, since ${since}`]);
    if (expiresAt !== null) facts.push(['expires', instant(expiresAt, nowMs)]);
  }
  for (const { version, retirement, diesAt } of previous) {
    const death = diesAt === null ? 'when it can be removed' : instant(diesAt, nowMs);
    facts.push([`version ${version}`, html`${retirement}, dies ${death}`]);
  }
  if (paused !== null) {
    const { since, by, reason } = paused;
    const who = `${by === null ? '' : ` by ${by}`}${reason === null ? '' : `: ${reason}`}`;
    facts.push(['paused', html`since ${instant(since, nowMs)}${who}`]);
  }
  if (pendingRequests > 0) facts.push(['queue', html`${pendingRequests} waiting`]);
  facts.push(['next rotation', instant(state.nextRotationAt, nowMs)]);
  if (lastRotation !== null) facts.push(['last rotation', lastRotationLine(lastRotation, nowMs)]);
  if (lockout !== null && lockout.used + lockout.reserved > 0) {
    facts.push(['lockout', html`${lockout.used} used, ${lockout.reserved} reserved of ${lockout.limit}`]);
  }
  return facts;
}

function list<T>(title: string, items: readonly T[], show: (item: T) => Html): Html | string {
  if (items.length === 0) return '';
  return html`<h3>${title}</h3>
    <ul>
      ${items.map((item) => html`<li>${show(item)}</li>`)}
    </ul>`;
}

function rotationLine(now: RotationState, nowMs: number): Html {
  const { step, reason, source, startedAt, recovering, parked, waitingFor, nextAttemptAt, lastError } = now;
  const how = [recovering ? 'recovering a lost answer' : '', parked ? 'parked' : ''].filter((text) => text !== '');
  return html`Rotating: step <strong>${step}</strong> (${reason}, ${source}), since ${instant(startedAt, nowMs)}
    ${how.join(', ')} ${waitingFor.length === 0 ? '' : `waits for ${waitingFor.join(', ')}`}
    ${nextAttemptAt === undefined ? '' : html`next attempt ${instant(nextAttemptAt, nowMs)}`}
    ${lastError === undefined ? '' : html`<code>${lastError.code}</code> ${lastError.message}`}`;
}

function lastRotationLine(last: LastRotationState, nowMs: number): Html {
  const { outcome, reason, source, endedAt, steps, error } = last;
  const seconds = (step: (typeof steps)[number]): string =>
    ((Date.parse(step.endedAt) - Date.parse(step.startedAt)) / 1_000).toFixed(1);
  return html`<strong>${outcome}</strong> (${reason}, ${source}), ${instant(endedAt, nowMs)}
    <span class="dim">${steps.map((step) => `${step.step} ${seconds(step)} s`).join(' · ')}</span>
    ${error === undefined ? '' : html`<code>${error.code}</code> ${error.message}`}`;
}

function attentionLine({ code, message, deadline, command }: Attention, nowMs: number): Html {
  return html`<code class="bad">${code}</code>
    ${message}${deadline === undefined ? '' : html`, until ${instant(deadline, nowMs)}`}: <code>${command}</code>`;
}

function debtLine({ kind, keyId, since, attempts, nextAttemptAt, lastError }: DebtState, nowMs: number): Html {
  return html`${kind} <code>${keyId}</code> since ${instant(since, nowMs)}, ${attempts} attempts, next
    ${instant(nextAttemptAt, nowMs)}
    ${lastError === null ? '' : html`<code>${lastError.code}</code> ${lastError.message}`}`;
}
