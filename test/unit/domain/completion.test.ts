import { describe, expect, test } from 'vitest';
import { attemptFailed, completionMove, incompleteOf, retryCompletion } from '../../../src/domain/completion.js';
import { intend, nextIntentN } from '../../../src/domain/intents.js';
import type { CredentialRecord, IntentFacts } from '../../../src/domain/record.js';
import { completionId, stage, stageSecretKey } from '../../../src/domain/transitions.js';
import {
  after,
  classD,
  freshKey,
  hour,
  intentFacts,
  operationOf,
  recordOf,
  second,
  t0,
  versionFacts,
} from './facts.js';

const lost = { sinceMs: t0, message: 'no secret key', deadlineMs: null, retryAtMs: t0, attempts: 0 };
const operationId = completionId(2);
const tried = (settled: IntentFacts['settled'], over: Partial<IntentFacts> = {}, n = 1): IntentFacts =>
  intentFacts(n, { operationId, kind: 'create-secret', settled, ...over });

/** Version 2 was published without a secret key. */
function incomplete(over: Partial<CredentialRecord> = {}): CredentialRecord {
  const versions = [versionFacts(2, { secretKey: 'lost' })];
  return recordOf({ versions, highestVersion: 2, capabilityLost: lost, ...over });
}
const move = (record: CredentialRecord, nowMs = t0) => completionMove(record, classD, nowMs);

describe('a version that was published without its secret key', () => {
  test('asks for one, with its own key', () => {
    expect(incompleteOf(incomplete())?.version).toBe(2);
    expect(move(incomplete())).toEqual({ do: 'send' });
  });

  test('does nothing while a rotation is at work, or when it has one, or when an operator is asked', () => {
    const at = incomplete();
    expect(move({ ...at, operation: operationOf(at, { strategy: classD }) })).toEqual({ do: 'nothing' });
    expect(move(incomplete({ versions: [versionFacts(2)] }))).toEqual({ do: 'nothing' });
    expect(move(retryCompletion(incomplete(), null))).toEqual({ do: 'nothing' });
  });

  test('is not called with a key that nobody has seen to work', () => {
    const versions = [versionFacts(2, { secretKey: 'lost', verifiedAtMs: null })];
    expect(move(incomplete({ versions }))).toEqual({ do: 'give-up' });
  });

  test('waits for an attempt that may still be under way, and sends the stored bytes again when it was lost', () => {
    expect(move(incomplete({ intents: [tried('open')] }))).toEqual({ do: 'wait', untilMs: t0 + 22 * second });
    expect(move(incomplete({ intents: [tried('unknown')] }))).toEqual({ do: 'replay', n: 1 });
    expect(move(incomplete({ intents: [tried('unknown')] }), t0 + 6 * hour)).toEqual({ do: 'send' });
  });

  test('sends again at the instant from which the lost attempt can have no effect', () => {
    expect(move(incomplete({ intents: [tried('open')] }), t0 + 22 * second)).toEqual({ do: 'send' });
  });

  test('does not count what its rotation has sent', () => {
    expect(move(incomplete({ intents: [tried('refused', { operationId: 'op-a' })] }))).toEqual({ do: 'send' });
  });

  test('is none where nothing is missing, or no version is left', () => {
    const complete = recordOf();
    expect(retryCompletion(complete, t0)).toBe(complete);
    expect(attemptFailed(complete, t0, 0)).toBe(complete);
    expect(incompleteOf(incomplete({ versions: [] }))).toBeNull();
  });

  test('gives up when it is refused, or was tried too often', () => {
    expect(move(incomplete({ intents: [tried('refused')] }))).toEqual({ do: 'give-up' });
    const six = [1, 2, 3, 4, 5, 6].map((n) => tried('unknown', {}, n));
    expect(move(incomplete({ intents: six }))).toEqual({ do: 'give-up' });
  });

  test('tries again with growing waits, as long as trying may help', () => {
    const once = attemptFailed(incomplete(), t0, 0);
    expect(once.capabilityLost).toMatchObject({ attempts: 1, retryAtMs: t0 + 10 * second });
    expect(move(once)).toEqual({ do: 'wait', untilMs: t0 + 10 * second });
    expect(attemptFailed(once, t0, 60 * second).capabilityLost).toMatchObject({ retryAtMs: t0 + 60 * second });
    expect(attemptFailed(once, t0, null).capabilityLost).toMatchObject({ attempts: 2, retryAtMs: null });
  });

  test('has all that it needs when the answer is sealed, and the alarm is over', () => {
    const intent = tried('open', { n: nextIntentN(incomplete()) });
    const sent = after(intend(incomplete(), intent));
    const complete = after(stageSecretKey(sent, intent.n, 'ok'));
    expect(complete).toMatchObject({ capabilityLost: null, intents: [], versions: [{ version: 2, secretKey: 'ok' }] });
    expect(move(complete)).toEqual({ do: 'nothing' });
  });

  test('takes no intent of another version', () => {
    expect(intend(incomplete(), tried('open', { operationId: completionId(1) })).kind).toBe('lost');
    expect(intend(incomplete({ versions: [] }), tried('open')).kind).toBe('lost');
  });

  test('waits for the rotation that is at work, and takes nothing but a secret key', () => {
    const at = incomplete();
    const working = { ...at, operation: operationOf(at, { strategy: classD }) };
    expect(intend(working, tried('open')).kind).toBe('lost');
    expect(stageSecretKey(working, null, 'ok').kind).toBe('lost');
    expect(stage(incomplete({ intents: [tried('open')] }), operationId, 1, freshKey(3)).kind).toBe('lost');
  });
});
