import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { CredentialState, PreviousVersionState } from '../../src/contract.js';
import { statusPage } from '../../src/http/page.js';
import type { ListedState } from '../../src/http/states.js';
import { timelineOf } from '../../src/http/timeline.js';
import { emptyState, serve } from './http-harness.js';

const nowMs = Date.parse('2026-11-21T04:10:00.000Z');
const at = (minutes: number): string => new Date(nowMs + minutes * 60_000).toISOString();

const previous: PreviousVersionState = {
  version: 1,
  keyId: '8a80-old',
  fingerprint: 'hmac:91aa',
  publishedAt: at(-40_000),
  retirement: 'in-grace',
  revokeAt: at(15),
  providerDiesAt: null,
  diesAt: at(15),
  leaked: false,
  waitingFor: ['ack:billing'],
};

const retiring: CredentialState = {
  ...emptyState('core-prod'),
  status: 'retiring',
  current: {
    version: 2,
    keyId: '8a81-new',
    fingerprint: 'hmac:5f1c',
    publishedAt: at(-10),
    verified: true,
    verifiedAt: at(-10),
    expiresAt: null,
    secretKey: 'ok',
  },
  previous: [previous],
  nextRotationAt: at(1_430),
};

const page = async (...states: ListedState[]): Promise<string> => String(await statusPage(states, nowMs));

/** Text and markup that would run or break out wherever it is put unescaped. */
const evil = `"><script>alert(1)</script><img src=x onerror='alert(2)'>&`;

describe('the status page', () => {
  test('escapes every text that comes from outside', async () => {
    const error = { code: evil, message: evil };
    const poisoned: CredentialState = {
      ...retiring,
      credentialId: evil,
      provider: evil,
      current: retiring.current && { ...retiring.current, keyId: evil, publishedAt: evil, expiresAt: evil },
      previous: [{ ...previous, keyId: evil, waitingFor: [evil], diesAt: evil }],
      rotation: {
        ...{ requestId: evil, reason: 'routine', source: 'webhook', operationId: evil, step: 'plan', startedAt: evil },
        ...{ recovering: true, parked: true, waitingFor: [evil], nextAttemptAt: evil, lastError: error },
      },
      debts: [
        { kind: 'orphan', version: 1, keyId: evil, since: evil, attempts: 1, nextAttemptAt: evil, lastError: error },
      ],
      lastRotation: {
        ...{ requestId: evil, reason: 'routine', source: 'webhook', outcome: 'failed', version: 2 },
        ...{ startedAt: evil, endedAt: evil, error, steps: [] },
      },
      nextRotationAt: evil,
      paused: { since: evil, by: evil, reason: evil },
      attention: [{ code: evil, since: evil, message: evil, deadline: evil, command: evil }],
    };
    const text = await page(
      poisoned,
      { credentialId: evil, error: { ...error, hint: evil } },
      { ...poisoned, current: null, previous: [] },
    );
    expect(text).not.toContain('<script');
    expect(text).not.toContain('<img');
    expect(text).toContain('&lt;script&gt;alert(1)');
    expect(text.split(evil)).toHaveLength(1);
  });

  test('needs no script and loads nothing: its one style sheet is the one the policy allows', async () => {
    const { get } = await serve();
    const answer = await get('/');
    expect(answer.headers.get('content-type')).toBe('text/html; charset=UTF-8');
    const text = await answer.text();
    const [, style = ''] = /<style>([\s\S]*?)<\/style>/.exec(text) ?? [];
    const hash = createHash('sha256').update(style).digest('base64');
    expect(answer.headers.get('content-security-policy')).toContain(`style-src 'sha256-${hash}'`);
    expect(text).not.toMatch(/<script|<style>[\s\S]*<style|style="|https?:\/\/|\son\w+=/);
    expect(text).toContain('<meta http-equiv="refresh" content="5" />');
  });

  test('shows which key is current, which dies when, and what it waits for', async () => {
    const text = await page(retiring);
    expect(text).toContain('v2 · 8a81-new · current ›');
    expect(text).toContain('‹ v1 · 8a80-old · in-grace, waits for ack:billing');
    expect(text).toContain('2026-11-21 04:25:00 UTC</time> <span class="dim">(in 15 min)');
    expect(text).toContain('nothing to do');
  });

  test('says what needs a look and the command that mends it', async () => {
    const attention = [
      { code: 'KT-DEBT', since: at(-5), message: 'key x could not be removed', command: 'keyturn status core-prod' },
    ];
    const unanswered = {
      credentialId: 'other',
      error: { code: 'KT-NO-WORKER', message: 'no worker', hint: 'Start one.' },
    };
    const text = await page({ ...retiring, attention }, unanswered);
    expect(text).toContain('2 of 2 need a look');
    expect(text).toContain('<code>keyturn status core-prod</code>');
    expect(text).toContain('KT-NO-WORKER');
  });

  test('tells how to begin where there is no key or no credential', async () => {
    expect(await page(emptyState('core-prod'))).toContain('keyturn import core-prod');
    expect(await page()).toContain('There is no credential');
  });
});

describe('the timeline', () => {
  test.each([null, at(50_000)])(
    'shows the overlap even when the keys live for months, the new one until %s',
    (expiresAt) => {
      const drawn = timelineOf({ ...retiring, current: retiring.current && { ...retiring.current, expiresAt } }, nowMs);
      expect(drawn?.bars.map(({ version }) => version)).toEqual([1, 2]);
      const [old, current] = drawn?.bars ?? [];
      expect(old).toMatchObject({ from: 0, startsEarlier: true, endsLater: false });
      expect(current).toMatchObject({ to: 1, startsEarlier: false, endsLater: true });
      expect((old?.to ?? 0) - (current?.from ?? 1)).toBeGreaterThan(0.6);
      expect(drawn?.now).toBeGreaterThan(current?.from ?? 1);
      expect(drawn?.now).toBeLessThan(old?.to ?? 0);
    },
  );

  test('leaves the end open of a key that has none, such as a debt', () => {
    const debt: PreviousVersionState = { ...previous, retirement: 'debt', diesAt: null };
    expect(timelineOf({ ...retiring, previous: [debt] }, nowMs)?.bars[0]).toMatchObject({ to: 1, endsLater: true });
  });

  test('is null without a key and stays within its window for any instants', () => {
    expect(timelineOf(emptyState('a'), nowMs)).toBeNull();
    const odd = [at(-9_999_999), at(0), at(9_999_999), 'no time', null];
    for (const publishedAt of odd) {
      for (const diesAt of odd) {
        const drawn = timelineOf({ ...retiring, previous: [{ ...previous, publishedAt, diesAt }] }, nowMs);
        const numbers = drawn?.bars.flatMap(({ from, to }) => [from, to]) ?? [];
        for (const number of [...numbers, drawn?.now]) {
          expect(number).toBeGreaterThanOrEqual(0);
          expect(number).toBeLessThanOrEqual(1);
        }
      }
    }
  });
});
