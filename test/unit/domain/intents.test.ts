import { describe, expect, test } from 'vitest';
import {
  compensate,
  disown,
  expireOpenIntents,
  intend,
  nextIntentN,
  notFound,
  raiseEpoch,
  reopen,
  settle,
} from '../../../src/domain/intents.js';
import { MAX_KEYLESS_REPLAYS } from '../../../src/domain/recovery.js';
import type { CredentialRecord, IntentFacts } from '../../../src/domain/record.js';
import {
  after,
  classD,
  hour,
  intentFacts,
  minute,
  recordOf,
  second,
  t0,
  version,
  versionFacts,
  working,
} from './facts.js';

const lost = expect.objectContaining({ kind: 'lost' });
const settledAs = (settled: IntentFacts['settled'], over: Partial<IntentFacts> = {}): CredentialRecord => ({
  ...working(),
  intents: [intentFacts(1, { settled, ...over })],
});
const inPlace = (over: Partial<IntentFacts> = {}): IntentFacts => intentFacts(1, { kind: 'rotate', ...over });

describe('an intent', () => {
  test('is written once: the same again is done, another one with its number loses', () => {
    const record = after(intend(working(), intentFacts(1)));
    expect(intend(record, intentFacts(1))).toEqual({ kind: 'done' });
    expect(intend(record, intentFacts(1, { idempotencyKey: 'other' }))).toEqual(lost);
  });

  test('is not written beside one that may still be sent', () => {
    expect(intend(settledAs('open'), intentFacts(2))).toEqual(lost);
    expect(intend(settledAs('unknown'), intentFacts(2))).toMatchObject({ kind: 'next' });
  });

  test('of a stale operation or epoch loses', () => {
    expect(intend(recordOf(), intentFacts(1))).toEqual(lost);
    expect(intend(working({ operationId: 'op-b' }), intentFacts(1))).toEqual(lost);
    expect(intend(raiseEpoch(working()), intentFacts(1))).toEqual(lost);
  });

  test('is not written any more once the rotation is being taken back', () => {
    expect(intend(working({ compensating: true }), intentFacts(1))).toEqual(lost);
  });

  test('that was surely not sent makes way, so that an outage of days does not fill the record', () => {
    let record = settledAs('unknown');
    for (let i = 0; i < 2_000; i++) {
      const intent = intentFacts(nextIntentN(record));
      record = after(settle(after(intend(record, intent)), intent, 'not-sent'));
    }
    expect(record.intents.map((i) => i.settled)).toEqual(['unknown', 'not-sent']);
    expect(record.intents.map((i) => i.n)).toEqual([1, 2_001]);
  });
});

describe('the old key’s life under a rotation in place', () => {
  const graceMs = 30 * minute;
  const life = (r: CredentialRecord): number | null => version(r, 1).providerDiesAtMs;
  const sent = (record = working({ strategy: classD })): CredentialRecord => after(intend(record, inPlace()));

  test('ends at the earliest instant of sending + the tenant’s grace, as soon as the intent is written', () => {
    expect(life(sent())).toBe(t0 + graceMs);
    expect(life(after(settle(sent(), inPlace(), 'unknown')))).toBe(t0 + graceMs);
    expect(life(after(settle(sent(), inPlace(), 'answered')))).toBe(t0 + graceMs);
  });

  test.each(['not-sent', 'refused'] as const)('is given back when the call was %s', (settled) => {
    expect(life(after(settle(sent(), inPlace(), settled)))).toBeNull();
  });

  test('is not given back while an earlier rotation of this operation may have been executed', () => {
    const record = after(settle(sent(), inPlace(), 'unknown'));
    const again = inPlace({ n: 2 });
    const second = after(settle(after(intend(record, again)), again, 'not-sent'));
    expect(life(second)).toBe(t0 + graceMs);
  });

  test('is given back when the rotation was refused, whatever became of a key made beside it', () => {
    const record = { ...working({ strategy: classD }), intents: [intentFacts(1, { settled: 'unknown' })] };
    const rotate = inPlace({ n: 2 });
    expect(life(after(settle(after(intend(record, rotate)), rotate, 'refused')))).toBeNull();
  });

  test('is not given back by a create that was refused, and no key need be left', () => {
    const record = recordOf({ versions: [versionFacts(1, { providerDiesAtMs: t0 + graceMs })] });
    const create = intentFacts(1);
    const bounded = after(intend(working({ strategy: classD }, record), create));
    expect(life(after(settle(bounded, create, 'refused')))).toBe(t0 + graceMs);
    expect(settle({ ...sent(), versions: [] }, inPlace(), 'refused')).toMatchObject({ kind: 'next' });
  });

  test('keeps the bound that an earlier operation has left behind', () => {
    const bound = t0 + 10 * minute;
    const record = recordOf({ versions: [versionFacts(1, { providerDiesAtMs: bound })] });
    const next = sent(working({ strategy: classD }, record));
    expect(life(next)).toBe(bound);
    expect(life(after(settle(next, inPlace(), 'not-sent')))).toBe(bound);
  });

  test('is bounded anew once the key has outlived such a bound: that rotation never happened', () => {
    const boundMs = t0 - minute;
    const base = recordOf({ versions: [versionFacts(1, { providerDiesAtMs: boundMs })] });
    const sentAt = (createdAtMs: number): CredentialRecord =>
      after(intend(working({ strategy: classD }, base), inPlace({ createdAtMs })));
    expect(life(sentAt(t0))).toBe(t0 + graceMs);
    const outlivedMs = boundMs + classD.timing.skewMs;
    expect(life(sentAt(outlivedMs))).toBe(outlivedMs + graceMs);
    expect(life(sentAt(boundMs + classD.timing.skewMs - 1)), 'the clocks may differ').toBe(boundMs);
  });

  test('is never touched by creating a key beside it', () => {
    expect(life(after(intend(working({ strategy: classD }), intentFacts(1))))).toBeNull();
    expect(life(after(intend(working(), inPlace())))).toBeNull();
  });
});

