import { describe, expect, test } from 'vitest';
import { reopen } from '../../../src/domain/intents.js';
import { canMakeAnother, fencedAtMs, nextMove, strangers, surelyAbsentAtMs } from '../../../src/domain/recovery.js';
import type { CredentialRecord, EngineStrategy, IntentFacts, VersionFacts } from '../../../src/domain/record.js';
import {
  classA,
  classB,
  classC,
  classD,
  day,
  hour,
  identity,
  intentFacts,
  minute,
  operationOf,
  previousFacts,
  recordOf,
  second,
  t0,
  versionFacts,
} from './facts.js';

type Kind = IntentFacts['kind'];
type Settled = IntentFacts['settled'];
const intents = (...list: readonly (readonly [Kind, Settled, Partial<IntentFacts>?])[]): IntentFacts[] =>
  list.map(([kind, settled, over], i) => intentFacts(i + 1, { kind, settled, ...over }));

const deadlineMs = t0 + 30 * minute;
/** The old key dies at `deadlineMs` where the class is D. */
function recordWith(strategy: EngineStrategy, list: readonly IntentFacts[], pending?: Partial<VersionFacts>) {
  const dies =
    strategy === classD && list.some((i) => i.kind === 'rotate' && !['refused', 'not-sent'].includes(i.settled));
  const old = versionFacts(1, { providerDiesAtMs: dies ? deadlineMs : null });
  const fresh = pending ? [versionFacts(2, { stage: 'pending', ...pending })] : [];
  return recordOf({ versions: [old, ...fresh], highestVersion: 2, intents: list });
}
function move(strategy: EngineStrategy, list: readonly IntentFacts[], nowMs = t0, pending?: Partial<VersionFacts>) {
  const record = recordWith(strategy, list, pending);
  return nextMove(record, operationOf(record, { strategy }), nowMs);
}
const send = (kind: Kind) => ({ do: 'send', kind });

describe.each([
  ['A', classA, 'create-key'],
  ['B', classB, 'create-key'],
  ['C', classC, 'create-key'],
  ['D', classD, 'rotate'],
] as const)('class %s', (_name, strategy, main) => {
  test('first sends its main write', () => {
    expect(move(strategy, [])).toEqual(send(main));
  });

  test('sends it again after it was surely not sent', () => {
    expect(move(strategy, intents([main, 'not-sent'], [main, 'not-sent']))).toEqual(send(main));
  });

  test('waits for an open attempt until it can have no effect any more', () => {
    const open = intentFacts(1, { kind: main });
    const untilMs = t0 + 5 * second + 15 * second + 2 * second;
    expect(fencedAtMs(open, strategy)).toBe(untilMs);
    expect(move(strategy, [open])).toEqual({ do: 'wait', untilMs });
    expect(move(strategy, [...intents([main, 'unknown']), intentFacts(2, { kind: main })])).toMatchObject({
      do: 'wait',
    });
    expect(move(strategy, [open], t0, { secretKey: 'ok' })).toMatchObject({ do: 'wait' });
  });

  test('is finished when everything is pending', () => {
    expect(move(strategy, intents([main, 'answered']), t0, { secretKey: 'ok' })).toEqual({
      do: 'finish',
      secretKeyLost: false,
    });
  });
});