describe('settling', () => {
  test('twice is done; a settled intent does not change its mind', () => {
    const record = after(settle(settledAs('open'), intentFacts(1), 'unknown'));
    expect(settle(record, intentFacts(1), 'unknown')).toEqual({ kind: 'done' });
    expect(settle(record, intentFacts(1), 'not-sent')).toEqual(lost);
    expect(settle(settledAs('answered'), intentFacts(1), 'refused')).toEqual(lost);
  });

  test('by an attempt of another operation never settles the intent with the same number', () => {
    expect(settle(settledAs('open'), intentFacts(1, { operationId: 'op-old' }), 'not-sent')).toEqual(lost);
    expect(settle(recordOf(), intentFacts(1), 'not-sent')).toEqual(lost);
  });

  test('by an attempt that was given up never settles the attempt that has taken over', () => {
    const first = intentFacts(1);
    const given = expireOpenIntents(raiseEpoch(settledAs('open')), t0 + hour);
    const resent = after(reopen(given, 'op-a', 1, t0 + hour));
    expect(resent.intents).toMatchObject([{ settled: 'open', epoch: 1, sends: 2, sendBeforeMs: t0 + hour }]);
    expect(settle(resent, first, 'not-sent')).toEqual(lost);
    expect(settle(resent, { ...first, epoch: 1 }, 'unknown')).toMatchObject({ kind: 'next' });
  });
});

describe('a value that was chosen for a key', () => {
  test('is known to be in use once an answer has said so', () => {
    const taken = after(settle(settledAs('open'), intentFacts(1), 'unknown', 'taken'));
    expect(taken.intents).toMatchObject([{ settled: 'unknown', taken: true }]);
    for (const hint of [null, 'keyless'] as const) {
      expect(after(settle(settledAs('open'), intentFacts(1), 'unknown', hint)).intents[0]).not.toHaveProperty('taken');
    }
  });

  test('and that was looked for in vain made no key, of an unknown intent of the operation at work only', () => {
    const record = { ...settledAs('unknown'), intents: [intentFacts(1, { settled: 'unknown' }), intentFacts(2)] };
    const [absent, other] = after(notFound(record, 'op-a', 1, false)).intents;
    expect(absent).toEqual({ ...record.intents[0], absent: true });
    expect(other).toEqual(record.intents[1]);
    expect(after(notFound(record, 'op-a', 1, true)).intents[0]).toMatchObject({ absent: true, taken: true });
    expect(notFound(record, 'op-a', 2, false)).toEqual(lost);
    expect(notFound(record, 'op-a', 3, false)).toEqual(lost);
    expect(notFound(record, 'op-b', 1, false)).toEqual(lost);
    expect(notFound(compensate(record, 'op-a', t0), 'op-a', 1, false)).toEqual(lost);
  });
});