describe('class A after a lost answer', () => {
  const lost = (over: Partial<IntentFacts> = {}) => intents(['create-key', 'unknown', over]);

  test('looks for the key whose value it has chosen, before anything is sent', () => {
    expect(move(classA, lost())).toEqual({ do: 'look', n: 1 });
    expect(move(classA, lost({ taken: true }))).toEqual({ do: 'look', n: 1 });
  });

  test('a key that is not to be seen is surely absent 30 s after the attempt can have had an effect', () => {
    const intent = intentFacts(1);
    expect(surelyAbsentAtMs(intent, classA)).toBe(fencedAtMs(intent, classA) + 30 * second);
  });

  test('sends the stored bytes again when the key is surely absent, and looks again after that', () => {
    expect(move(classA, lost({ absent: true }))).toEqual({ do: 'replay', n: 1 });
    const record = { ...recordWith(classA, lost({ absent: true })), epoch: 4 };
    const operation = operationOf(record, { strategy: classA });
    const again = reopen({ ...record, operation }, operation.operationId, 1, t0 + minute);
    const open = { settled: 'open', epoch: 4, sends: 2, absent: false };
    expect(again).toMatchObject({ kind: 'next', record: { intents: [open] } });
  });

  test('draws another value only when the first is in use and not ours', () => {
    expect(move(classA, lost({ taken: true, absent: true }))).toEqual(send('create-key'));
  });

  test('gives up when the provider makes nothing, or every value is in use', () => {
    expect(move(classA, lost({ absent: true, sends: 6 }))).toMatchObject({ do: 'give-up', deadlineMs: null });
    const taken: readonly [Kind, Settled, Partial<IntentFacts>] = [
      'create-key',
      'unknown',
      { taken: true, absent: true },
    ];
    expect(move(classA, intents(taken, taken, taken))).toMatchObject({ do: 'give-up', deadlineMs: null });
  });
});

describe('class B after a lost answer', () => {
  const windowMs = 5 * hour;

  test.each([0, minute, windowMs - 1])('sends the stored bytes again, %d ms after the intent', (elapsedMs) => {
    expect(move(classB, intents(['create-key', 'unknown']), t0 + elapsedMs)).toEqual({ do: 'replay', n: 1 });
  });

  test('goes on doing so however often it was sent, as long as the old key lives', () => {
    expect(move(classB, intents(['create-key', 'unknown', { sends: 500 }]))).toEqual({ do: 'replay', n: 1 });
  });

  test('makes another key when five of the six hours are over', () => {
    expect(move(classB, intents(['create-key', 'unknown']), t0 + windowMs)).toEqual(send('create-key'));
  });

  test('makes another key when a replay has answered twice without a usable one', () => {
    const replayed = (keylessReplays: number) => intents(['create-key', 'unknown', { keylessReplays }]);
    expect(move(classB, replayed(1))).toEqual({ do: 'replay', n: 1 });
    expect(move(classB, replayed(2))).toEqual(send('create-key'));
  });

  test('replays the newer of two lost intents', () => {
    const both = intents(['create-key', 'unknown'], ['create-key', 'unknown', { createdAtMs: t0 + windowMs }]);
    expect(move(classB, both, t0 + windowMs + minute)).toEqual({ do: 'replay', n: 2 });
  });

  test('falls back to the lost one when the newer was surely not sent', () => {
    expect(move(classB, intents(['create-key', 'unknown'], ['create-key', 'not-sent']))).toEqual({
      do: 'replay',
      n: 1,
    });
  });
});

describe('class C after a lost answer', () => {
  test('makes another key at once', () => {
    expect(move(classC, intents(['create-key', 'unknown']))).toEqual(send('create-key'));
  });

  test('stops after three of them: each may have left a key behind', () => {
    const three = intents(['create-key', 'unknown'], ['create-key', 'unknown'], ['create-key', 'unknown']);
    expect(move(classC, three.slice(0, 2))).toEqual(send('create-key'));
    expect(move(classC, three)).toMatchObject({ do: 'give-up', deadlineMs: null });
    const known = intents(['create-key', 'answered'], ['create-key', 'answered'], ['create-key', 'unknown']);
    expect(move(classC, known), 'answered ones left none').toEqual(send('create-key'));
  });
});

test.each([classB, classC])(
  'a refusal without effect, seen again after a crash, is asked for anew (class $class)',
  (s) => {
    expect(move(s, intents(['create-key', 'refused']))).toEqual(send('create-key'));
  },
);

describe('class D after a lost rotation', () => {
  const lostRotation = ['rotate', 'unknown'] as const;

  test('makes a key beside it and never rotates again', () => {
    expect(move(classD, intents(lostRotation))).toEqual(send('create-key'));
    expect(move(classD, intents(lostRotation, ['create-key', 'not-sent']))).toEqual(send('create-key'));
  });

  test('treats that key like class B, a few times', () => {
    expect(move(classD, intents(lostRotation, ['create-key', 'unknown']))).toEqual({ do: 'replay', n: 2 });
    expect(move(classD, intents(lostRotation, ['create-key', 'unknown', { sends: 6 }]))).toEqual(send('create-key'));
  });

  test('does not count the lost rotation among the lost keys', () => {
    const tired = ['create-key', 'unknown', { sends: 6 }] as const;
    expect(move(classD, intents(lostRotation, tired, tired))).toEqual(send('create-key'));
    expect(move(classD, intents(lostRotation, tired, tired, tired))).toMatchObject({ do: 'give-up', deadlineMs });
    expect(move(classD, intents(lostRotation, tired, ['create-key', 'refused']))).toEqual(send('rotate'));
    const again = intents(lostRotation, ['create-key', 'refused'], lostRotation, ['create-key', 'refused']);
    expect(move(classD, again)).toMatchObject({ do: 'give-up', deadlineMs });
  });

  test('rotates exactly once more where making a key is refused', () => {
    const refused = [lostRotation, ['create-key', 'refused']] as const;
    expect(move(classD, intents(...refused))).toEqual(send('rotate'));
    expect(move(classD, intents(...refused, ['rotate', 'not-sent']))).toEqual(send('rotate'));
    expect(move(classD, intents(...refused, lostRotation))).toEqual({
      do: 'give-up',
      because: 'the answer to the rotation was lost',
      deadlineMs,
    });
    expect(move(classD, intents(...refused, ['rotate', 'refused']))).toMatchObject({ do: 'give-up', deadlineMs });
  });

  test('gives up where the provider has no other way, with the exact instant of death', () => {
    const rotateOnly: EngineStrategy = { ...classD, intents: ['rotate'] };
    const record = recordWith(classD, intents(lostRotation));
    expect(nextMove(record, operationOf(record, { strategy: rotateOnly }), t0)).toMatchObject({
      do: 'give-up',
      deadlineMs,
    });
  });

  test('gives up when the old key is dead, allowing for skewed clocks', () => {
    expect(move(classD, intents(lostRotation), deadlineMs - 2 * second - 1)).toEqual(send('create-key'));
    expect(move(classD, intents(lostRotation), deadlineMs - 2 * second)).toMatchObject({ do: 'give-up', deadlineMs });
    expect(move(classD, intents(lostRotation, ['create-key', 'unknown']), deadlineMs)).toMatchObject({ do: 'give-up' });
  });
});

describe('class D whose secret key is refused', () => {
  const refused = ['rotate', 'refused'] as const;

  test('makes a key beside the current one, and never tries that secret key again', () => {
    expect(move(classD, intents(refused))).toEqual(send('create-key'));
    expect(move(classD, intents(refused, ['create-key', 'unknown']))).toEqual({ do: 'replay', n: 2 });
    expect(move(classD, intents(refused, ['create-key', 'refused']))).toEqual({
      do: 'give-up',
      because: 'the secret key is refused, and no other key may be made',
      deadlineMs: null,
    });
  });
});