describe('sending the stored bytes again', () => {
  test('is for unknown intents of the operation at work only', () => {
    expect(reopen(settledAs('unknown'), 'op-a', 1, t0)).toMatchObject({ kind: 'next' });
    for (const settled of ['open', 'not-sent', 'answered', 'refused'] as const)
      expect(reopen(settledAs(settled), 'op-a', 1, t0)).toEqual(lost);
    expect(reopen(settledAs('unknown'), 'op-b', 1, t0)).toEqual(lost);
    expect(reopen(settledAs('unknown'), 'op-a', 2, t0)).toEqual(lost);
  });

  test('keeps the idempotency key and the time the window counts from', () => {
    const [before] = settledAs('unknown').intents;
    const [now] = after(reopen(settledAs('unknown'), 'op-a', 1, t0 + hour)).intents;
    expect(now).toMatchObject({ idempotencyKey: before?.idempotencyKey, createdAtMs: before?.createdAtMs });
  });

  test('waits for another attempt and stops when the rotation is taken back', () => {
    const record = settledAs('unknown');
    expect(reopen({ ...record, intents: [...record.intents, intentFacts(2)] }, 'op-a', 1, t0)).toEqual(lost);
    expect(reopen(compensate(record, 'op-a', t0), 'op-a', 1, t0)).toEqual(lost);
  });
});

describe('an answer without a usable key', () => {
  const open = intentFacts(1);

  test('is unknown like a lost one, and replays that end so are counted', () => {
    const once = after(settle(settledAs('open', { keylessReplays: 1 }), open, 'unknown', 'keyless'));
    expect(once.intents).toMatchObject([{ settled: 'unknown', keylessReplays: 2 }]);
    const lostAnswer = after(settle(settledAs('open'), open, 'unknown'));
    expect(lostAnswer.intents[0]).not.toHaveProperty('keylessReplays');
  });

  test('that named a key of another account is unknown, and a replay is no use', () => {
    const [wrong] = disown(settledAs('answered')).intents;
    expect(wrong).toMatchObject({ settled: 'unknown', keylessReplays: MAX_KEYLESS_REPLAYS });
    const before = [intentFacts(1, { settled: 'answered' }), intentFacts(2, { settled: 'refused' })];
    expect(disown({ ...working(), intents: before }).intents.map((i) => i.settled)).toEqual(['unknown', 'refused']);
    const secret = settledAs('answered', { kind: 'create-secret' });
    expect(disown(secret)).toBe(secret);
    expect(disown(recordOf())).toEqual(recordOf());
  });
});

describe('an attempt whose worker is gone', () => {
  const fencedMs = t0 + 5 * second + 15 * second + 2 * second;

  test('is unknown only when it can have no effect any more: sendBefore + HTTP time-out + skew', () => {
    const state = (nowMs: number) => expireOpenIntents(settledAs('open'), nowMs).intents[0]?.settled;
    expect(state(fencedMs - 1)).toBe('open');
    expect(state(fencedMs)).toBe('unknown');
  });

  test('leaves settled intents alone', () => {
    const record = settledAs('refused');
    expect(expireOpenIntents(record, fencedMs)).toEqual(record);
    const without = { ...recordOf(), intents: [intentFacts(1)] };
    expect(expireOpenIntents(without, fencedMs), 'nothing says when').toEqual(without);
  });
});

describe('taking back', () => {
  test('is marked once and by its own operation only', () => {
    const record = compensate(working(), 'op-a', t0);
    expect(record.operation?.compensating).toBe(true);
    expect(compensate(record, 'op-a', t0)).toBe(record);
    const settled = settledAs('unknown');
    expect(compensate(settled, 'op-a', t0)).toMatchObject({ epoch: settled.epoch, intents: settled.intents });
    const other = working({ operationId: 'op-b' });
    expect(compensate(other, 'op-a', t0)).toBe(other);
  });

  test('keeps an attempt that has not sent yet from sending, and waits for one that has', () => {
    const record = compensate(settledAs('open'), 'op-a', t0);
    expect(record).toMatchObject({ epoch: 1, intents: [{ settled: 'open', epoch: 0 }] });
    expect(compensate(record, 'op-a', t0 + hour)).toMatchObject({ intents: [{ settled: 'unknown' }] });
  });
});