describe('a rotated key that is refused for good', () => {
  test('is replaced by a key made beside it, once', () => {
    expect(move(classD, intents(['rotate', 'answered']))).toEqual(send('create-key'));
    expect(move(classD, intents(['rotate', 'answered'], ['create-key', 'answered']))).toMatchObject({ do: 'give-up' });
  });

  test('can be given up only while another one can be made', () => {
    const another = (list: readonly IntentFacts[], nowMs = t0): boolean => {
      const record = recordWith(classD, list, { secretKey: 'ok' });
      return canMakeAnother(record, operationOf(record, { strategy: classD }), nowMs);
    };
    expect(another(intents(['rotate', 'answered']))).toBe(true);
    expect(another(intents(['rotate', 'answered'], ['create-key', 'answered']))).toBe(false);
    expect(another(intents(['rotate', 'answered']), deadlineMs)).toBe(false);
    const lost = recordWith(classB, intents(['create-key', 'unknown']), { secretKey: 'ok' });
    expect(canMakeAnother(lost, operationOf(lost, { strategy: classB }), t0), 'by a replay').toBe(true);
  });
});

describe('the secret key of a recovered key', () => {
  const recovered = [
    ['rotate', 'unknown'],
    ['create-key', 'answered'],
  ] as const;
  const without = { secretKey: 'lost' } as const;
  const finish = (secretKeyLost: boolean) => ({ do: 'finish', secretKeyLost });

  test('is made next', () => {
    expect(move(classD, intents(...recovered), t0, without)).toEqual(send('create-secret'));
  });

  test('is replayed with the same intent after a lost answer, then made anew', () => {
    const lost = ['create-secret', 'unknown'] as const;
    expect(move(classD, intents(...recovered, lost), t0, without)).toEqual({ do: 'replay', n: 3 });
    const tired = intents(...recovered, ['create-secret', 'unknown', { sends: 6 }]);
    expect(move(classD, tired, t0, without)).toEqual(send('create-secret'));
  });

  test('is asked for as often as an outage takes: what was not sent does not count', () => {
    const outage = Array.from({ length: 50 }, () => ['create-secret', 'not-sent'] as const);
    expect(move(classD, intents(...recovered, ...outage), t0, without)).toEqual(send('create-secret'));
  });

  test('is given up after six that were sent in vain', () => {
    const vain = (n: number) =>
      intents(...recovered, ...Array.from({ length: n }, () => ['create-secret', 'unknown', { sends: 6 }] as const));
    expect(move(classD, vain(5), t0, without)).toEqual(send('create-secret'));
    expect(move(classD, vain(6), t0, without)).toEqual(finish(true));
  });

  test('is lost when refused', () => {
    expect(move(classD, intents(...recovered, ['create-secret', 'refused']), t0, without)).toEqual(finish(true));
  });

  test('is lost when there is no time left before a consumer would hold a dead key', () => {
    const lastMs = deadlineMs - 5 * minute - (5 + 15 + 2) * second;
    expect(move(classD, intents(...recovered), lastMs - 1, without)).toEqual(send('create-secret'));
    expect(move(classD, intents(...recovered), lastMs, without)).toEqual(finish(true));
    const unknown = intents(...recovered, ['create-secret', 'unknown']);
    expect(move(classD, unknown, lastMs, without)).toEqual(finish(true));
  });

  test('is not missed where the strategy needs none', () => {
    expect(move(classB, intents(['create-key', 'answered']), t0, { secretKey: null })).toEqual(finish(false));
  });
});

describe('strangers', () => {
  const listed = (...ids: readonly string[]) => ids.map((keyId) => ({ keyId }));
  const lost = (over: Partial<CredentialRecord> = {}): CredentialRecord =>
    recordOf({ intents: intents(['create-key', 'unknown', { inventory: ['key-1', 'foreign'] }]), ...over });
  const nothing = { certain: null, suspects: [], uncertain: false };

  test('are certain when one create is lost, one id is new, and the inventory was taken just before', () => {
    expect(strangers(lost(), listed('key-1', 'foreign', 'new'), null)).toEqual({ ...nothing, certain: 'new' });
  });

  test('are none where nothing new is listed, or nothing was lost', () => {
    expect(strangers(lost(), listed('key-1', 'foreign'), null)).toEqual(nothing);
    for (const settled of ['answered', 'refused', 'not-sent'] as const)
      expect(strangers(lost({ intents: intents(['create-key', settled]) }), listed('new'), null)).toEqual(nothing);
    expect(strangers(lost({ intents: intents(['create-secret', 'unknown']) }), listed('new'), null)).toEqual(nothing);
  });

  test('(a) are uncertain without an inventory', () => {
    const blind = lost({ intents: intents(['create-key', 'unknown', { inventory: null }]) });
    expect(strangers(blind, listed('key-1', 'new'), null)).toEqual({ certain: null, suspects: [], uncertain: true });
  });

  test('(b) are suspects when two creates are lost', () => {
    const two = lost({
      intents: intents(['create-key', 'unknown'], ['create-key', 'unknown', { inventory: ['new'] }]),
    });
    expect(strangers(two, listed('key-1', 'new'), null)).toEqual({ ...nothing, suspects: ['new'] });
    const rotated = lost({ intents: intents(['rotate', 'unknown'], ['create-key', 'unknown']) });
    expect(strangers(rotated, listed('key-1', 'new'), null)).toEqual({ ...nothing, suspects: ['new'] });
  });

  test('(c) are suspects when two ids are new', () => {
    expect(strangers(lost(), listed('key-1', 'a', 'b'), null)).toEqual({ ...nothing, suspects: ['a', 'b'] });
  });

  test.each([
    ['what was given', day, true],
    ['what remains after a minute', day - minute, true],
    ['what was given, rounded', day + second, true],
    ['what remains, rounded', day - minute - second, true],
    ['more than we asked for', 2 * day, false],
    ['less than can remain', day - hour, false],
  ])('(d) are judged by the lifetime we set: %s', (_what, ttlMs, fits) => {
    const key = { keyId: 'new', lifetime: { atMs: t0 + minute, ttlMs } };
    expect(strangers(lost(), [key], day)).toEqual({
      ...nothing,
      ...(fits ? { certain: 'new' } : { suspects: ['new'] }),
    });
  });

  test('(d) are suspects when the listing shows no lifetime though we set one', () => {
    expect(strangers(lost(), listed('new'), day)).toEqual({ ...nothing, suspects: ['new'] });
  });

  test('are never keys that are ours: versions, debts, keys that were removed', () => {
    const record = lost({
      versions: [previousFacts(1), versionFacts(2), versionFacts(3, { stage: 'pending' })],
      debts: [
        {
          kind: 'orphan',
          version: null,
          keyId: 'owed',
          sinceMs: t0,
          attempts: 0,
          nextAttemptAtMs: null,
          lastError: null,
          identity,
        },
      ],
      destroyed: [{ version: 0, keyId: 'dead', fingerprint: 'hmac:0', destroyedAtMs: t0, proof: 'elapsed' }],
    });
    expect(strangers(record, listed('key-1', 'key-2', 'key-3', 'owed', 'dead'), null)).toEqual(nothing);
  });

  test('are as uncertain as the least known of two lost creates', () => {
    const two = (first: Partial<IntentFacts>, settled: Settled) =>
      lost({ intents: intents(['create-key', 'unknown', first], ['create-key', settled]) });
    expect(strangers(two({ inventory: null }, 'unknown'), listed('new'), null)).toMatchObject({ uncertain: true });
    expect(strangers(two({}, 'open'), listed('new'), null)).toMatchObject({ suspects: ['new'], uncertain: true });
    expect(strangers(two({}, 'unknown'), listed('new'), null)).toMatchObject({ suspects: ['new'], uncertain: false });
  });

  test('are never certain while an attempt may still be executed', () => {
    const open = lost({ intents: intents(['create-key', 'open']) });
    expect(strangers(open, listed('key-1', 'new'), null)).toEqual({
      certain: null,
      suspects: ['new'],
      uncertain: true,
    });
  });
});
